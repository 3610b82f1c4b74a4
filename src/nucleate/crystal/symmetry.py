"""Space groups and standard cells (moyopy), with a ladder of tolerances."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from nucleate.crystal.cells import reduced_cell
from nucleate.crystal.crystal import Crystal
from nucleate.crystal.distances import is_solid_cell
from nucleate.errors import InputError

if TYPE_CHECKING:
    from moyopy import Cell, MoyoDataset, Setting

SYMPREC_LADDER = (0.1, 0.03, 0.01)
"""Tolerances in Å, loosest first."""

CELLS = ("primitive", "conventional", "given")
"""Cells in which structures can be written."""

_LARGEST_VOLUME_CHANGE = 0.15
_LEAST_RATIO = 12.0  # of the shortest translation and the tolerance


@dataclass(frozen=True, slots=True)
class SymmetryRung:
    """The symmetry of a crystal at one tolerance.

    Attributes
    ----------
    symprec : float
        Tolerance in Å.
    number : int
        Space-group number.
    symbol : str
        Short Hermann-Mauguin symbol.
    primitive_atoms : int
        Atoms in the primitive cell.
    """

    symprec: float
    number: int
    symbol: str
    primitive_atoms: int


def space_group(crystal: Crystal, symprec: float = 0.03) -> tuple[int, str]:
    """Return number and short symbol of the space group; (1, "P1") where none is found.

    Parameters
    ----------
    crystal
        Any cell.
    symprec
        Tolerance in Å.

    Examples
    --------
    >>> from ase.build import bulk
    >>> space_group(Crystal.from_ase(bulk("NaCl", "rocksalt", a=5.64)))
    (225, 'Fm-3m')
    """
    dataset = symmetry_dataset(crystal, symprec)
    return (1, "P1") if dataset is None else (dataset.number, space_group_symbol(dataset.number))


def symmetry_report(
    crystal: Crystal, ladder: tuple[float, ...] = SYMPREC_LADDER
) -> tuple[SymmetryRung, ...]:
    """Return the symmetry at each tolerance of the ladder (Å)."""
    rungs = []
    for symprec in ladder:
        dataset = symmetry_dataset(crystal, symprec)
        if dataset is None:
            rungs.append(SymmetryRung(symprec, 1, "P1", crystal.n_atoms))
        else:
            atoms = len(dataset.prim_std_cell.numbers)
            rungs.append(
                SymmetryRung(symprec, dataset.number, space_group_symbol(dataset.number), atoms)
            )
    return tuple(rungs)


def standardised(crystal: Crystal, symprec: float) -> Crystal | None:
    """Return the symmetrised, primitive, reduced cell, or None where that fails.

    The result never has more atoms than ``crystal``, keeps the composition, and has its atoms
    ordered by atomic number. Atoms move by at most about ``symprec`` (Å).
    """
    dataset = symmetry_dataset(crystal, symprec)
    if dataset is None:
        return None
    primitive = _accepted(crystal, dataset.prim_std_cell)
    if primitive is None or primitive.n_atoms > crystal.n_atoms:
        return None
    return reduced_cell(primitive)


def symmetrised_in_place(crystal: Crystal, symprec: float) -> Crystal:
    """Return a crystal with the symmetry that it has within a tolerance, in the cell that it has.

    Number and order of the atoms, the choice of the cell and its orientation stay. The crystal
    comes back as it is where it has no symmetry, or where an atom would move by more than twice
    the tolerance.

    Parameters
    ----------
    crystal
        Any cell.
    symprec
        Tolerance in Å.
    """
    dataset = symmetry_dataset(crystal, symprec)
    if dataset is None or dataset.number == 1:
        return crystal
    linear, shift = np.array(dataset.prim_std_linear), np.array(dataset.prim_std_origin_shift)
    basis = np.array(dataset.prim_std_cell.basis).T
    cell = (np.array(dataset.std_rotation_matrix).T @ basis @ np.linalg.inv(linear)).T
    sites = np.array(dataset.prim_std_cell.positions)[list(dataset.mapping_std_prim)]
    found = (crystal.scaled - shift) @ np.linalg.inv(linear).T
    scaled = (sites + np.rint(found - sites)) @ linear.T + shift
    moved = np.linalg.norm((scaled - crystal.scaled) @ crystal.cell, axis=1)
    change = np.abs(cell - crystal.cell).max()
    limit = _LARGEST_VOLUME_CHANGE * crystal.lengths.min()
    if not (moved.max() <= 2.0 * symprec and change <= limit):
        return crystal
    return crystal.replace(cell=cell, scaled=scaled)


def symmetrised(
    crystal: Crystal, ladder: tuple[float, ...] = SYMPREC_LADDER
) -> tuple[Crystal, float | None]:
    """Return the standardised crystal at the loosest tolerance that works, and the tolerance.

    Where no tolerance works, the crystal in its reduced cell and None.

    Raises
    ------
    ValueError
        If the cell has no volume.
    """
    for symprec in ladder:
        standard = standardised(crystal, symprec)
        if standard is not None:
            return standard, symprec
    return reduced_cell(crystal), None


def conventional(crystal: Crystal, symprec: float) -> Crystal | None:
    """Return the symmetrised conventional cell in the standard setting, or None on failure.

    The conventional cell can have more atoms than ``crystal``: it is for output.
    """
    dataset = symmetry_dataset(crystal, symprec)
    return None if dataset is None else _accepted(crystal, dataset.std_cell)


def in_cell(crystal: Crystal, choice: str) -> Crystal:
    """Return a crystal in another cell: ``primitive``, ``conventional`` or ``given``.

    The first two are symmetrised at 0.03 Å, or 0.01 Å where that fails. A crystal without symmetry
    stays in its own cell, reduced.

    Raises
    ------
    InputError
        If there is no such choice.
    """
    if choice not in CELLS:
        raise InputError(f"cell = {choice!r} is not known. Use one of {', '.join(CELLS)}.")
    if choice == "given":
        return crystal
    made, symprec = symmetrised(crystal, SYMPREC_LADDER[1:])
    if choice == "primitive" or symprec is None:
        return made
    return conventional(crystal, symprec) or made


def symmetry_dataset(crystal: Crystal, symprec: float) -> MoyoDataset | None:
    """Return moyopy's analysis in the standard setting, or None where it fails.

    A cell that no crystal has (flat, very long) is not analysed at all.
    """
    from moyopy import Cell, MoyoDataset

    from nucleate.crystal.formats.structures import impossible, repeats_within

    if impossible(crystal) is not None:  # flat and long cells never end
        return None
    if repeats_within(crystal.cell, _LEAST_RATIO * symprec):  # nor do these
        return None
    cell = Cell(crystal.cell.tolist(), crystal.scaled.tolist(), crystal.numbers.tolist())
    try:
        return MoyoDataset(cell, symprec=symprec, setting=_setting())
    except ValueError:
        return None
    except BaseException as error:
        if type(error).__name__ == "PanicException":  # of the Rust side; not an Exception
            return None
        raise


@cache
def _setting() -> Setting:
    """Return the standard setting; from then on moyo does not warn of supercells."""
    from moyopy import Setting

    logging.getLogger("moyo").setLevel(logging.ERROR)
    return Setting.standard()


@cache
def space_group_symbol(number: int) -> str:
    """Return the short Hermann-Mauguin symbol of a space group, for example ``P2_1/c``."""
    from moyopy import SpaceGroupType

    return SpaceGroupType(number).hm_short.replace(" ", "")


def _accepted(crystal: Crystal, cell: Cell) -> Crystal | None:
    """Return a standard cell as a crystal, or None if it is not the crystal it came from."""
    numbers = np.array(cell.numbers, dtype=np.int64)
    order = np.argsort(numbers, kind="stable")
    standard = Crystal(numbers[order], np.array(cell.basis), np.array(cell.positions)[order])
    old, new = (np.bincount(array, minlength=120) for array in (crystal.numbers, numbers))
    if not np.array_equal(old * standard.n_atoms, new * crystal.n_atoms):
        return None
    if not (np.isfinite(standard.scaled).all() and is_solid_cell(standard.cell)):
        return None
    change = standard.volume_per_atom / crystal.volume_per_atom - 1.0
    return standard.wrapped() if abs(change) < _LARGEST_VOLUME_CHANGE else None
