"""Wrong crystals of the same density: exchanged elements, and random atoms."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nucleate.crystal.crystal import Crystal

if TYPE_CHECKING:
    from numpy.typing import NDArray


def swapped_decoy(crystal: Crystal, *, rng: np.random.Generator) -> Crystal | None:
    """Return the crystal with the sites of two elements redistributed, or None for one element."""
    unique = np.unique(crystal.numbers)
    if unique.size < 2:
        return None
    numbers = np.array(crystal.numbers)
    pair = rng.choice(unique, size=2, replace=False)
    sites = np.flatnonzero(np.isin(numbers, pair))
    for _ in range(20):
        dealt = rng.permutation(numbers[sites])
        if np.mean(dealt != numbers[sites]) >= min(0.5, 2 * _smaller_share(numbers[sites])) * 0.6:
            break
    numbers[sites] = dealt
    return Crystal(numbers, crystal.cell, crystal.scaled)


def random_decoy(
    crystal: Crystal, *, rng: np.random.Generator, contact: float = 1.6
) -> Crystal | None:
    """Return random positions in a random cell of the same volume.

    Contacts shorter than ``contact`` (Å) are avoided as far as 30 draws for each atom allow.
    """
    shape = np.eye(3) + 0.25 * rng.normal(size=(3, 3))
    volume = abs(np.linalg.det(shape))
    if volume < 0.2:
        shape, volume = np.eye(3), 1.0
    cell = shape * (crystal.volume / volume) ** (1 / 3)
    span = np.stack(np.meshgrid(*[[-1, 0, 1]] * 3, indexing="ij"), -1).reshape(-1, 3)
    placed: list[NDArray[np.float64]] = []
    for _ in range(crystal.n_atoms):
        best, best_distance = rng.random(3), -1.0
        for _ in range(30):
            trial = rng.random(3)
            distance = 99.0
            if placed:
                images = (np.array(placed) - trial)[:, None, :] + span
                distance = float(np.linalg.norm(images @ cell, axis=-1).min())
            if distance > best_distance:
                best, best_distance = trial, distance
            if distance > contact:
                break
        placed.append(best)
    return Crystal(crystal.numbers, cell, np.array(placed))


def _smaller_share(numbers: NDArray[np.int64]) -> float:
    _, counts = np.unique(numbers, return_counts=True)
    return float(counts.min() / counts.sum())
