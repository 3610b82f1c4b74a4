"""What the library of known structures says of a row."""

from __future__ import annotations

import logging
import re
from functools import cache
from math import isfinite
from typing import TYPE_CHECKING, Any

from nucleate.errors import InputError
from nucleate.library.library import SHIPPED
from nucleate.library.names import NEW_TYPE

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
    if _named_crystal(row) is None:
        return None
    if row.finding is not None and row.finding.structure_type:
        return row.finding.structure_type
    found = _identity(row)
    return None if found is None else found.structure_type


def pearson(row: Row) -> str | None:
    """Return the Pearson symbol of a row that has a name."""
    found = _identity(row)
    return None if found is None else found.pearson or None


def nearest(row: Row) -> str | None:
    """Return formula and identifier of the nearest known compound of a row that has a name."""
    found = _identity(row)
    return None if found is None else f"{found.nearest_formula} {found.nearest}".strip() or None


def nearest_distance(row: Row) -> float | None:
    """Return the distance to the nearest known compound, see :class:`Identity`."""
    found = _identity(row)
    return round(found.distance, 4) if found is not None and isfinite(found.distance) else None


def _named_crystal(row: Row) -> Crystal | None:
    """Return the crystal of a row if it is among those that are named."""
    return row.crystal if (row.rank or 1) <= NAMED else None


def _identity(row: Row) -> Identity | None:
    crystal = _named_crystal(row)
    return None if crystal is None else identity_of(crystal, row.libraries)


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
    return None if name is None else prototype_of(name)


def prototype_of(name: str) -> str:
    """Return the name of a structure type without mineral and Strukturbericht symbol.

    Examples
    --------
    >>> prototype_of("CaTiO3 (Cubic Perovskite, E2_1)"), prototype_of("SiO2 [quartz (alpha)]")
    ('CaTiO3', 'SiO2')
    """
    return re.split(r" [(\[]", name)[0]


def type_in_words(row: Row) -> str | None:
    """Return structure type, Pearson symbol and nearest known compound of a row in short."""
    name, found = structure_type(row), _identity(row)
    if name is None:
        return None
    if found is None:
        return prototype_of(name)
    return type_cell(name, found.pearson, found.nearest_formula, nearest_distance(row))


def type_cell(name: str, pearson: str, formula: str, distance: float | None) -> str:
    """Return structure type, Pearson symbol and nearest known compound for a narrow column.

    Parameters
    ----------
    name, pearson
        Structure type and Pearson symbol.
    formula, distance
        Of the nearest known compound; its formula is the name of a type without a name.

    Examples
    --------
    >>> type_cell("CaTiO3 (Cubic Perovskite, E2_1)", "cP5", "SrTiO3", 0.02)
    'CaTiO3 (cP5), like SrTiO3 0.02'
    >>> type_cell("GeO2", "hP9", "GeO2", 0.21), type_cell("new type", "oP12", "CrN2", 0.5)
    ('hP9, like GeO2 0.21', 'new type (oP12)')
    """
    if not pearson:
        return prototype_of(name)
    own = pearson if name == formula else f"{prototype_of(name)} ({pearson})"
    is_like = bool(formula) and distance is not None and name != NEW_TYPE
    return f"{own}, like {formula} {distance:.2f}" if is_like else own


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
