"""The best structures of many grids, by the same work every time: a source of candidates."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

import numpy as np

from nucleate.exact.anneal import anneal
from nucleate.exact.exhaustive import count_arrangements, enumerate_arrangements
from nucleate.exact.grid import operations
from nucleate.exact.problem import build_problem, has_room
from nucleate.exact.tables import pair_tables

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from nucleate.exact.cells import Task
    from nucleate.exact.certificate import RelaxedRecord
    from nucleate.exact.problem import Problem
    from nucleate.exact.relaxing import Relax
    from nucleate.potentials.model import EnergyModel

_RESTARTS = 12
_ENUMERABLE = 1e6
"""Arrangements up to which all of them are tried, so that the k lowest are proven."""


@dataclass(frozen=True, slots=True)
class GridStructure:
    """A relaxed arrangement and where it came from.

    Attributes
    ----------
    task : Task
        Cell, grid and group.
    grid_energy : float
        Energy per atom on the grid.
    rank : int
        Place among the arrangements of its grid, from 1.
    proven : bool
        Whether that place is proven.
    relaxed : RelaxedRecord
        After relaxation.
    """

    task: Task
    grid_energy: float
    rank: int
    proven: bool
    relaxed: RelaxedRecord

    @property
    def energy_per_atom(self) -> float:
        """Energy per atom after relaxation."""
        return self.relaxed.energy / len(self.relaxed.symbols)


def cheapest(tasks: Sequence[Task], most: int) -> list[Task]:
    """Return the tasks with the fewest orbits, likely groups first among equals."""

    def key(task: Task) -> tuple[int, int, str]:
        points = int(np.prod(task.shape)) / len(operations(task.space_group)[0])
        return int(np.log2(max(points, 1.0))), task.rank, task.name

    return sorted(tasks, key=key)[:most]


def grid_structures(
    model: EnergyModel,
    counts: dict[int, int],
    tasks: Sequence[Task],
    min_distances: NDArray[np.float64],
    relax: Relax,
    *,
    keep: int = 3,
    relaxed: int = 40,
    seed: int = 0,
    report: Callable[[str, int, int], None] = lambda *_: None,
) -> list[GridStructure]:
    """Anneal every grid, and relax the k lowest arrangements of the lowest of them.

    The same arguments give the same structures: nothing is limited by time.

    Parameters
    ----------
    model
        Energy model.
    counts
        Atoms in one formula unit by atomic number.
    tasks
        Grids.
    min_distances
        Å, indexed by two atomic numbers.
    relax
        Relaxes an arrangement.
    keep
        Arrangements of each grid.
    relaxed
        Grids whose arrangements are relaxed.
    seed
        Of annealing and rattling.
    report
        Called with what is being done, how much is done and how much there is.

    Returns
    -------
    list of GridStructure
        Lowest energy per atom first.
    """
    order = sorted(tasks, key=lambda task: (task.cell_key, task.rank))
    tables, key, best = None, None, []
    for number, task in enumerate(order):
        report("grids", number + 1, len(order))
        cell_counts = {z: n * task.formula_units for z, n in counts.items()}
        if not has_room(task.grid(), task.space_group, cell_counts, min_distances):
            continue
        if tables is None or key != task.cell_key:
            tables, key = pair_tables(model, task.grid()), task.cell_key
        problem = build_problem(
            model, task.grid(), task.space_group, cell_counts, min_distances, tables=tables,
            symmetries=False,
        )  # fmt: skip
        if problem.n_variables and not problem.is_empty:
            found = anneal(problem, restarts=_RESTARTS, rng=_rng(task, seed))
            if found:
                atoms = int(problem.counts.sum())
                best.append((round(found[0][0] / atoms, 6), task.name, task, cell_counts))
    best.sort(key=lambda entry: entry[:2])
    result: list[GridStructure] = []
    seen: set[float] = set()
    for energy, _, task, cell_counts in best:
        if energy in seen:
            continue  # the same arrangement in another description
        if len(seen) == relaxed:
            break
        seen.add(energy)
        problem = build_problem(model, task.grid(), task.space_group, cell_counts, min_distances)
        result += _followed(problem, task, relax, keep, seed)
        report("relaxed", len(seen), relaxed)
    return sorted(result, key=lambda s: (s.energy_per_atom, s.task.name, s.rank))


def _rng(task: Task, seed: int) -> np.random.Generator:
    digest = int.from_bytes(sha256(task.name.encode()).digest()[:8], "big")
    return np.random.default_rng([seed, digest])


def _followed(
    problem: Problem, task: Task, relax: Relax, keep: int, seed: int
) -> list[GridStructure]:
    """Return the k lowest arrangements of a grid after relaxation."""
    rng = _rng(task, seed)
    proven = count_arrangements(problem) <= _ENUMERABLE
    if proven:
        ranked = enumerate_arrangements(problem, keep=keep, seconds=np.inf).found
    else:
        ranked = anneal(problem, restarts=4 * _RESTARTS, rng=rng)[:keep]
    atoms = int(problem.counts.sum())
    structures = []
    for rank, (energy, chosen) in enumerate(ranked, 1):
        end = relax(problem.crystal(chosen), rng=rng)
        if end is not None:
            structures.append(GridStructure(task, energy / atoms, rank, proven, end))
    return structures
