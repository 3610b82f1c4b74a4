"""Energy models that cost nothing: pairs of Lennard-Jones, and ways to go wrong."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from nucleate.crystal.crystal import Crystal
from nucleate.crystal.distances import neighbour_pairs
from nucleate.energy.level import LevelOfTheory
from nucleate.energy.model import Batch, Evaluation

CUTOFF = 6.0


def pair_energy(crystal: Crystal, sigma: float = 2.2) -> tuple[float, np.ndarray, np.ndarray]:
    """Return energy, forces and virial of smoothly cut Lennard-Jones atoms."""
    i, j, shifts, d = neighbour_pairs(crystal, CUTOFF)
    vectors = crystal.positions[j] + shifts @ crystal.cell - crystal.positions[i]
    x6 = (sigma / d) ** 6
    value, slope = 4 * (x6**2 - x6), 4 * (-12 * x6**2 + 6 * x6) / d
    fade = 1 - (d / CUTOFF) ** 2
    fade_slope = -2 * d / CUTOFF**2
    energy = 0.5 * float((value * fade**3).sum())
    derivative = slope * fade**3 + 3 * value * fade**2 * fade_slope
    pull = derivative[:, None] * vectors / d[:, None]
    forces = np.zeros((crystal.n_atoms, 3))
    np.add.at(forces, i, pull)
    return energy, forces, 0.5 * np.einsum("pi,pj->ij", vectors, pull)


class PairModel:
    """Lennard-Jones as a batched model that can be told to misbehave.

    Parameters
    ----------
    spoil
        Called with crystal, energy and forces; returns what the model says instead.
    memory_atoms
        Larger batches raise MemoryError.
    """

    def __init__(
        self,
        spoil: Callable[[Crystal, float, np.ndarray], tuple[float, np.ndarray]] | None = None,
        memory_atoms: int = 10**9,
        batch_atoms: int = 100,
    ) -> None:
        self.level = LevelOfTheory("test", "1", "pairs")
        self.elements = frozenset({18, 36})
        self.cutoff = CUTOFF
        self.composition_energies: np.ndarray | None = None
        self.batch_atoms = batch_atoms
        self.memory_atoms = memory_atoms
        self.spoil = spoil
        self.batches: list[int] = []

    def evaluate(self, batch: Batch) -> Evaluation:
        if batch.numbers.size > self.memory_atoms:
            raise MemoryError
        self.batches.append(batch.numbers.size)
        energies, forces, stresses = [], [], []
        for k in range(batch.n_crystals):
            atoms = slice(batch.start[k], batch.start[k + 1])
            crystal = Crystal.from_positions(
                batch.numbers[atoms], batch.cells[k], batch.positions[atoms]
            )
            energy, force, virial = pair_energy(crystal)
            if self.spoil is not None:
                energy, force = self.spoil(crystal, energy, force)
            energies.append(energy)
            forces.append(force)
            stresses.append(virial / crystal.volume)
        return Evaluation(np.array(energies), np.concatenate(forces), np.array(stresses))


def argon(n_atoms: int = 4, seed: int = 0, *, volume: float = 11.0) -> Crystal:
    """Return a disordered cell of argon atoms that keep 1.5 Å apart."""
    rng = np.random.default_rng(seed)
    side = (n_atoms * volume) ** (1 / 3)
    cell = side * (np.eye(3) + 0.1 * rng.normal(size=(3, 3)))
    placed = Crystal(np.array([18]), cell, rng.random((1, 3)))
    for _ in range(2000):
        if placed.n_atoms == n_atoms:
            return placed
        scaled = np.concatenate([placed.scaled, rng.random((1, 3))])
        trial = Crystal(np.full(len(scaled), 18), cell, scaled)
        if neighbour_pairs(trial, 1.5)[0].size == 0:
            placed = trial
    raise AssertionError
