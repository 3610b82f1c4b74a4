"""Candidates from grids: the lowest arrangements of ions, relaxed with a classical model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nucleate.crystal.symmetry import standardised
from nucleate.exact.cells import LIKELY_GROUPS, tasks_of
from nucleate.exact.relaxing import relax_with
from nucleate.exact.survey import cheapest, grid_structures
from nucleate.generate.pool import Member, PooledGenerator, RankedPool, ranked

if TYPE_CHECKING:
    from collections.abc import Callable

    from nucleate.crystal.space import SearchSpace
    from nucleate.exact.pair_models import PairModel
    from nucleate.potentials.force_field import ForceField

_SYMPREC = 0.05  # Å


class LatticeGenerator(PooledGenerator):
    """Gives the lowest arrangements of ions on grids, each once, then None.

    The candidates are made before the first draw and do not depend on its random numbers.
    ``Origin.detail`` holds space group, grid and place of the arrangement among those of its grid,
    and whether that place is proven.

    Parameters
    ----------
    space : SearchSpace
        What is searched.
    source : ForceField or PairModel
        Energies on the grids and for relaxation.
    grids : int
        Grids that are looked at, cheap ones first.
    relaxed : int
        Grids whose arrangements are relaxed.
    keep : int
        Arrangements of each of these.
    max_atoms : int
        Maximum number of atoms in a primitive cell.
    leading : int
        Candidates that come before all other generators.
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
        self._grids, self._relaxed, self._keep, self._seed = grids, relaxed, keep, seed
        self._source = source
        self._model = source.model(space.composition.numbers(1).tolist())
        self._tasks = cheapest(
            tasks_of(
                space.composition,
                max_atoms=min(max_atoms, space.max_atoms),
                groups=LIKELY_GROUPS,
            ),
            grids,
        )

    def make_pool(self) -> RankedPool:
        """Return the candidates, lowest energy first."""
        space = self._space
        counts = dict(
            zip(space.composition.elements, space.composition.counts.values(), strict=True)
        )
        structures = grid_structures(
            self._model,
            counts,
            self._tasks,
            space.min_distances,
            relax_with(self._model, self._source.name),
            keep=self._keep,
            relaxed=self._relaxed,
            seed=self._seed,
            report=self._report,
        )
        members = []
        for structure in structures:
            crystal = structure.relaxed.crystal()
            crystal = standardised(crystal, _SYMPREC) or crystal
            if space.rejection(crystal) is not None:
                continue
            detail: dict[str, str | int | float] = {
                "model": self._source.name,
                "grid": "x".join(str(n) for n in structure.task.shape),
                "grid_space_group": structure.task.space_group,
                "grid_rank": structure.rank,
                "grid_rank_proven": int(structure.proven),
                "grid_energy": round(structure.grid_energy, 6),
                "lattice_energy": round(structure.energy_per_atom, 6),
            }
            members.append(Member(crystal, detail))
        return RankedPool(space, ranked(members, "given"), name=self.name, leading=self._leading)
