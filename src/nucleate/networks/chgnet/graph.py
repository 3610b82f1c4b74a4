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
    n_atoms = positions.shape[0]
    room = 40 * n_atoms + 64
    ends, shift = np.empty((room, 2), np.int32), np.empty((room, 3), np.int32)
    images = np.empty((room, 4))
    found = 0
    for b in range(cells.shape[0]):
        found, ends, shift, images = _bonds_of_crystal(
            cells[b],
            positions,
            atom_start[b],
            atom_start[b + 1],
            cutoff,
            found,
            ends,
            shift,
            images,
        )
    return _sorted_graph(ends[:found], shift[:found], images[:found], short_cutoff, n_atoms)


@njit(cache=True, nogil=True)
def _bonds_of_crystal(cell, positions, first, last, cutoff, found, ends, shifts, images):
    """Append the bonds of one crystal, with their vectors and squared lengths."""
    reduced, change = reduce_lattice(cell)
    fractions = positions[first:last] @ np.linalg.inv(reduced)
    reach = reach_of(reduced, cutoff)
    table = image_table(reach)
    for i in range(last - first):
        for j in range(i, last - first):
            gap0 = fractions[j, 0] - fractions[i, 0]
            gap1 = fractions[j, 1] - fractions[i, 1]
            gap2 = fractions[j, 2] - fractions[i, 2]
            which = HALF if i == j else ALL
            n = images_within(reduced, reach, gap0, gap1, gap2, cutoff, which, table)
            if found + n > ends.shape[0]:
                ends, shifts, images = _roomier(ends, shifts, images, 2 * (found + n))
            for m in range(n):
                if table[m, 6] >= cutoff * cutoff:
                    continue
                ends[found, 0], ends[found, 1] = first + i, first + j
                for k in range(3):
                    shifts[found, k] = np.int32(round_shift(table[m], change, k))
                    images[found, k] = table[m, 3 + k]
                images[found, 3] = table[m, 6]
                found += 1
    return found, ends, shifts, images


@njit(cache=True, nogil=True)
def _roomier(ends, shifts, images, room):
    more_ends, more_shifts = np.empty((room, 2), np.int32), np.empty((room, 3), np.int32)
    more_images = np.empty((room, 4))
    more_ends[: len(ends)], more_shifts[: len(ends)] = ends, shifts
    more_images[: len(ends)] = images
    return more_ends, more_shifts, more_images


@njit(cache=True, nogil=True)
def _sorted_graph(all_ends, all_shifts, images, short_cutoff, n_atoms):
    """Return the graph of some bonds: the short ones first, otherwise in their order."""
    total, limit = len(all_ends), short_cutoff * short_cutoff
    n_short = 0
    for m in range(total):
        n_short += images[m, 3] < limit
    ends, shift = np.empty((total, 2), np.int32), np.empty((total, 3), np.int32)
    vectors = np.empty((total, 3))
    next_short, next_long = 0, n_short
    for m in range(total):
        if images[m, 3] < limit:
            at = next_short
            next_short += 1
        else:
            at = next_long
            next_long += 1
        ends[at, 0], ends[at, 1] = all_ends[m, 0], all_ends[m, 1]
        for k in range(3):
            shift[at, k], vectors[at, k] = all_shifts[m, k], images[m, k]
    angles, sign = _angles(ends, n_short, n_atoms)
    return Graph(ends, shift, vectors, n_short, angles, sign)


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
