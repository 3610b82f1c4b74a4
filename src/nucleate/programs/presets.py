"""Recipes that come with nucleate: TOML files, one folder per program."""

from __future__ import annotations

import difflib
import tomllib
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from nucleate.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from importlib.resources.abc import Traversable


def preset_names(kind: str | None = None) -> list[str]:
    """Return ``kind/name`` of every preset, or the names for one kind of engine."""
    root = _root()
    kinds = [kind] if kind else sorted(item.name for item in root.iterdir())
    names = []
    for folder in kinds:
        if (root / folder).is_dir():
            found = sorted(item.name for item in (root / folder).iterdir())
            stems = [name.removesuffix(".toml") for name in found if name.endswith(".toml")]
            names += stems if kind else [f"{folder}/{stem}" for stem in stems]
    return names


def preset_text(name: str) -> str:
    """Return the TOML text of a preset.

    Parameters
    ----------
    name
        ``kind/name``, or a name that only one kind has.

    Raises
    ------
    InputError
        If there is none of that name, or several.
    """
    known = preset_names()
    found = [item for item in known if item == name or item.split("/")[1] == name]
    if len(found) > 1:
        raise InputError(f"preset = {name!r} exists for several engines: {', '.join(found)}.")
    if not found:
        raise InputError(f"preset = {name!r} is not known. {nearest(name, known)}")
    kind, stem = found[0].split("/")
    return (_root() / kind / f"{stem}.toml").read_text(encoding="utf-8")


def load_preset(kind: str, name: str) -> dict[str, Any]:
    """Return the settings of a preset; raises ValueError if the engine has none of that name."""
    known = preset_names(kind)
    if name not in known:
        raise ValueError(f"preset = {name!r} is not known. {nearest(name, known)}")
    data = tomllib.loads(preset_text(f"{kind}/{name}"))
    data.pop("description")
    return data


def merged(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """Return two nested tables as one; values of ``over`` win, lists are replaced whole."""
    result = dict(base)
    for key, value in over.items():
        inner = result.get(key)
        if isinstance(inner, dict) and isinstance(value, dict):
            result[key] = merged(inner, value)
        else:
            result[key] = value
    return result


def nearest(word: str, known: Iterable[str]) -> str:
    """Return a sentence that names the nearest of some words, or all of them."""
    words = list(known)
    by_lower = {item.lower(): item for item in words}
    close = difflib.get_close_matches(word.lower(), by_lower, n=1, cutoff=0.5)
    if close:
        return f"Did you mean {by_lower[close[0]]!r}?"
    return f"Use one of {', '.join(words)}." if len(words) <= 20 else "Correct the name."


def _root() -> Traversable:
    return files("nucleate.programs") / "presets"
