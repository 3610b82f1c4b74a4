"""The graph of a batch of crystals: bonds within 6 Å and angles between bonds within 3 Å.

Bonds are undirected; the short ones of the whole batch come first, so that everything about
angles lives in the leading rows. A bond at or beyond its cut-off contributes exactly zero (its
envelope vanishes there), which is why a list made with a skin gives the same energies.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from nucleate.crystal.images import ALL, HALF, image_table, images_within, reach_of
from nucleate.crystal.lattice import reduce_lattice
from nucleate.crystal.periodic import round_shift


class Graph(NamedTuple):
    """Index arrays of a batch; plain arrays so that compiled code takes it whole.

    Attributes
    ----------
    bond_ends : ndarray of int32, shape (n_bonds, 2)
        Atoms at both ends.
    bond_shift : ndarray of int32, shape (n_bonds, 3)
        The bond vector is ``position[to] + shift @ cell - position[from]``.
    vectors : ndarray of float64, shape (n_bonds, 3)
        Bond vectors in Å.
    n_short : int
        Number of bonds short enough for angles.
    angles : ndarray of int32, shape (n_angles, 3)
        Atom in the middle, first and second bond; every pair of bonds in both orders, which lie
        side by side.
    angle_sign : ndarray of float32, shape (n_angles,)
        -1 where exactly one of the two bonds points towards the middle.
    """

    bond_ends: np.ndarray
    bond_shift: np.ndarray
    vectors: np.ndarray
    n_short: int
    angles: np.ndarray
    angle_sign: np.ndarray


@njit(cache=True, nogil=True)
def build_graph(cells, positions, atom_start, cutoff, short_cutoff):
    """Return the :class:`Graph` of a batch.

    Parameters
    ----------
    cells : ndarray of float64, shape (n_crystals, 3, 3)
        Lattice vectors as rows, Å.
    positions : ndarray of float64, shape (n_atoms, 3)
        Cartesian positions of all atoms, Å.
    atom_start : ndarray of int64, shape (n_crystals + 1,)
        First atom of every crystal.
    cutoff, short_cutoff : float
        Å, for bonds and for bonds that form angles.
    """
    n_crystals = cells.shape[0]
    n_atoms = positions.shape[0]
    empty_ends, empty_shift = np.empty((0, 2), np.int32), np.empty((0, 3), np.int32)
    short = total = 0
    for b in range(n_crystals):
        found, found_short = _bonds_of_crystal(
            cells[b],
            positions,
            atom_start[b],
            atom_start[b + 1],
            cutoff,
            short_cutoff,
            0,
            0,
            empty_ends,
            empty_shift,
            np.empty((0, 3)),
        )
        total += found
        short += found_short
    ends, shift = np.empty((total, 2), np.int32), np.empty((total, 3), np.int32)
    vectors = np.empty((total, 3))
    next_short, next_long = 0, short
    for b in range(n_crystals):
        found, found_short = _bonds_of_crystal(
            cells[b],
            positions,
            atom_start[b],
            atom_start[b + 1],
            cutoff,
            short_cutoff,
            next_short,
            next_long,
            ends,
            shift,
            vectors,
        )
        next_short += found_short
        next_long += found - found_short
    angles, sign = _angles(ends, short, n_atoms)
    return Graph(ends, shift, vectors, short, angles, sign)


@njit(cache=True, nogil=True)
def _bonds_of_crystal(
    cell, positions, first, last, cutoff, short_cutoff, next_short, next_long, ends, shifts, vectors
):
    """Fill in the bonds of one crystal (count only where ``ends`` is empty)."""
    reduced, change = reduce_lattice(cell)
    fractions = positions[first:last] @ np.linalg.inv(reduced)
    reach = reach_of(reduced, cutoff)
    table = image_table(reach)
    fill = ends.shape[0] > 0
    found = found_short = 0
    for i in range(last - first):
        for j in range(i, last - first):
            gap0 = fractions[j, 0] - fractions[i, 0]
            gap1 = fractions[j, 1] - fractions[i, 1]
            gap2 = fractions[j, 2] - fractions[i, 2]
            which = HALF if i == j else ALL
            n = images_within(reduced, reach, gap0, gap1, gap2, cutoff, which, table)
            for m in range(n):
                square = table[m, 6]
                if square >= cutoff * cutoff:
                    continue
                is_short = square < short_cutoff * short_cutoff
                if fill:
                    at = next_short + found_short if is_short else next_long + found - found_short
                    ends[at, 0], ends[at, 1] = first + i, first + j
                    for k in range(3):
                        vectors[at, k] = table[m, 3 + k]
                        shifts[at, k] = np.int32(round_shift(table[m], change, k))
                found += 1
                if is_short:
                    found_short += 1
    return found, found_short


@njit(cache=True, nogil=True)
def _angles(ends, n_short, n_atoms):
    """Return every ordered pair of short bond ends at every atom; both orders side by side."""
    start = np.zeros(n_atoms + 1, np.int64)
    for u in range(n_short):
        start[ends[u, 0] + 1] += 1
        start[ends[u, 1] + 1] += 1
    total = 0
    for i in range(n_atoms):
        total += start[i + 1] * (start[i + 1] - 1)
        start[i + 1] += start[i]
    cursor = start[:-1].copy()
    bond = np.empty(2 * n_short, np.int32)
    sign = np.empty(2 * n_short, np.float32)
    for u in range(n_short):
        for side in range(2):
            at = cursor[ends[u, side]]
            cursor[ends[u, side]] += 1
            bond[at], sign[at] = u, 1.0 - 2.0 * side
    angles, angle_sign = np.empty((total, 3), np.int32), np.empty(total, np.float32)
    at = 0
    for i in range(n_atoms):
        for a in range(start[i], start[i + 1]):
            for b in range(a + 1, start[i + 1]):
                angles[at, 0], angles[at, 1], angles[at, 2] = i, bond[a], bond[b]
                angles[at + 1, 0], angles[at + 1, 1], angles[at + 1, 2] = i, bond[b], bond[a]
                angle_sign[at] = angle_sign[at + 1] = sign[a] * sign[b]
                at += 2
    return angles, angle_sign
