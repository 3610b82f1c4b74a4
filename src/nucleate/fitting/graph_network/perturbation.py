"""Bad copies of good crystals, so that a network learns what is wrong off equilibrium."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nucleate.crystal.crystal import Crystal
from nucleate.networks.graph_network.neighbours import nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

CONTACT_SHARE = 0.7
CONTACT_STRENGTH_EV = 20.0
LARGEST_PENALTY_EV_PER_ATOM = 5.0


def strained(crystal: Crystal, *, rng: np.random.Generator) -> Crystal:
    """Return a copy under a random symmetric strain of up to 15 % per element."""
    strain = rng.normal(0.0, rng.uniform(0.02, 0.08), (3, 3))
    strain = np.clip((strain + strain.T) / 2, -0.15, 0.15)
    return crystal.replace(cell=crystal.cell @ (np.eye(3) + strain))


def crowded(crystal: Crystal, *, rng: np.random.Generator) -> Crystal:
    """Return a copy compressed to between 50 and 92 % of the volume."""
    return _scaled_volume(crystal, rng.uniform(0.5, 0.92))


def stretched(crystal: Crystal, *, rng: np.random.Generator) -> Crystal:
    """Return a copy blown up to between 1.1 and 2 times the volume."""
    return _scaled_volume(crystal, rng.uniform(1.1, 2.0))


def rattled(crystal: Crystal, *, rng: np.random.Generator) -> Crystal:
    """Return a copy with Gaussian displacements of 0.05 to 0.5 Å per coordinate."""
    shift = rng.normal(0.0, rng.uniform(0.05, 0.5), (crystal.n_atoms, 3))
    return crystal.replace(scaled=crystal.scaled + shift @ np.linalg.inv(crystal.cell))


def swapped(crystal: Crystal, *, rng: np.random.Generator) -> Crystal:
    """Return a copy with its elements permuted over the sites, at 1 to 1.3 times the volume."""
    return _scaled_volume(
        crystal.replace(numbers=rng.permutation(crystal.numbers)), rng.uniform(1.0, 1.3)
    )


def scattered(crystal: Crystal, *, rng: np.random.Generator) -> Crystal:
    """Return a random crystal of the same composition at 0.85 to 1.6 times the volume.

    The cell is a random one without flat angles, the atoms lie anywhere: of twenty draws the
    one with the smallest contact penalty.
    """
    volume = crystal.volume * rng.uniform(0.85, 1.6)
    best, least = crystal, np.inf
    for _ in range(20):
        cell = np.diag(rng.uniform(0.6, 1.6, 3)) + np.tril(rng.uniform(-0.5, 0.5, (3, 3)), -1)
        cell *= (volume / abs(np.linalg.det(cell))) ** (1 / 3)
        trial = Crystal(crystal.numbers, cell, rng.random((crystal.n_atoms, 3)))
        penalty = contact_penalty(trial)
        if penalty < least:
            best, least = trial, penalty
        if penalty == 0.0:
            break
    return best


PERTURBATIONS: Mapping[str, Callable[..., Crystal]] = {
    "strained": strained,
    "crowded": crowded,
    "stretched": stretched,
    "rattled": rattled,
    "swapped": swapped,
    "scattered": scattered,
}


def contact_penalty(crystal: Crystal) -> float:
    """Return a harmonic penalty for too short contacts, eV/atom.

    A pair closer than 0.7 of the sum of its covalent radii costs
    20 eV (1 - d / limit)^2; sixteen neighbours per atom are considered.
    """
    from ase.data import covalent_radii

    scaled = crystal.scaled - np.floor(crystal.scaled)
    scaled[scaled >= 1.0] = 0.0
    centres = np.arange(crystal.n_atoms)
    index, shifts, mask = nearest(crystal.cell, scaled, centres, 16, 5.0)
    vectors = (scaled[index] + shifts - scaled[:, None]) @ crystal.cell
    distance = np.linalg.norm(vectors, axis=-1)
    radii = covalent_radii[crystal.numbers]
    limit = CONTACT_SHARE * (radii[:, None] + radii[index])
    overlap = np.where(mask, np.clip(1.0 - distance / limit, 0.0, None), 0.0)
    return float(0.5 * CONTACT_STRENGTH_EV * (overlap**2).sum() / crystal.n_atoms)


def _scaled_volume(crystal: Crystal, ratio: float) -> Crystal:
    return crystal.replace(cell=crystal.cell * ratio ** (1 / 3))
