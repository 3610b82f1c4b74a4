"""A ranked pool of crystals: the best begin the search, the rest wait to be drawn by rank."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from nucleate.crystal.candidate import Candidate, Origin
from nucleate.errors import InputError
from nucleate.generate.distinct import distinct
from nucleate.generate.generator import Generator

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from nucleate.crystal.crystal import Crystal
    from nucleate.crystal.space import SearchSpace
    from nucleate.networks.graph_network.network import GraphNetwork

    Score = Callable[[Sequence[Crystal]], NDArray[np.float64]]

Ranking = Literal["given", "network", "spp", "single-point"]
Detail = dict[str, str | int | float]


@dataclass(frozen=True, slots=True, eq=False)
class Member:
    """A crystal of a pool.

    Attributes
    ----------
    crystal : Crystal
        The crystal.
    detail : dict
        Its provenance: where it came from and its energies by name.
    """

    crystal: Crystal
    detail: Detail


def ranked(
    members: Sequence[Member],
    ranking: Ranking,
    *,
    space: SearchSpace,
    network: GraphNetwork | None = None,
    score: Score | None = None,
) -> list[Member]:
    """Return the distinct members, the best first, each with its rank and what it was ranked by.

    Parameters
    ----------
    members
        In an order that ``given`` keeps.
    ranking
        ``network``: formation energy by the graph network; ``spp``: relaxed with the proxy
        potentials, whose geometry replaces the member's where the space allows it;
        ``single-point``: by ``score``. Members without an energy are left out.
    space
        What is allowed.
    network
        For ``network``.
    score
        For ``single-point``.
    """
    scored = _scored(members, ranking, space, network, score)
    order = sorted(range(len(scored)), key=lambda k: (scored[k][1], k))
    best = [scored[k] for k in order if np.isfinite(scored[k][1])]
    kept = distinct([member.crystal for member, _ in best])
    result = []
    for rank, place in enumerate(kept):
        member, energy = best[place]
        detail: Detail = {**member.detail, "rank": rank + 1, "ranked_by": ranking}
        if ranking != "given":
            detail["ranking_energy"] = round(energy, 6)
        result.append(replace(member, detail=detail))
    return result


def _scored(
    members: Sequence[Member],
    ranking: Ranking,
    space: SearchSpace,
    network: GraphNetwork | None,
    score: Score | None,
) -> list[tuple[Member, float]]:
    crystals = [member.crystal for member in members]
    if ranking == "spp":
        from nucleate.potentials.ranking import rank_crystals

        scored = []
        for item in rank_crystals(crystals):
            member = members[item.index]
            if space.rejection(item.crystal, check_volume=False) is None:
                member = replace(member, crystal=item.crystal)
            scored.append((member, item.energy_per_atom))
        return scored
    if ranking == "given":
        energies: Sequence[float] | NDArray[np.float64] = range(len(members))
    elif ranking == "network":
        assert network is not None
        energies = network.energies(crystals)
    else:
        assert score is not None
        energies = score(crystals)
    return [(member, float(e)) for member, e in zip(members, energies, strict=True)]


class RankedPool(Generator):
    """Gives the best remaining member; a member is removed once it was taken.

    Parameters
    ----------
    space : SearchSpace
        What is searched.
    members : sequence of Member
        The best first.
    name : str
        Source of the candidates.
    leading : int
        Number of members that come before all other generators: the initial population.
    """

    def __init__(
        self, space: SearchSpace, members: Sequence[Member], *, name: str, leading: int = 0
    ) -> None:
        self.name = name
        self.members = tuple(members)
        self._leading = min(leading, len(self.members))
        self._units = [
            space.composition.formula_units_of(member.crystal.numbers) for member in members
        ]
        self._taken: set[int] = set()

    def untouched(self) -> RankedPool:
        """Return the same pool with nothing taken."""
        fresh = copy(self)
        fresh._taken = set()
        return fresh

    @property
    def leads(self) -> bool:
        """Whether the pool comes before all other generators now."""
        return len(self._taken) < self._leading

    def generate(
        self,
        *,
        rng: np.random.Generator,  # noqa: ARG002
        max_formula_units: int | None = None,
    ) -> Candidate | None:
        """Return the best member left of at most this size; it stays until it is taken."""
        for order, (member, units) in enumerate(zip(self.members, self._units, strict=True)):
            fits = max_formula_units is None or (units or 0) <= max_formula_units
            if fits and order not in self._taken:
                return Candidate(
                    member.crystal, Origin(self.name, detail={**member.detail, "order": order})
                )
        return None

    def note(self, origin: Origin) -> None:
        """Leave out a member that was taken, in this session or before an interruption.

        Raises
        ------
        InputError
            If it is of another checkpoint than the members.
        """
        if origin.detail.get("source", origin.source) == self.name and "order" in origin.detail:
            self._check_checkpoint(origin.detail)
            self._taken.add(int(origin.detail["order"]))

    def _check_checkpoint(self, detail: Mapping[str, object]) -> None:
        own = self.members[0].detail.get("checkpoint") if self.members else None
        before = detail.get("checkpoint", own)
        if own is not None and before != own:
            raise InputError(
                f"generators: this run began with the checkpoint {before} of {self.name}, and "
                f"it is {own} now. Put the file back, or begin another run folder."
            )


class PooledGenerator(Generator):
    """A generator that makes all its candidates at the first draw, or in :meth:`prepare`.

    A subclass has :meth:`make_pool`.

    Attributes
    ----------
    stage : str
        What is being made then, for people; by default the pool of its name.
    after : int
        Structures of the run, of whatever source, before it makes and gives any.
    """

    stage: ClassVar[str] = ""
    after: int = 0
    _taken: int = 0
    _memory: dict[int, RankedPool] | None = None
    _place: int = 0

    def make_pool(self) -> RankedPool:
        """Return the pool, the best first."""
        raise NotImplementedError

    def remember(self, memory: dict[int, RankedPool], place: int) -> None:
        """Take the pool of this place from a memory; one that is missing is made and put there."""
        self._memory, self._place = memory, place

    @cached_property
    def _pool(self) -> RankedPool:
        if self._memory is None:
            return self.make_pool()
        if self._place not in self._memory:
            self._memory[self._place] = self.make_pool()
        return self._memory[self._place].untouched()

    @property
    def members(self) -> tuple[Member, ...]:
        """All candidates, the best first; they are made if necessary."""
        return self._pool.members

    @property
    def waits(self) -> bool:
        """Whether the turn of its first candidate has not come."""
        return self._taken < self.after

    @property
    def is_due(self) -> bool:
        """Whether the pool would be made at the next draw."""
        return not self.waits and "_pool" not in self.__dict__

    @property
    def leads(self) -> bool:
        """Whether its candidates come before all other generators now."""
        return not self.waits and self._pool.leads

    def prepare(self) -> float:
        """Make the pool unless it waits; return processor seconds in other processes."""
        if not self.waits:
            _ = self._pool
        return 0.0

    def generate(
        self, *, rng: np.random.Generator, max_formula_units: int | None = None
    ) -> Candidate | None:
        """Return the best candidate left of at most this size; it stays until it is taken."""
        if self.waits:
            return None
        return self._pool.generate(rng=rng, max_formula_units=max_formula_units)

    def note(self, origin: Origin) -> None:
        """Leave out a candidate that was taken, in this session or before an interruption."""
        self._taken += 1
        if origin.detail.get("source", origin.source) == self.name:
            self._pool.note(origin)
