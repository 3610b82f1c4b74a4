"""The graph of a batch in rows sorted by where their messages go, for the GPU.

Every bond is seen from both of its ends, every angle from both of its bonds, and the sum over a
group of neighbouring rows replaces scattered additions, so that results repeat bit for bit.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit


class Rows(NamedTuple):
    """Index arrays of int32.

    A *row* of the first group is a bond seen from one end, sorted by that atom. A *half* is the
    same for a bond short enough for angles. A row of the second group is an ordered pair of
    different halves of one atom, sorted by the first.

    Attributes
    ----------
    bond, back : ndarray, shape (2 n_bonds,)
        Bond, and the row of the other end.
    start : ndarray, shape (n_atoms + 1,)
        First row of each atom.
    of_bond : ndarray, shape (n_bonds, 2)
        Rows of both ends of each bond.
    half_atom, half_bond : ndarray, shape (2 n_short,)
    half_start : ndarray, shape (n_atoms + 1,)
    half_of_bond : ndarray, shape (n_short, 2)
    first, second, swapped : ndarray, shape (n_angles,)
        Both halves of each angle, and the row of the same angle in the other order.
    angle_start : ndarray, shape (2 n_short + 1,)
        First angle of each half.
    bent : ndarray, shape (n_bonds,)
        1 for bonds of crystals that have angles, else 0.
    ends : ndarray, shape (n_bonds, 2)
        Atoms at both ends, the short bonds first.
    """

    bond: np.ndarray
    back: np.ndarray
    start: np.ndarray
    of_bond: np.ndarray
    half_atom: np.ndarray
    half_bond: np.ndarray
    half_start: np.ndarray
    half_of_bond: np.ndarray
    first: np.ndarray
    second: np.ndarray
    swapped: np.ndarray
    angle_start: np.ndarray
    bent: np.ndarray
    ends: np.ndarray


@njit(cache=True, nogil=True)
def build_rows(ends, n_short, owner, n_crystals):
    """Return the :class:`Rows` of a batch.

    Parameters
    ----------
    ends : ndarray of int32, shape (n_bonds, 2)
        Atoms at both ends of each bond, the short ones first.
    n_short : int
        Bonds short enough for angles.
    owner : ndarray of int64, shape (n_atoms,)
        Crystal of each atom.
    n_crystals : int
    """
    n_atoms = owner.size
    start, _, bond, of_bond = _by_atom(ends, n_atoms)
    back = np.empty_like(bond)
    for row in range(bond.size):
        side = 0 if of_bond[bond[row], 0] == row else 1
        back[row] = of_bond[bond[row], 1 - side]
    half_start, half_atom, half_bond, half_of_bond = _by_atom(ends[:n_short], n_atoms)
    angle_start = np.zeros(half_bond.size + 1, np.int32)
    for half in range(half_bond.size):
        atom = half_atom[half]
        others = half_start[atom + 1] - half_start[atom] - 1
        angle_start[half + 1] = angle_start[half] + others
    first = np.empty(angle_start[-1], np.int32)
    second, swapped = np.empty_like(first), np.empty_like(first)
    crystal_bent = np.zeros(n_crystals, np.int32)
    for half in range(half_bond.size):
        low, high = half_start[half_atom[half]], half_start[half_atom[half] + 1]
        at = angle_start[half]
        for other in range(low, high):
            if other == half:
                continue
            first[at], second[at] = half, other
            swapped[at] = angle_start[other] + half - low - (half > other)
            at += 1
        if high - low > 1:
            crystal_bent[owner[half_atom[half]]] = 1
    bent = np.empty(len(ends), np.int32)
    for b in range(len(ends)):
        bent[b] = crystal_bent[owner[ends[b, 0]]]
    return Rows(
        bond,
        back,
        start,
        of_bond,
        half_atom,
        half_bond,
        half_start,
        half_of_bond,
        first,
        second,
        swapped,
        angle_start,
        bent,
        ends,
    )


@njit(cache=True, nogil=True)
def _by_atom(ends, n_atoms):
    """Return both ends of some bonds, sorted by atom."""
    n_bonds = len(ends)
    start = np.zeros(n_atoms + 1, np.int32)
    for b in range(n_bonds):
        start[ends[b, 0] + 1] += 1
        start[ends[b, 1] + 1] += 1
    for i in range(n_atoms):
        start[i + 1] += start[i]
    cursor = start[:-1].copy()
    atom, bond = np.empty(2 * n_bonds, np.int32), np.empty(2 * n_bonds, np.int32)
    of_bond = np.empty((n_bonds, 2), np.int32)
    for b in range(n_bonds):
        for side in range(2):
            row = cursor[ends[b, side]]
            cursor[ends[b, side]] += 1
            atom[row], bond[row], of_bond[b, side] = ends[b, side], b, row
    return start, atom, bond, of_bond
