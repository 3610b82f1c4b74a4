"""Atoms that stay where they are, as ASE constraints and as flags of files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from nucleate.errors import InputError

if TYPE_CHECKING:
    from ase import Atoms
    from numpy.typing import NDArray


FREE_IN_A_SEARCH = "atoms that a file fixes (selective dynamics, move_mask) are free in a search"


def along_lattice(
    fixed: NDArray[np.bool_] | None, cell: NDArray[np.float64]
) -> NDArray[np.bool_] | None:
    """Return the fractional coordinates to hold where atoms are fixed along x, y or z.

    Where x, y and z are not the lattice directions, an atom that is fixed along any of them is
    held along all: what was fixed then stays, at the price of holding more.

    Parameters
    ----------
    fixed
        True for each Cartesian axis along which an atom stays, shape (n_atoms, 3), or None.
    cell
        Rows are the lattice vectors in Å.

    Returns
    -------
    ndarray of bool, shape (n_atoms, 3), or None
        None where nothing is fixed.
    """
    if fixed is None or not fixed.any():
        return None
    return fixed if _is_aligned(cell) else _all_or_none(fixed)


def move_mask(
    fixed: NDArray[np.bool_] | None, cell: NDArray[np.float64]
) -> NDArray[np.bool_] | None:
    """Return ``move_mask`` of extxyz: True along each Cartesian axis on which an atom moves.

    An atom that is held along one or two lattice vectors that are not x, y and z cannot be
    written in this way, and is written as fixed. Shapes as in :func:`along_lattice`.
    """
    held = along_lattice(fixed, cell)
    return None if held is None else ~held


def constraints_of(fixed: NDArray[np.bool_] | None) -> list[Any]:
    """Return fixed fractional coordinates, shape (n_atoms, 3), as constraints of ASE.

    ``FixAtoms`` holds the atoms that do not move at all, a ``FixScaled`` for each set of axes
    the others.
    """
    from ase.constraints import FixAtoms, FixScaled

    found: list[Any] = []
    if fixed is None:
        return found
    whole = np.flatnonzero(fixed.all(axis=1))
    if whole.size:
        found.append(FixAtoms(indices=whole))
    for axes in np.unique(fixed, axis=0):
        if axes.any() and not axes.all():
            atoms = np.flatnonzero((fixed == axes).all(axis=1))
            found.append(FixScaled(atoms.tolist(), mask=axes.tolist()))
    return found


def fixed_by(atoms: Atoms, argument: str = "structure") -> NDArray[np.bool_] | None:
    """Return the fractional coordinates that the constraints of ASE atoms hold.

    Parameters
    ----------
    atoms
        Their constraints ``FixAtoms``, ``FixCartesian`` and ``FixScaled`` are kept.
    argument
        Name of the argument, for messages.

    Returns
    -------
    ndarray of bool, shape (n_atoms, 3), or None
        None where nothing is fixed.

    Raises
    ------
    InputError
        If there is a constraint of another kind.
    """
    from ase.constraints import FixAtoms, FixCartesian, FixScaled

    lattice = np.zeros((len(atoms), 3), dtype=bool)
    cartesian = np.zeros((len(atoms), 3), dtype=bool)
    for constraint in atoms.constraints:
        if isinstance(constraint, FixAtoms):
            lattice[constraint.index] = True
        elif isinstance(constraint, FixCartesian):
            cartesian[constraint.index] |= np.asarray(constraint.mask, dtype=bool)
        elif isinstance(constraint, FixScaled):
            lattice[constraint.index] |= np.asarray(constraint.mask, dtype=bool)
        else:
            raise InputError(
                f"{argument} has the constraint {type(constraint).__name__}, which nucleate cannot "
                "hold. Use FixAtoms, FixCartesian or FixScaled, or delete it."
            )
    held = along_lattice(cartesian, atoms.cell.array)
    if held is not None:
        lattice |= held
    return lattice if lattice.any() else None


def _is_aligned(cell: NDArray[np.float64]) -> bool:
    return np.allclose(cell, np.diag(np.diag(cell)), atol=1e-8)


def _all_or_none(fixed: NDArray[np.bool_]) -> NDArray[np.bool_]:
    return np.repeat(np.any(fixed, axis=1, keepdims=True), 3, axis=1)
