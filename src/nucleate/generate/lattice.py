"""Candidates from grids: the lowest arrangements of ions, relaxed with a classical model."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from nucleate.crystal.candidate import Candidate, Origin
from nucleate.crystal.fingerprint import fingerprint
from nucleate.crystal.known import KnownCrystals
from nucleate.crystal.symmetry import standardised
from nucleate.exact.relaxing import relax_with
from nucleate.exact.survey import grid_structures
from nucleate.generate.generator import Generator
from nucleate.generate.lattice_order import likely_grids
from nucleate.generate.pool import Member

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

    from nucleate.crystal.space import SearchSpace
    from nucleate.exact.pair_models import PairModel
    from nucleate.exact.survey import GridStructure
    from nucleate.potentials.force_field import ForceField

_SYMPREC = 0.05  # Å
_SAME = 1e-4  # eV/atom

FIRST_BATCH = 32
"""Grids that are looked at before the first candidate."""

GRIDS_PER_CANDIDATE = 2
"""After the first batch, as many grids for each candidate that the search has taken."""


class LatticeGenerator(Generator):
    """Gives the lowest arrangements of ions on grids, each once, then None.

    Grids are looked at in batches, likely and cheap ones first. The first batch is made before the
    first candidate; each further one is as large as all before it and is made once the search
    has taken enough candidates, its own or others. The candidates do not depend on random
    numbers of the draws. ``Origin.detail`` holds space group, grid and place of the arrangement
    among those of its grid, and whether that place is proven.

    Parameters
    ----------
    space : SearchSpace
        What is searched.
    source : ForceField or PairModel
        Energies on the grids and for relaxation.
    grids : int
        Grids that are looked at, likely and cheap ones first.
    relaxed : int
        Grids whose arrangements are relaxed, the same share of each batch.
    keep : int
        Arrangements of each of these.
    max_atoms : int
        Maximum number of atoms in a primitive cell.
    leading : int
        Candidates of the first batch that come before all other generators. One that is lower than
        all that were taken comes first later as well.
    seed : int
        Of the annealing.
    report : callable
        Called with what is being done, how much of it is done, and how much there is.
    """

    name = "lattice"

    def __init__(
        self,
        space: SearchSpace,
        source: ForceField | PairModel,
        *,
        grids: int,
        relaxed: int,
        keep: int,
        max_atoms: int,
        leading: int,
        seed: int = 0,
        report: Callable[[str, int, int], None] = lambda *_: None,
    ) -> None:
        self._space, self._leading, self._report = space, leading, report
        self._relaxed, self._keep, self._seed = relaxed, keep, seed
        self._source = source
        self._model = source.model(space.composition.numbers(1).tolist())
        largest = min(max_atoms, space.max_atoms)
        self._tasks = likely_grids(space.composition, max_atoms=largest, most=grids)
        self._looked_at = 0
        self._found: list[Member] = []
        self._known = KnownCrystals()
        self._noted = 0
        self._taken: set[int] = set()
        self._leaders = 0

    @property
    def members(self) -> tuple[Member, ...]:
        """All candidates, lowest energy first; they are made if necessary."""
        while self._looked_at < len(self._tasks):
            self._next_batch()
        return tuple(self._found[order] for order in self._by_energy())

    @property
    def leads(self) -> bool:
        """Whether its candidates come before all other generators now."""
        self._catch_up()
        if len(self._taken) < self._leaders:
            return True
        left = [_energy(self._found[order]) for order in self._by_energy(left=True)[:1]]
        taken = [_energy(self._found[order]) for order in self._taken if order < len(self._found)]
        return bool(self._leading and left and taken and left[0] < min(taken) - _SAME)

    def prepare(self) -> float:
        """Look at the first batch; return the processor time in seconds in other processes."""
        self._catch_up()
        return 0.0

    def generate(
        self,
        *,
        rng: np.random.Generator,  # noqa: ARG002
        max_formula_units: int | None = None,
    ) -> Candidate | None:
        """Return the best candidate left of at most this size; it stays until it is taken."""
        self._catch_up()
        for order in self._by_energy(left=True):
            member = self._found[order]
            units = self._space.composition.formula_units_of(member.crystal.numbers) or 0
            if max_formula_units is None or units <= max_formula_units:
                detail = {**member.detail, "order": order}
                return Candidate(member.crystal, Origin(self.name, detail=detail))
        return None

    def note(self, origin: Origin) -> None:
        """Take note of a candidate that was taken, in this session or before an interruption."""
        self._noted += 1
        own = origin.detail.get("source", origin.source) == self.name
        if own and "order" in origin.detail:
            self._taken.add(int(origin.detail["order"]))

    def _by_energy(self, *, left: bool = False) -> list[int]:
        """Return the places of the members, or of those not taken, lowest energy first."""
        orders = (k for k in range(len(self._found)) if not left or k not in self._taken)
        return sorted(orders, key=lambda k: (_energy(self._found[k]), k))

    def _catch_up(self) -> None:
        """Look at the batches that are due, and at more where every candidate was taken."""
        while self._looked_at < len(self._tasks):
            is_due = self._looked_at <= GRIDS_PER_CANDIDATE * self._noted
            if self._looked_at and not is_due and len(self._taken) < len(self._found):
                return
            self._next_batch()

    def _next_batch(self) -> None:
        """Anneal a batch of grids and relax the lowest of them."""
        begin = self._looked_at
        end = min(max(FIRST_BATCH, 2 * begin), len(self._tasks))
        composition = self._space.composition
        structures = grid_structures(
            self._model,
            dict(zip(composition.elements, composition.counts.values(), strict=True)),
            self._tasks[begin:end],
            self._space.min_distances,
            relax_with(self._model, self._source.name),
            keep=self._keep,
            relaxed=max(1, math.ceil(self._relaxed * (end - begin) / len(self._tasks))),
            seed=self._seed,
            report=self._progress(begin),
        )
        self._looked_at = end
        for structure in structures:
            self._take_in(structure)
        if begin == 0:
            self._leaders = min(self._leading, len(self._found))

    def _progress(self, begin: int) -> Callable[[str, int, int], None]:
        def report(what: str, done: int, total: int) -> None:
            if what == "grids":
                done, total = begin + done, len(self._tasks)
            self._report(what, done, total)

        return report

    def _take_in(self, structure: GridStructure) -> None:
        """Add a structure unless it is known or not allowed."""
        crystal = structure.relaxed.crystal()
        crystal = standardised(crystal, _SYMPREC) or crystal
        if self._space.rejection(crystal) is not None:
            return
        print_ = fingerprint(crystal)
        if self._known.matches(print_):
            return
        self._known.add(len(self._found), print_)
        detail: dict[str, str | int | float] = {
            "model": self._source.name,
            "grid": "x".join(str(n) for n in structure.task.shape),
            "grid_space_group": structure.task.space_group,
            "grid_rank": structure.rank,
            "grid_rank_proven": int(structure.proven),
            "grid_energy": round(structure.grid_energy, 6),
            "lattice_energy": round(structure.energy_per_atom, 6),
        }
        self._found.append(Member(crystal, detail))


def _energy(member: Member) -> float:
    return float(member.detail["lattice_energy"])
