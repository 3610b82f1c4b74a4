"""Crystals along the flow: Euler steps from random starts; needs torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from nucleate.crystal.crystal import Crystal
from nucleate.generate.flow.cells import (
    cell_of_strain,
    expected_length,
    function_of,
    log_strain,
    matrix_of,
    six_of,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from nucleate.generate.flow.network import FlowNetwork
    from nucleate.generate.flow.symmetry import Kept

AT_ONCE = 16
"""Crystals in a batch, always as many: what one becomes does not depend on the others."""

LARGEST = 2.0
"""Log-strains beyond it are not followed."""


@dataclass(frozen=True, slots=True)
class Manner:
    """How the flow is followed.

    Attributes
    ----------
    steps : int
        Euler steps.
    haste_atoms, haste_cell : float
        Velocities are multiplied by 1 + haste · t (anti-annealing).
    """

    steps: int = 30
    haste_atoms: float = 3.0
    haste_cell: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Start:
    """Where a crystal begins.

    Attributes
    ----------
    strain : ndarray of float64, shape (6,)
        Log-strain of the cell relative to a cube of the expected volume.
    scaled : ndarray of float64, shape (n_atoms, 3)
        Fractional coordinates.
    kept : Kept or None
        Operations that are kept.
    """

    strain: NDArray[np.float64]
    scaled: NDArray[np.float64]
    kept: Kept | None = None


def random_start(network: FlowNetwork, n_atoms: int, *, rng: np.random.Generator) -> Start:
    """Return random atoms in a random cell."""
    mean, spread = network.prior_mean.double().numpy(), network.prior_spread.double().numpy()
    return Start(mean + spread @ rng.standard_normal(6), rng.random((n_atoms, 3)))


def start_of(crystal: Crystal, kept: Kept | None = None) -> Start:
    """Return a crystal in its own cell as a start."""
    return Start(log_strain(crystal.cell / expected_length(crystal.numbers)), crystal.scaled, kept)


def flowed(
    network: FlowNetwork, numbers: NDArray[np.int64], starts: Sequence[Start], manner: Manner
) -> list[Crystal | None]:
    """Return what starts of one composition become, None for one that has no end.

    Parameters
    ----------
    network
        The vector field.
    numbers
        Atomic numbers, shape (n_atoms,).
    starts
        Where to begin.
    manner
        How to follow the flow.
    """
    length = expected_length(numbers)
    found: list[Crystal | None] = []
    for first in range(0, len(starts), AT_ONCE):
        part = list(starts[first : first + AT_ONCE])
        filled = part + [part[0]] * (AT_ONCE - len(part))
        strain, scaled = _followed(network, numbers, length, filled, manner)
        for six, points in zip(strain[: len(part)], scaled[: len(part)], strict=True):
            ends = np.isfinite(points).all() and np.abs(six).max() < LARGEST
            cell = length * cell_of_strain(six)
            found.append(Crystal(numbers, cell, points).wrapped() if ends else None)
    return found


def _followed(
    network: FlowNetwork,
    numbers: NDArray[np.int64],
    length: float,
    starts: Sequence[Start],
    manner: Manner,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    strain = np.array([start.strain for start in starts])
    scaled = np.array([start.scaled for start in starts])
    species = torch.as_tensor(np.tile(numbers, (len(starts), 1)))
    lengths = torch.full((len(starts),), length)
    for step in range(manner.steps):
        time = step / manner.steps
        with torch.no_grad():
            to_strain, move = network(
                species,
                lengths,
                torch.as_tensor(strain, dtype=torch.float32),
                torch.as_tensor(scaled % 1.0, dtype=torch.float32),
                torch.full((len(starts),), time),
            )
        step_cell = (1.0 + manner.haste_cell * time) / manner.steps * to_strain.double().numpy()
        step_atoms = (1.0 + manner.haste_atoms * time) / manner.steps * move.double().numpy()
        for k, start in enumerate(starts):
            if start.kept is not None:
                step_atoms[k] = (step_atoms[k].ravel() @ start.kept.atoms).reshape(-1, 3)
        strain = np.clip(np.nan_to_num(strain + step_cell), -LARGEST, LARGEST)
        scaled = scaled + step_atoms
        for k, start in enumerate(starts):
            if start.kept is not None:
                strain[k] = _symmetric(strain[k], start.kept)
    return strain, scaled


def _symmetric(strain: NDArray[np.float64], kept: Kept) -> NDArray[np.float64]:
    """Return the log-strain of the mean of what the operations make of the metric."""
    metric = six_of(function_of(2.0 * matrix_of(strain), np.exp))
    return 0.5 * six_of(function_of(matrix_of(metric @ kept.metric), np.log))
