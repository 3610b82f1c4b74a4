"""Writing a crystal as CIF text without loss."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from nucleate.crystal.composition import Composition
from nucleate.crystal.crystal import Crystal
from nucleate.crystal.elements import element
from nucleate.crystal.symmetry import symmetry_dataset

if TYPE_CHECKING:
    from numpy.typing import NDArray


def format_cif(crystal: Crystal, *, symprec: float | None = None, title: str = "") -> str:
    """Return a crystal as CIF text.

    Parameters
    ----------
    crystal
        Any cell; a left-handed one is written as its right-handed equivalent.
    symprec
        Tolerance in Å. None writes the crystal as it is (P1), with coordinates in [0, 1). With a
        tolerance the symmetrised conventional cell with its operations and the sites of the
        asymmetric unit are written, or, where no symmetry is found, the crystal as it is.
    title
        Goes into the name of the data block and a comment.
    """
    notes = [title] if title else []
    symmetric = None if symprec is None else _symmetric_sites(crystal, symprec)
    if symmetric is None:
        number, symbol, operations = 1, "P 1", ["x, y, z"]
        shown = crystal if np.linalg.det(crystal.cell) > 0.0 else _right_handed(crystal)
        shown = shown.replace(scaled=within_cell(shown.scaled, 15))
        multiplicities = np.ones(shown.n_atoms, dtype=np.int64)
        n_atoms = shown.n_atoms
    else:
        number, symbol, operations, shown, multiplicities = symmetric
        n_atoms = int(multiplicities.sum())
        notes.append(f"Symmetrised with a tolerance of {symprec:g} Å")
    composition = Composition.from_numbers(crystal.numbers)
    lines = [f"# {' '.join(note.split())}" for note in notes]
    lines += [
        f"data_{re.sub(r'[^A-Za-z0-9_.+-]+', '_', title).strip('_') or composition.formula}",
        f"_chemical_formula_sum '{' '.join(f'{s}{n}' for s, n in composition.items)}'",
        f"_cell_formula_units_Z {n_atoms // composition.n_atoms}",
    ]
    for tag, value in zip("abc", shown.lengths, strict=True):
        lines.append(f"_cell_length_{tag} {value:.14g}")
    for tag, value in zip(("alpha", "beta", "gamma"), shown.angles, strict=True):
        lines.append(f"_cell_angle_{tag} {value:.15g}")
    lines += [
        f"_cell_volume {shown.volume:.10g}",
        f"_space_group_IT_number {number}",
        f"_space_group_name_H-M_alt '{symbol}'",
        "loop_",
        "_space_group_symop_operation_xyz",
        *(f"  '{operation}'" for operation in operations),
        *_site_lines(shown, multiplicities),
    ]
    return "\n".join(lines) + "\n"


def _site_lines(sites: Crystal, multiplicities: NDArray[np.int64]) -> list[str]:
    lines = ["loop_"]
    lines += [
        f"_atom_site_{tag}"
        for tag in (
            "label", "type_symbol", "symmetry_multiplicity",
            "fract_x", "fract_y", "fract_z", "occupancy",
        )
    ]  # fmt: skip
    seen: dict[str, int] = {}
    for number, point, multiplicity in zip(
        sites.numbers, sites.scaled, multiplicities, strict=True
    ):
        symbol = element(int(number)).symbol
        seen[symbol] = seen.get(symbol, 0) + 1
        x, y, z = (f"{value + 0.0:.15f}" for value in point)
        lines.append(f"  {symbol}{seen[symbol]} {symbol} {multiplicity} {x} {y} {z} 1")
    return lines


def within_cell(scaled: NDArray[np.float64], digits: int) -> NDArray[np.float64]:
    """Return fractional coordinates that lie in [0, 1) as they are written with these digits."""
    return np.round(scaled - np.floor(scaled), digits) % 1.0


def _right_handed(crystal: Crystal) -> Crystal:
    return crystal.replace(cell=-crystal.cell, scaled=-crystal.scaled)


def _symmetric_sites(
    crystal: Crystal, symprec: float
) -> tuple[int, str, list[str], Crystal, NDArray[np.int64]] | None:
    """Return space group, operations, asymmetric unit and multiplicities, or None if P1."""
    from moyopy import HallSymbolEntry, Setting, operations_from_number

    dataset = symmetry_dataset(crystal, symprec)
    if dataset is None or dataset.number == 1:
        return None
    group = operations_from_number(dataset.number, setting=Setting.standard())
    rotations = np.array(group.rotations, dtype=np.float64)
    translations = np.array(group.translations)
    standard = dataset.std_cell
    whole = Crystal(
        np.array(standard.numbers), np.array(standard.basis), np.array(standard.positions)
    )
    covered = np.zeros(whole.n_atoms, dtype=bool)
    chosen, multiplicities = [], []
    for index in range(whole.n_atoms):
        if covered[index]:
            continue
        images = rotations @ whole.scaled[index] + translations
        orbit = np.zeros(whole.n_atoms, dtype=bool)
        for image in images:
            gap = whole.scaled - image
            near = np.linalg.norm((gap - np.rint(gap)) @ whole.cell, axis=1) < 1e-3
            if near.sum() != 1:
                return None
            orbit |= near
        if (covered & orbit).any() or len(set(whole.numbers[orbit].tolist())) != 1:
            return None
        covered |= orbit
        chosen.append(index)
        multiplicities.append(int(orbit.sum()))
    sites = whole.replace(numbers=whole.numbers[chosen], scaled=whole.scaled[chosen]).wrapped()
    symbol = HallSymbolEntry(dataset.hall_number).hm_short.replace("_", "")
    operations = [
        _format_operation(rotation, translation)
        for rotation, translation in zip(rotations, translations, strict=True)
    ]
    return dataset.number, symbol, operations, sites, np.array(multiplicities)


def _format_operation(rotation: NDArray[np.float64], translation: NDArray[np.float64]) -> str:
    parts = []
    for row, shift in zip(np.rint(rotation).astype(int), translation, strict=True):
        part = ""
        for factor, axis in zip(row, "xyz", strict=True):
            if factor:
                part += ("-" if factor < 0 else "+" if part else "") + axis
        fraction = Fraction(float(shift) % 1.0).limit_denominator(24) % 1
        parts.append(part + (f"+{fraction}" if fraction else ""))
    return ", ".join(parts)
