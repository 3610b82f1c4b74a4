"""What of the stored input counts when a run or a map is continued with new options."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from nucleate.library.library import SHIPPED

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

LIMITS = ("time", "core_time", "structures")
"""Keys of ``[stop]`` that limit the effort of a start."""

ADDED = ("lines", "points")
"""Keys of ``[field]`` to which options add."""

REPLACED = ("max_ratio", "max_atoms_per_formula", "polymorphs", "known_elements")
"""Further keys of ``[field]`` that may differ in a continued map."""

NO_WINDOW = "none"
"""A window that removes those of an earlier start."""


def stop_of_now(stored: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the stored section ``[stop]`` without the limits that count no more.

    A time is that of one start. The other limits count until any rule of ``[stop]`` is given.

    Parameters
    ----------
    stored
        The section in the folder.
    given
        Rules of this start.

    Examples
    --------
    >>> stop_of_now({"structures": 99, "expected_change_mev": 1.0}, {"time": "2h"})
    {'expected_change_mev': 1.0}
    >>> stop_of_now({"structures": 99, "time": 20.0}, {})
    {'structures': 99}
    """
    old = LIMITS if any(given.get(key) is not None for key in (*stored, *LIMITS)) else LIMITS[:1]
    return {key: value for key, value in stored.items() if key not in old}


def field_of_now(
    field: Mapping[str, Any], given: Mapping[str, Any], *, is_stored: bool
) -> dict[str, Any]:
    """Return a section ``[field]`` with the options of this start.

    Lines and points are added to it, and so are references where it is that of an existing map.
    Any other option replaces a value; the window ``none`` stands for no windows.

    Parameters
    ----------
    field
        The section in the folder or in the input file.
    given
        Options by key.
    is_stored
        Whether ``field`` is that of an existing map.
    """
    values = dict(given)
    for key in ADDED:
        if key in values:
            values[key] = _joined(field.get(key) or (), values[key], str)
    if is_stored and "references" in values:
        values["references"] = _joined(field["references"], values["references"], _absolute)
    if values.get("windows") == [NO_WINDOW]:
        values["windows"] = []
    return {**field, **values}


def changes_in_words(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Return how the input of a map that is continued differs from the stored one, in words.

    Parameters
    ----------
    old, new
        Inputs; sections ``[field]`` and ``[stop]`` are looked at.
    """
    before, now = old["field"], new["field"]
    found: list[str] = []
    for key in (*ADDED, "references"):
        added = [item for item in now[key] if item not in before.get(key, ())]
        if added:
            found.append(f"field.{key}: {', '.join(added)} added to those of the map")
    windows = list(before.get("windows", ()))
    if windows != list(now["windows"]):
        by, instead = (", ".join(texts) or "none" for texts in (now["windows"], windows))
        found.append(f"field.windows: {by} instead of {instead}")
    found += [
        f"field.{key}: {_shown(now[key])} instead of {_shown(before[key])}"
        for key in REPLACED
        if key in before and before[key] != now[key]
    ]
    return found + [
        f"stop.{key} = {old['stop'][key]:g} of an earlier start counts no more"
        for key in LIMITS[1:]
        if old["stop"].get(key) is not None and new["stop"].get(key) is None
    ]


def _joined(first: Sequence[str], second: Sequence[str], form: Any) -> list[str]:
    """Return the items of both, each once; those of one form are the same."""
    found: dict[str, str] = {}
    for item in (*first, *second):
        found.setdefault(form(item), item)
    return list(found.values())


def _shown(value: Any) -> str:
    return "the default" if value is None else str(value)


def _absolute(source: str) -> str:
    return source if source == SHIPPED else str(Path(source).absolute())
