"""The crystals of one size that the graph network found low in energy."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from nucleate.crystal.symmetry import space_group_symbol
from nucleate.generate.distinct import distinct
from nucleate.generate.graph_search.descent import descend
from nucleate.generate.graph_search.search import OptimiserName, search_crystals
from nucleate.generate.pool import Member

if TYPE_CHECKING:
    from collections.abc import Callable

    from nucleate.crystal.space import SearchSpace
    from nucleate.generate.graph_search.points import Sample, Symmetry
    from nucleate.networks.graph_network.network import GraphNetwork

    Report = Callable[[str, int, int], None]
    """Called with what is being done, how much of it is done, and how much there is."""

NAME = "graph-search"

MOST_OF_A_LAYOUT = 8
"""Crystals of one space group and assignment that are refined: an optimiser piles them up.

In P1 all crystals have one assignment, so there it does not count.
"""


@dataclass(frozen=True, slots=True)
class Plan:
    """How a pool is made.

    Attributes
    ----------
    optimiser : {"random", "swarm", "tpe"}
        Proposes crystals.
    symmetry : {"all", "triclinic"}
        Space groups 1 to 230, or P1 alone.
    number : int
        Valid crystals to evaluate for each number of formula units.
    most_formula_units : int
        Larger cells are not searched.
    refined : int
        Best distinct crystals of each number of formula units that are kept and refined.
    descent_steps : int
        Steps of gradient descent on the network for those; 0 keeps them as they are.
    seed : int
        Of all random numbers.
    """

    optimiser: OptimiserName = "tpe"
    symmetry: Symmetry = "all"
    number: int = 5000
    most_formula_units: int = 8
    refined: int = 200
    descent_steps: int = 30
    seed: int = 0

    def formula_units(self, space: SearchSpace) -> tuple[int, ...]:
        """Return the numbers of formula units to search: the smallest one at least."""
        units = [z for z in space.formula_units if z <= self.most_formula_units]
        return tuple(units or space.formula_units[:1])


@dataclass(slots=True)
class Account:
    """What a search did and where its time went.

    Attributes
    ----------
    found : dict
        Valid crystals by number of formula units.
    proposals : int
        Points tried.
    seconds : dict
        Processor time by stage.
    elsewhere_s : float
        Processor time in seconds that was spent in other processes.
    """

    found: dict[int, int] = field(default_factory=dict)
    proposals: int = 0
    seconds: dict[str, float] = field(default_factory=dict)
    elsewhere_s: float = 0.0

    def spend(self, stage: str, seconds: float) -> None:
        """Add processor time to a stage."""
        self.seconds[stage] = self.seconds.get(stage, 0.0) + seconds

    def add(self, other: Account) -> None:
        """Add what a search in another process did."""
        self.elsewhere_s += other.seconds["all"]
        self.found |= other.found
        self.proposals += other.proposals
        for stage, seconds in other.seconds.items():
            self.spend(stage, seconds)


def crystals_of_size(
    space: SearchSpace,
    network: GraphNetwork,
    plan: Plan,
    units: int,
    *,
    account: Account,
    report: Report = lambda *_: None,
) -> list[Member]:
    """Return the refined crystals of one number of formula units."""
    start = time.process_time()
    harvest = search_crystals(
        space,
        network,
        formula_units=units,
        number=plan.number,
        optimiser=plan.optimiser,
        symmetry=plan.symmetry,
        seed=plan.seed,
        progress=lambda done, all_: report("crystals", done, all_),
    )
    account.found[units] = len(harvest.samples)
    account.proposals += harvest.proposals
    for stage, seconds in harvest.seconds.items():
        account.spend(stage, seconds)
    searched = time.process_time()
    samples = sorted(harvest.samples, key=lambda sample: sample.energy)
    kept = distinct(
        [sample.crystal for sample in samples],
        most=plan.refined,
        kinds=[_kind(place, sample) for place, sample in enumerate(samples)],
        most_of_a_kind=MOST_OF_A_LAYOUT,
    )
    account.spend("duplicates", time.process_time() - searched)
    members = [_member(samples[place], plan, units) for place in kept]
    if plan.descent_steps:
        before = time.process_time()
        members = refine(
            members,
            space,
            network,
            plan.descent_steps,
            lambda done, all_: report("descent", done, all_),
        )
        account.spend("descent", time.process_time() - before)
    account.spend("all", time.process_time() - start)
    return members


def refine(
    members: list[Member],
    space: SearchSpace,
    network: GraphNetwork,
    steps: int,
    progress: Callable[[int, int], None] | None = None,
) -> list[Member]:
    """Return the members after gradient descent, with their energies.

    The descent follows the first network of an ensemble, which costs less and may raise the
    energy by all of them; the energies returned are by all.
    """
    crystals, _ = descend(
        network.first(),
        [member.crystal for member in members],
        steps=steps,
        allowed=lambda crystal: space.rejection(crystal) is None,
        progress=progress,
    )
    return [
        Member(
            crystal,
            {**member.detail, "network_energy": round(float(energy), 6), "descent_steps": steps},
        )
        for member, crystal, energy in zip(
            members, crystals, network.energies(crystals), strict=True
        )
    ]


def energy_of(member: Member) -> float:
    """Return the formation energy of a member by the network, eV/atom."""
    return float(member.detail.get("network_energy", np.inf))


def _kind(place: int, sample: Sample) -> tuple[int, object]:
    """Return what crystals must share to be refined a limited number of times."""
    group = sample.layout.group
    return (group, place if group == 1 else sample.layout.words)


def _member(sample: Sample, plan: Plan, units: int) -> Member:
    return Member(
        sample.crystal,
        {
            "optimiser": plan.optimiser,
            "formula_units": units,
            "space_group": space_group_symbol(sample.layout.group),
            "space_group_number": sample.layout.group,
            "wyckoff": sample.layout.words,
            "network_energy": round(sample.energy, 6),
        },
    )
