"""The search for low-energy crystals of one number of formula units."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from nucleate.generate.graph_search.optimisers import ParticleSwarm, RandomSearch
from nucleate.generate.graph_search.parzen import ParzenSearch
from nucleate.generate.graph_search.points import PointSpace
from nucleate.networks.graph_network.graphs import NearestGraphs, build_graphs
from nucleate.networks.graph_network.settings import HarmonicSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from nucleate.crystal.space import SearchSpace
    from nucleate.generate.graph_search.optimisers import Optimiser
    from nucleate.generate.graph_search.points import Sample, Symmetry
    from nucleate.networks.graph_network.network import GraphNetwork

OptimiserName = Literal["random", "swarm", "tpe"]

BATCH = 100
STAGES = ("optimiser", "building", "network")
ATTEMPTS_FACTOR = 30
"""Proposals in all, for each crystal wanted, before the search ends with fewer."""


@dataclass(frozen=True, slots=True, eq=False)
class Harvest:
    """What a search found.

    Attributes
    ----------
    samples : tuple of Sample
        All valid crystals with their energies, in the order in which they were found.
    proposals : int
        Points tried.
    seconds : dict
        Processor time by stage.
    """

    samples: tuple[Sample, ...]
    proposals: int
    seconds: dict[str, float]


def search_crystals(
    space: SearchSpace,
    network: GraphNetwork,
    *,
    formula_units: int,
    number: int,
    optimiser: OptimiserName = "tpe",
    symmetry: Symmetry = "all",
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Harvest:
    """Return valid crystals, evaluated by the network.

    Parameters
    ----------
    space
        What is allowed.
    network
        Energies; must know the elements.
    formula_units
        In the cell.
    number
        Valid crystals wanted.
    optimiser
        ``random``, ``swarm`` or ``tpe``.
    symmetry
        All space groups, or P1 alone.
    seed
        Of all random numbers; the result is a function of it.
    progress
        Called with (found, wanted).
    """
    points = PointSpace(space, formula_units, symmetry=symmetry)
    rng = np.random.default_rng([seed, formula_units, 0])
    chosen = _optimiser(optimiser, points, rng)
    samples: list[Sample] = []
    tried, batch = 0, 0
    seconds: Counter[str] = Counter()
    while len(samples) < number and tried < ATTEMPTS_FACTOR * number:
        batch += 1
        rng = np.random.default_rng([seed, formula_units, batch])
        times = [time.process_time()]
        proposals = chosen.propose(BATCH, rng=rng)
        times.append(time.process_time())
        built = [points.realise(item, rng=rng) for item in proposals]
        tried += BATCH
        times.append(time.process_time())
        valid = [sample for sample in built if sample is not None]
        energies = iter(network_energies(network, valid))
        judged = [None if item is None else replace(item, energy=next(energies)) for item in built]
        times.append(time.process_time())
        chosen.learn(judged)
        seconds.update(dict(zip(STAGES, np.diff(times).tolist(), strict=True)))
        samples += [sample for sample in judged if sample is not None]
        if progress is not None:
            progress(min(len(samples), number), number)
    return Harvest(tuple(samples[:number]), tried, dict(seconds))


def network_energies(network: GraphNetwork, samples: Sequence[Sample]) -> NDArray[np.float64]:
    """Return formation energies in eV/atom, from one atom of each orbit where the network may."""
    crystals = [sample.crystal for sample in samples]
    if isinstance(network.settings, HarmonicSettings):
        labels = [sample.orbit for sample in samples]
        graphs = NearestGraphs.build(crystals, network.settings, labels=labels)
    else:
        graphs = build_graphs(crystals, network.settings)
    return network.graph_energies(graphs)


def _optimiser(name: OptimiserName, points: PointSpace, rng: np.random.Generator) -> Optimiser:
    match name:
        case "random":
            return RandomSearch(points)
        case "swarm":
            return ParticleSwarm(points, rng=rng)
        case "tpe":
            return ParzenSearch(points)
