"""Paths in an input, made independent of the working folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def with_absolute_paths(data: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Return the input with the paths that it names made independent of the working folder."""
    folder = folder.resolve()
    for name, keys in _SECTIONS.items():
        _make_names_absolute(data.get(name), keys, folder)
    for tier in _listed(data.get("tier")):
        _make_names_absolute(tier, ("learn_from",), folder)
    search = data.get("search")
    if isinstance(search, dict):
        _make_libraries_absolute(search, folder)
        for generator in _listed(search.get("generators")):
            if isinstance(generator, dict):
                _make_generator_absolute(generator, folder)
    tiers, final = data.get("tier"), data.get("final")
    judge = final.get("judge") if isinstance(final, dict) else None
    for tier in (*_listed(tiers), judge):
        if isinstance(tier, dict):
            _make_absolute(tier, folder)
    return data


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


_SECTIONS = {
    "problem": ("motif",),
    "field": ("motif",),
    "search": ("target", "policy_from"),
    "stop": ("target", "proven"),
    "surrogate": ("learn_from",),
}
"""Keys of the sections of an input that name a file or folder."""


def _make_names_absolute(section: Any, keys: tuple[str, ...], folder: Path) -> None:
    """Make the files and folders that a section names independent of the folder."""
    if isinstance(section, dict):
        for key in keys:
            if isinstance(section.get(key), str):
                section[key] = str((folder / section[key]).resolve())


def _make_generator_absolute(generator: dict[str, Any], folder: Path) -> None:
    """Make the files of a generator independent of the folder; a checkpoint may have a name."""
    _make_libraries_absolute(generator, folder)
    files = generator.get("files")
    if isinstance(files, str):
        generator["files"] = str(folder / files)
    elif isinstance(files, list):
        generator["files"] = [
            str(folder / item) if isinstance(item, str) else item for item in files
        ]
    for key in ("checkpoint", "keep"):
        value = generator.get(key)
        if isinstance(value, str) and value and (folder / value).is_file():
            generator[key] = str(folder / value)


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
