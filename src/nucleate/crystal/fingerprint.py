"""A fingerprint of a crystal, to recognise duplicates.

The fingerprint holds the partial radial distribution functions of all element pairs (after
Oganov and Valle, J. Chem. Phys. 130, 104504, 2009), with lengths in units of the cube root of the
volume per atom, and that volume by itself. A small strain, which changes every distance, therefore
costs only what the volume term says, and the shape can be compared sharply.

It does not depend on the choice of cell, supercell, origin, orientation or order of atoms, and it
changes smoothly with the positions. Mirror images have the same fingerprint.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from nucleate.crystal.distances import is_solid_cell

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nucleate.crystal.crystal import Crystal

DUPLICATE_DISTANCE = 0.04
"""Crystals nearer than this are the same; calibrated in ``benchmarks/fingerprint.py``."""

_CUTOFF = 4.0  # in units of (volume per atom)^(1/3), as are the next two
_WIDTH = 0.1
_FINE_BINS = 100
_BINS = 50
VOLUME_WEIGHT = 0.7  # distance per unit of ln(volume); 1 % of strain costs 0.02


def fingerprint(crystal: Crystal) -> NDArray[np.float32]:
    """Return the fingerprint of a crystal.

    Parameters
    ----------
    crystal
        Any cell.

    Returns
    -------
    ndarray of float32, shape (2 + 2 k + 25 k (k + 1),)
        For ``k`` elements: k, their atomic numbers, their fractions, the logarithm of the volume
        per atom, and 50 values for each pair of elements.

    Raises
    ------
    ValueError
        If the cell has no volume or there are no atoms.
    """
    from nucleate.crystal.periodic import pair_histogram

    if crystal.n_atoms == 0 or not is_solid_cell(crystal.cell):
        raise ValueError("a fingerprint needs atoms in a cell with a volume")
    volume = crystal.volume_per_atom
    kinds = np.array(sorted(set(crystal.numbers.tolist())), dtype=np.int64)
    kind_of = np.searchsorted(kinds, crystal.numbers)
    fractions = np.bincount(kind_of) / crystal.n_atoms
    histogram = pair_histogram(
        crystal.cell / volume ** (1.0 / 3.0),
        crystal.scaled.copy(),
        kind_of.astype(np.int64, copy=False),
        kinds.size,
        _CUTOFF,
        _FINE_BINS,
    )
    first, second, places = _pairs(kinds.size)
    weight = np.sqrt(places / (fractions[first] * fractions[second]))
    shape = (histogram[first, second] * (weight / crystal.n_atoms)[:, None]) @ _smoothing()
    header = [float(kinds.size), *kinds, *fractions, np.log(volume)]
    return np.concatenate([header, shape.ravel()]).astype(np.float32)


def fingerprint_distance(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    """Return how different two crystals are: 0 for the same, about 0.3 for unrelated polymorphs.

    Crystals of different composition are infinitely different. The distance is
    ``hypot(|f - f'| / |f|, 0.7 ln(v / v'))`` of the shapes f and the volumes v per atom.
    """
    return float(fingerprint_distances(first, second[None, :])[0])


def fingerprint_distances(
    one: NDArray[np.float32], many: NDArray[np.float32]
) -> NDArray[np.float64]:
    """Return the distances of one fingerprint to the rows of a stack, shape (n,)."""
    if many.shape[0] == 0:
        return np.zeros(0)
    kinds = int(one[0])
    head = 2 * kinds + 1
    if many.shape[1] != one.size:
        return np.full(many.shape[0], np.inf)
    same = np.all(np.abs(many[:, :head] - one[:head]) < 1e-4, axis=1)
    volume = many[:, head].astype(np.float64) - float(one[head])
    shapes, shape = many[:, head + 1 :], one[head + 1 :]
    gap = shapes - shape
    square = np.einsum("ij,ij->i", gap, gap, dtype=np.float64)
    norm = 0.5 * (np.einsum("ij,ij->i", shapes, shapes, dtype=np.float64) + float(shape @ shape))
    distance = np.sqrt(square / norm + (VOLUME_WEIGHT * volume) ** 2)
    return np.where(same, distance, np.inf)


def is_duplicate(first: NDArray[np.float32], second: NDArray[np.float32]) -> bool:
    """Return whether two fingerprints are those of the same crystal."""
    return fingerprint_distance(first, second) < DUPLICATE_DISTANCE


@cache
def _pairs(
    n_kinds: int,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Return both elements of each pair, and in how many places of the histogram it stands."""
    first, second = np.triu_indices(n_kinds)
    return first, second, np.where(first == second, 1.0, 2.0)


@cache
def _smoothing() -> NDArray[np.float64]:
    """Return the matrix that takes the fine histogram to Gaussians on the coarse grid."""
    fine = (np.arange(_FINE_BINS) + 0.5) * (_CUTOFF / _FINE_BINS)
    coarse = (np.arange(_BINS) + 0.5) * (_CUTOFF / _BINS)
    gap = (fine[:, None] - coarse[None, :]) / _WIDTH
    return np.exp(-0.5 * gap**2) / (_WIDTH * np.sqrt(2.0 * np.pi))
