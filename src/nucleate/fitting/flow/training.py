"""Training of the flow: random starts, straight paths to crystals, their velocities learned."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from nucleate.fitting.epochs import EpochTrainer, Schedule
from nucleate.generate.flow.network import FlowNetwork
from nucleate.generate.flow.surroundings import wrapped
from nucleate.generate.symmetric_prior import load_prior

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from nucleate.fitting.flow.corpus import Corpus
    from nucleate.generate.flow.settings import FlowSettings

JUDGED = 1500
"""Validation crystals on which every pass is judged, at most."""

MOST_IN_BATCH = 128

PRIOR_SHARE = 0.5
"""Spread of the random cells relative to that of the training cells."""

STRAIN_WEIGHT = 2.0
"""Of the cell's velocity in the loss, relative to that of the atoms."""


@dataclass(frozen=True, slots=True)
class FlowTraining(Schedule):
    """How the flow is trained.

    Attributes
    ----------
    pairs : int
        About as many pairs of atoms in a step.
    """

    epochs: int = 40
    warmup_steps: int = 200
    pairs: int = 4096


class FlowTrainer(EpochTrainer[FlowNetwork]):
    """Trains the network, saving all of its state so that a resumed run continues.

    Parameters
    ----------
    folder : Path
        Where the state is kept; a state found there is resumed.
    sizes : FlowSettings
        Of the network.
    settings : FlowTraining
        How to train.
    train, val : Corpus
        Crystals.
    device : str
        ``cpu`` or ``cuda``.
    """

    def __init__(
        self,
        folder: Path,
        sizes: FlowSettings,
        settings: FlowTraining,
        train: Corpus,
        val: Corpus,
        *,
        device: str = "cpu",
    ) -> None:
        self.settings, self.train, self.val = settings, train, val
        torch.manual_seed(settings.seed)
        network = FlowNetwork(sizes)
        mean, spread = prior_of(train)
        network.prior_mean.copy_(torch.as_tensor(mean))
        network.prior_spread.copy_(torch.as_tensor(spread))
        network.contacts.copy_(torch.as_tensor(load_prior().usual_contacts))
        identity = {"network": asdict(sizes), "crystals": len(train)}
        super().__init__(folder, network, settings, train, identity, device=device)

    def plan(self) -> list[NDArray[np.int64]]:
        """Return the batches of the present pass."""
        rng = np.random.default_rng([self.settings.seed, self.epoch])
        rows = np.arange(len(self.train))
        return list(batches(self.train.sizes, rows, self.settings.pairs, rng))

    def loss(self, rows: NDArray[np.int64]) -> tuple[torch.Tensor, float]:
        """Return what is minimised on a batch, and the number that is reported."""
        rng = np.random.default_rng([self.settings.seed, self.epoch, self.place, 1])
        strain, move = errors(self.network, self.train, rows, rng, self.device)
        total = move + STRAIN_WEIGHT * strain
        return total, float(total.detach())

    def judged(self) -> dict[str, float]:
        """Return the mean errors of validation crystals for the network as it is."""
        rng = np.random.default_rng(0)
        rows = np.arange(len(self.val))
        if rows.size > JUDGED:
            rows = rng.choice(rows, JUDGED, replace=False)
        sums = np.zeros(2)
        for part in batches(self.val.sizes, rows, self.settings.pairs, rng):
            found = errors(self.network, self.val, part, rng, self.device)
            sums += part.size * np.array([float(error) for error in found])
        strain, move = sums / rows.size
        return {"val": move + STRAIN_WEIGHT * strain, "atoms": move, "cell": strain}


def errors(
    network: FlowNetwork,
    corpus: Corpus,
    rows: NDArray[np.int64],
    rng: np.random.Generator,
    device: str,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the mean squared errors of the velocities of cell and atoms of crystals of one size.

    Every crystal has a random start and a random point on the straight way from it: the shortest
    way of each atom across the torus, without the mean of all, and the difference of the
    log-strains.
    """
    atoms = corpus.atoms(rows)
    time = (rng.permutation(rows.size) + rng.random(rows.size)) / rows.size
    begin = rng.random((*atoms.shape, 3))
    normal = rng.standard_normal((rows.size, 6))
    time, begin, normal, numbers, length, strain, scaled = (
        torch.as_tensor(array, device=device)
        for array in (
            time.astype(np.float32),
            begin.astype(np.float32),
            normal.astype(np.float32),
            corpus.numbers[atoms],
            corpus.length[rows],
            corpus.strain[rows],
            corpus.scaled[atoms],
        )
    )
    first = network.prior_mean + normal @ network.prior_spread.T
    way = wrapped(scaled - begin)
    way = way - way.mean(1, keepdim=True)
    now = begin + time[:, None, None] * way
    between = first + time[:, None] * (strain - first)
    to_strain, move = network(numbers, length, between, now, time)
    return (to_strain - (strain - first)).square().mean(), (move - way).square().mean()


def prior_of(corpus: Corpus) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return mean and spread of the log-strain of random cells; see :class:`FlowNetwork`."""
    strain = corpus.strain.astype(np.float64)
    scatter = np.cov(strain.T) if len(corpus) > 1 else np.zeros((6, 6))
    spread = np.linalg.cholesky(scatter + 1e-6 * np.eye(6)).astype(np.float64)
    return strain.mean(0), PRIOR_SHARE * spread


def batches(
    sizes: NDArray[np.int64], rows: NDArray[np.int64], pairs: int, rng: np.random.Generator
) -> Iterator[NDArray[np.int64]]:
    """Yield rows in random batches of crystals of one size and about as many pairs of atoms."""
    found = []
    for size in np.unique(sizes[rows]):
        own = rng.permutation(rows[sizes[rows] == size])
        step = int(np.clip(pairs // size**2, 1, MOST_IN_BATCH))
        found += [own[first : first + step] for first in range(0, own.size, step)]
    for place in rng.permutation(len(found)):
        yield found[place]
