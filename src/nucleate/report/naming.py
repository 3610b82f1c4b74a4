"""What the library of known structures says of a row."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from nucleate.errors import InputError

if TYPE_CHECKING:
    from nucleate.crystal.crystal import Crystal
    from nucleate.library.library import Library
    from nucleate.report.rows import Row

NAMED = 100
"""Structures of a ranking that are named, from the best one on: a name takes about 10 ms."""

_KEPT = 2000
_names: dict[tuple[bytes, bytes, bytes], str | None] = {}


def structure_type(row: Row) -> str | None:
    """Return the structure type of a row by the shipped library; None beyond the best hundred."""
    if row.crystal is None or (row.rank or 1) > NAMED:
        return None
    if row.finding is not None and row.finding.structure_type:
        return row.finding.structure_type
    return type_of(row.crystal)


def type_of(crystal: Crystal) -> str | None:
    """Return the structure type of a crystal by the shipped library; None without a volume."""
    key = crystal.numbers.tobytes(), crystal.cell.tobytes(), crystal.scaled.tobytes()
    if key not in _names:
        if len(_names) >= _KEPT:
            _names.clear()
        library = _library()
        try:
            _names[key] = None if library is None else library.identify(crystal).structure_type
        except ValueError:  # no volume
            _names[key] = None
    return _names[key]


def short_structure_type(row: Row) -> str | None:
    """Return the structure type without its mineral and Strukturbericht names."""
    name = structure_type(row)
    return None if name is None else name.partition(" (")[0]


def prior_weight(row: Row) -> float | None:
    """Return the weight of the structure, or that of its candidate where it was not polished."""
    if row.finding is not None:
        return row.finding.weight
    weight = None if row.record is None else row.record.candidate.origin.detail.get("weight")
    return float(weight) if isinstance(weight, int | float) else None


@cache
def _library() -> Library | None:
    from nucleate.library.library import Library

    try:
        return Library.load()
    except InputError:
        return None
