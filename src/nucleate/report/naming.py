"""What the library of known structures says of a row."""

from __future__ import annotations

import logging
from functools import cache
from typing import TYPE_CHECKING, Any

from nucleate.errors import InputError
from nucleate.library.library import SHIPPED

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nucleate.crystal.crystal import Crystal
    from nucleate.library.library import Library
    from nucleate.library.names import Identity
    from nucleate.report.rows import Row

NAMED = 100
"""Structures of a ranking that are named, from the best one on: a name takes about 10 ms."""

_KEPT = 2000
_log = logging.getLogger(__name__)
_names: dict[tuple[object, ...], Identity | None] = {}


def structure_type(row: Row) -> str | None:
    """Return the structure type of a row by its libraries; None beyond the best hundred."""
    if row.crystal is None or (row.rank or 1) > NAMED:
        return None
    if row.finding is not None and row.finding.structure_type:
        return row.finding.structure_type
    return type_of(row.crystal, row.libraries)


def libraries_of(meta: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the libraries of a run or a map by what its store says, the shipped one by default."""
    search = meta.get("input", {}).get("search", {})
    return tuple(str(name) for name in search.get("library", (SHIPPED,)))


def type_of(crystal: Crystal, libraries: Sequence[str] = (SHIPPED,)) -> str | None:
    """Return the structure type of a crystal; see :func:`identity_of`."""
    found = identity_of(crystal, libraries)
    return None if found is None else found.structure_type


def identity_of(crystal: Crystal, libraries: Sequence[str] = (SHIPPED,)) -> Identity | None:
    """Return what libraries know of a crystal.

    Parameters
    ----------
    crystal
        Any.
    libraries
        ``shipped`` and files, as in ``search.library``. Files that are no longer there are left
        out; without any there are no names.

    Returns
    -------
    Identity or None
        None without a library or a volume.
    """
    names = tuple(libraries)
    key = names, crystal.numbers.tobytes(), crystal.cell.tobytes(), crystal.scaled.tobytes()
    if key not in _names:
        if len(_names) >= _KEPT:
            _names.clear()
        library = _library(names)
        try:
            _names[key] = None if library is None else library.identify(crystal)
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


def log_likelihood(row: Row) -> float | None:
    """Return the log-likelihood that a learned generator gives to what the candidate began with."""
    if row.record is None:
        return None
    value = row.record.candidate.origin.detail.get("log_likelihood")
    return float(value) if isinstance(value, int | float) else None


@cache
def _library(names: tuple[str, ...]) -> Library | None:
    """Return the libraries that can be read as one; None if there is none."""
    from nucleate.library.library import Library

    readable: list[str] = []
    for name in names:
        try:
            Library.load((name,))
        except InputError as error:
            _log.warning("no structure is named by %s: %s", name, error)
        else:
            readable.append(name)
    return Library.load(readable) if readable else None
