"""Paths in an input, made independent of the working folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def with_absolute_paths(data: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Return the input with the paths that it names made independent of the working folder."""
    for section in (data.get("stop"), data.get("search")):
        if isinstance(section, dict) and isinstance(section.get("target"), str):
            section["target"] = str((folder / section["target"]).resolve())
    for section in (data.get("surrogate"), *_listed(data.get("tier"))):
        if isinstance(section, dict) and isinstance(section.get("learn_from"), str):
            section["learn_from"] = str((folder / section["learn_from"]).resolve())
    stop = data.get("stop")
    if isinstance(stop, dict) and isinstance(stop.get("proven"), str):
        stop["proven"] = str((folder / stop["proven"]).resolve())
    problem = data.get("problem")
    if isinstance(problem, dict) and isinstance(problem.get("motif"), str):
        problem["motif"] = str((folder / problem["motif"]).resolve())
    search = data.get("search")
    if isinstance(search, dict):
        if isinstance(search.get("policy_from"), str):
            search["policy_from"] = str((folder / search["policy_from"]).resolve())
        _make_libraries_absolute(search, folder.resolve())
        generators = search.get("generators")
        for generator in generators if isinstance(generators, list) else ():
            if isinstance(generator, dict):
                _make_libraries_absolute(generator, folder.resolve())
                files = generator.get("files")
                if isinstance(files, str):
                    generator["files"] = str(folder.resolve() / files)
                elif isinstance(files, list):
                    generator["files"] = [
                        str(folder.resolve() / item) if isinstance(item, str) else item
                        for item in files
                    ]
    tiers, final = data.get("tier"), data.get("final")
    judge = final.get("judge") if isinstance(final, dict) else None
    for tier in (*_listed(tiers), judge):
        if isinstance(tier, dict):
            _make_absolute(tier, folder.resolve())
    return data


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _make_libraries_absolute(section: dict[str, Any], folder: Path) -> None:
    """Make the library files that a section names independent of the folder."""
    names = section.get("library")
    if isinstance(names, list):
        section["library"] = [
            name if name == "shipped" or not isinstance(name, str) else str(folder / name)
            for name in names
        ]


_PATHS = ("file", "model", "checkpoint", "library", "potentials", "pseudopotentials", "data")
"""Keys of engines that can name a file or folder."""


def _make_absolute(tier: dict[str, Any], folder: Path) -> None:
    """Make the interpreter of a tier and the files of its engine independent of the folder."""
    python = tier.get("python")
    if isinstance(python, str) and "/" in python:
        tier["python"] = str(folder / Path(python).expanduser())
    engine = tier.get("engine")
    if isinstance(engine, dict):
        for key in _PATHS:
            value = engine.get(key)
            if isinstance(value, str) and (folder / value).exists():
                engine[key] = str(folder / value)
        if isinstance(engine.get("scratch"), str):
            engine["scratch"] = str(folder / Path(engine["scratch"]).expanduser())
