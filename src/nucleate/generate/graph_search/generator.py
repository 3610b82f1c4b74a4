"""The graph-network generator: makes its pool once, or reads it again, and gives it by rank."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nucleate.generate.graph_search.parts import Parts
from nucleate.generate.graph_search.pool import NAME, Account, Plan
from nucleate.generate.graph_search.sizes import make_pool
from nucleate.generate.pool import Member, PooledGenerator, RankedPool, Ranking, ranked
from nucleate.generate.pool_files import read_pool, write_pool

if TYPE_CHECKING:
    from pathlib import Path

    from nucleate.crystal.space import SearchSpace
    from nucleate.generate.graph_search.pool import Report
    from nucleate.generate.pool import Score
    from nucleate.networks.graph_network.network import GraphNetwork


class GraphSearchGenerator(PooledGenerator):
    """Low-energy crystals by a graph network and an optimiser, the best first.

    The pool is made at the first draw or by :meth:`prepare`. With a file it is written there, and
    read from there the next time: an interrupted run continues with the same pool.

    Parameters
    ----------
    space : SearchSpace
        What is allowed.
    network : GraphNetwork
        Must know the elements.
    plan : Plan
        How the pool is made.
    ranking : {"network", "spp", "single-point"}
        What it is ranked by.
    score : callable, optional
        Energies of crystals, for ``single-point``.
    leading : int
        Number of crystals that come before all other generators: the initial population.
    processes : int
        Processes that search sizes side by side; with one there are none but this one.
    file : Path, optional
        Where the pool is kept (extxyz).
    report : callable, optional
        Called with what is being done, how much is done, how much there is.
    """

    name = NAME

    def __init__(
        self,
        space: SearchSpace,
        network: GraphNetwork,
        plan: Plan,
        *,
        ranking: Ranking = "network",
        score: Score | None = None,
        leading: int = 0,
        processes: int = 1,
        file: Path | None = None,
        report: Report = lambda *_: None,
    ) -> None:
        self.space = space
        self.plan = plan
        self.account = Account()
        self._network = network
        self._ranking: Ranking = ranking
        self._score = score
        self._leading = leading
        self._processes = processes
        self._file = file
        self._report = report

    def prepare(self) -> float:
        """Make the pool, or read it; return the processor time in seconds in other processes."""
        super().prepare()
        return self.account.elsewhere_s

    def make_pool(self) -> RankedPool:
        """Make the pool, or read it."""
        return RankedPool(self.space, self._members(), name=self.name, leading=self._leading)

    def _members(self) -> list[Member]:
        if self._file is not None and self._file.is_file():
            return read_pool(self._file)
        parts = Parts(self._file)
        found, self.account = make_pool(
            self.space,
            self._network,
            self.plan,
            processes=self._processes,
            report=self._report,
            parts=parts,
        )
        self._report("ranking", 0, 0)
        members = ranked(
            found, self._ranking, space=self.space, network=self._network, score=self._score
        )
        if self._file is not None:
            write_pool(self._file, members, name=self.name)
            parts.clear(self.plan.formula_units(self.space))
            members = read_pool(self._file)  # as after an interruption, to the last digit
        return members
