"""Labels of crystals that no data set has, from a machine-learned potential such as CHGNet."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from nucleate.errors import InputError
from nucleate.fitting.graph_network.examples import Examples
from nucleate.fitting.graph_network.perturbation import (
    LARGEST_PENALTY_EV_PER_ATOM,
    PERTURBATIONS,
    contact_penalty,
)
from nucleate.networks.graph_network.graphs import build_graphs

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from nucleate.crystal.crystal import Crystal
    from nucleate.fitting.datasets import Dataset
    from nucleate.networks.graph_network.settings import NetworkSettings

    Potential: TypeAlias = Callable[[Sequence[Crystal]], NDArray[np.float64]]

KIND_SHARES = (0.14, 0.14, 0.10, 0.20, 0.14, 0.28)
COPIES = 3
TRIED = 50
"""Parents without any labelled copy after which a potential is given up."""

LOWEST_DIFFERENCE = -0.2
FITTED = 6000
LEAST_RESIDUAL = 0.01


def perturbed_examples(
    dataset: Dataset,
    settings: NetworkSettings,
    potential: Potential,
    *,
    count: int,
    most_atoms: int = 12,
    rng: np.random.Generator,
    progress: Callable[[int, int], None] = lambda *_: None,
) -> Examples:
    """Return labelled perturbed copies of training crystals.

    The label is the parent's energy plus the potential's difference (clipped to -0.2 and
    5 eV/atom) plus the contact penalty. The weight falls with the size of the difference, so that
    wild copies do not drown the equilibrium energies.

    Parameters
    ----------
    dataset
        Parents come from its training split.
    settings
        Of the network that will read the graphs.
    potential
        Gives energies in eV/atom, NaN where it has none.
    count
        Number of copies.
    most_atoms
        Largest parent.
    rng
        Source of randomness.
    progress
        Called with (done, total) after each parent.
    """
    parents = [row for row in dataset.rows("train") if dataset.crystals[row].n_atoms <= most_atoms]
    copies: list[Crystal] = []
    energies: list[float] = []
    differences: list[float] = []
    tried = 0
    while parents and len(copies) < count:
        if not copies and tried == TRIED:
            raise InputError(
                f"the potential has no energy for any of {tried} training crystals and their "
                "perturbed copies. Train with another potential, or without copies."
            )
        tried += 1
        row = int(rng.choice(parents))
        parent = dataset.crystals[row]
        kinds = rng.choice(list(PERTURBATIONS), COPIES, p=KIND_SHARES)
        drawn = [PERTURBATIONS[kind](parent, rng=rng) for kind in kinds]
        predicted = potential([parent, *drawn])
        for crystal, energy in zip(drawn, predicted[1:], strict=True):
            if not np.isfinite(energy - predicted[0]):
                continue
            raw = float(np.clip(energy - predicted[0], LOWEST_DIFFERENCE, None))
            difference = min(raw + contact_penalty(crystal), LARGEST_PENALTY_EV_PER_ATOM)
            copies.append(crystal)
            differences.append(difference)
            energies.append(float(dataset.energies[row]) + difference)
        progress(len(copies), count)
    weights = 1.0 / (1.0 + np.abs(differences))
    return Examples(
        build_graphs(copies, settings),
        np.array(energies, np.float32),
        np.asarray(weights, np.float32),
    )


def element_references(
    dataset: Dataset, potential: Potential, *, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Return shifts from a potential's energies to the data set's scheme, eV per atom by element.

    Fitted (least absolute deviations) to 6,000 labelled training crystals.

    Parameters
    ----------
    dataset
        Labelled crystals.
    potential
        Gives energies in eV/atom, NaN where it has none.
    rng
        Chooses the crystals of the fit.
    """
    rows = dataset.rows("train")
    rows = rng.choice(rows, min(FITTED, rows.size), replace=False)
    known = [dataset.crystals[row] for row in rows]
    offset = dataset.energies[rows] - potential(known)
    good = np.isfinite(offset)
    return _least_deviations(_fractions(known)[good], offset[good])


def formation_energies(
    crystals: Sequence[Crystal], potential: Potential, references: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return formation energies by a potential, eV/atom; NaN where it has none.

    Parameters
    ----------
    crystals
        To be labelled.
    potential
        Gives energies in eV/atom.
    references
        See :func:`element_references`.
    """
    return potential(crystals) + _fractions(crystals) @ references


def _fractions(crystals: Sequence[Crystal]) -> NDArray[np.float64]:
    counts = [np.bincount(crystal.numbers, minlength=120) / crystal.n_atoms for crystal in crystals]
    return np.stack(counts) if counts else np.zeros((0, 120))


def _least_deviations(
    features: NDArray[np.float64], target: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return least-absolute-deviation coefficients by reweighted least squares."""
    weights, found = np.ones(target.size), np.zeros(features.shape[1])
    ridge = 1e-3 * np.eye(features.shape[1])
    for _ in range(30):
        weighted = features * weights[:, None]
        found = np.linalg.solve(features.T @ weighted + ridge, weighted.T @ target)
        weights = 1.0 / np.maximum(np.abs(target - features @ found), LEAST_RESIDUAL)
    return np.asarray(found, dtype=np.float64)
