"""What a CIF says of its content, and whether the crystal that was read agrees."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nucleate.crystal.elements import element, is_element

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nucleate.crystal.crystal import Crystal
    from nucleate.crystal.formats.cif_blocks import CifBlock

_FORMULA_TOLERANCE = 0.01
_VOLUME_TOLERANCE = 0.02
_DENSITY_TOLERANCE = 0.10
_G_PER_CM3 = 1.66053906660  # of 1 u/Å³


@dataclass(frozen=True, slots=True)
class Stated:
    """What a file says beside its sites.

    Attributes
    ----------
    formula : dict of str to float, or None
        Formula sum, deuterium as hydrogen.
    units : float or None
        Formula units in the cell (Z).
    volume : float or None
        Å³.
    density : float or None
        g/cm³.
    """

    formula: dict[str, float] | None = None
    units: float | None = None
    volume: float | None = None
    density: float | None = None

    @property
    def n_atoms(self) -> float | None:
        """Atoms in the cell by formula sum and Z, or None where one is missing."""
        if self.formula is None or not self.units:
            return None
        return sum(self.formula.values()) * self.units


def stated_by(block: CifBlock) -> Stated:
    """Return what a block says; values that cannot be read count as missing."""
    return Stated(
        formula_sum(block.value("_chemical_formula_sum") or ""),
        _positive(block, "_cell_formula_units_z"),
        _positive(block, "_cell_volume"),
        _positive(block, "_exptl_crystal_density_diffrn"),
    )


def formula_sum(text: str) -> dict[str, float] | None:
    """Return the counts in a formula sum such as ``Ca O2 H2``; None if it is none."""
    counts: dict[str, float] = {}
    compact = re.sub(r"\s+", " ", text.strip())
    if not compact or len(compact) > 2000:
        return None
    words = compact.split(" ") if " " in compact else re.findall(r"[A-Z][a-z]?[\d.]*", compact)
    if "".join(words) != compact.replace(" ", ""):
        return None
    for word in words:
        match = re.fullmatch(r"([A-Za-z]{1,2})(\d{0,6}(?:\.\d{0,6})?)", word, re.ASCII)
        symbol = "" if match is None else _symbol(match[1])
        if match is None or not symbol or match[2] == ".":
            return None
        counts[symbol] = counts.get(symbol, 0.0) + float(match[2] or 1)
    counts = {symbol: count for symbol, count in counts.items() if count > 0.0}
    return counts or None


def contradiction(crystal: Crystal, stated: Stated, multiplicities: str | None) -> str | None:
    """Return how a crystal contradicts its file, with both values, or None.

    Parameters
    ----------
    crystal
        The whole cell.
    stated
        What the file says of it.
    multiplicities
        A contradiction of the multiplicities of sites, found on the way.
    """
    read = _counts(crystal)
    density = _density(crystal)
    dense = stated.density is not None and abs(density / stated.density - 1.0) < 0.03
    if stated.formula is not None:
        total = sum(stated.formula.values())
        units = crystal.n_atoms / total
        if not _same(read, {key: value * units for key, value in stated.formula.items()}):
            return (
                f"its sites give {_formula(read)} in the cell, its formula sum says "
                f"{_formula(stated.formula)}"
            )
        if stated.units and not dense and not _units_fit(units, stated.formula, stated.units):
            return (
                f"its sites give {crystal.n_atoms} atoms in the cell, its formula sum "
                f"{_formula(stated.formula)} and Z = {stated.units:g} ask for "
                f"{total * stated.units:g}"
            )
        if stated.units and _units_fit(units, stated.formula, stated.units):
            dense = True
    if multiplicities is not None and not dense:
        return multiplicities
    off = None if stated.density is None or dense else abs(density / stated.density - 1.0)
    if off is not None and off > _DENSITY_TOLERANCE:
        return (
            f"its sites and cell give a density of {density:.3f} g/cm³, the file says "
            f"{stated.density:g} g/cm³"
        )
    return None


def volume_contradiction(cell: NDArray[np.float64], stated: Stated) -> str | None:
    """Return how the volume of a cell (Å³) contradicts the one stated, or None."""
    if stated.volume is None:
        return None
    volume = abs(float(np.linalg.det(cell)))
    if abs(volume / stated.volume - 1.0) < _VOLUME_TOLERANCE:
        return None
    return (
        f"its lengths and angles give a cell of {volume:.2f} Å³, its _cell_volume says "
        f"{stated.volume:g} Å³"
    )


def _units_fit(found: float, formula: dict[str, float], units: float) -> bool:
    """Return whether the units found are Z, or one where the formula is of the whole cell."""
    if abs(found / units - 1.0) < _FORMULA_TOLERANCE:
        return True
    whole = units > 1.5 and all(abs(c / units - round(c / units)) < 1e-3 for c in formula.values())
    return whole and abs(found - 1.0) < _FORMULA_TOLERANCE


def _same(read: dict[str, float], expected: dict[str, float]) -> bool:
    if set(read) != set(expected):
        return False
    return all(
        abs(count - expected[symbol]) <= _FORMULA_TOLERANCE * max(count, 1.0)
        for symbol, count in read.items()
    )


def _counts(crystal: Crystal) -> dict[str, float]:
    unique, counts = np.unique(crystal.numbers, return_counts=True)
    return {element(int(z)).symbol: float(n) for z, n in zip(unique, counts, strict=True)}


def _density(crystal: Crystal) -> float:
    from ase.data import atomic_masses

    return float(atomic_masses[crystal.numbers].sum()) * _G_PER_CM3 / crystal.volume


def _formula(counts: dict[str, float]) -> str:
    return " ".join(f"{symbol}{count:g}" for symbol, count in sorted(counts.items()))


def _symbol(word: str) -> str:
    for spelling in (word, word.capitalize()):
        if spelling in ("D", "T"):
            return "H"
        if is_element(spelling):
            return spelling
    return ""


def _positive(block: CifBlock, tag: str) -> float | None:
    from nucleate.errors import InputError

    try:
        value = block.number(tag)
    except InputError:
        return None
    return value if value is not None and value > 0.0 else None
