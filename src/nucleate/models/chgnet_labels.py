"""Energies of perturbed copies from CHGNet, as differences from their parents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from nucleate.errors import MissingDependencyError
from nucleate.models.graphs import build_graphs
from nucleate.models.perturbation import (
    LARGEST_PENALTY_EV_PER_ATOM,
    PERTURBATIONS,
    contact_penalty,
)
from nucleate.models.training import Examples

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nucleate.crystal.crystal import Crystal
    from nucleate.models.datasets import Dataset
    from nucleate.models.settings import NetworkSettings

KIND_SHARES = (0.14, 0.14, 0.10, 0.20, 0.14, 0.28)
COPIES = 3
LOWEST_DIFFERENCE = -0.2


def perturbed_examples(
    dataset: Dataset,
    settings: NetworkSettings,
    *,
    count: int,
    most_atoms: int = 12,
    rng: np.random.Generator,
) -> Examples:
    """Return labelled perturbed copies of training crystals.

    The label is the parent's energy plus CHGNet's difference (clipped to -0.2 and 5 eV/atom)
    plus the contact penalty. The weight falls with the size of the difference, so that wild
    copies do not drown the equilibrium energies.

    Raises
    ------
    MissingDependencyError
        If CHGNet is not installed.
    """
    parents = [row for row in dataset.rows("train") if dataset.crystals[row].n_atoms <= most_atoms]
    model = _chgnet()
    copies: list[Crystal] = []
    energies: list[float] = []
    differences: list[float] = []
    while parents and len(copies) < count:
        row = int(rng.choice(parents))
        parent = dataset.crystals[row]
        kinds = rng.choice(list(PERTURBATIONS), COPIES, p=KIND_SHARES)
        drawn = [PERTURBATIONS[kind](parent, rng=rng) for kind in kinds]
        predicted = _energies(model, [parent, *drawn])
        for crystal, energy in zip(drawn, predicted[1:], strict=True):
            if not np.isfinite(energy - predicted[0]):
                continue
            raw = float(np.clip(energy - predicted[0], LOWEST_DIFFERENCE, None))
            difference = min(raw + contact_penalty(crystal), LARGEST_PENALTY_EV_PER_ATOM)
            copies.append(crystal)
            differences.append(difference)
            energies.append(float(dataset.energies[row]) + difference)
    weights = 1.0 / (1.0 + np.abs(differences))
    return Examples(
        build_graphs(copies, settings),
        np.array(energies, np.float32),
        np.asarray(weights, np.float32),
    )


def _chgnet() -> Any:
    try:
        from chgnet.model import CHGNet
    except ImportError as error:
        raise MissingDependencyError(
            "labels of perturbed copies need CHGNet: pip install 'nucleate[chgnet]', "
            "or train with --perturbed 0"
        ) from error
    return CHGNet.load(use_device="cpu", verbose=False)


def _energies(model: Any, crystals: list[Crystal]) -> NDArray[np.float64]:
    """CHGNet energies in eV/atom; NaN where it has no graph (an isolated atom)."""
    energies = np.full(len(crystals), np.nan)
    graphs, rows = [], []
    for row, crystal in enumerate(crystals):
        try:
            graphs.append(model.graph_converter(crystal.to_pymatgen()))
            rows.append(row)
        except (ValueError, RuntimeError):
            continue
    if graphs:
        found = model.predict_graph(graphs, task="e", batch_size=16)
        for row, result in zip(rows, found if isinstance(found, list) else [found], strict=True):
            energies[row] = float(result["e"])
    return energies
