"""One run of the matrix, by nucleate or by a baseline."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nucleate.benchmark.baselines.baseline import BASELINES, check_baseline, run_baseline
from nucleate.benchmark.compounds import MAX_ATOMS, compound_named
from nucleate.benchmark.experiments import EXPERIMENTS, experiment_named
from nucleate.benchmark.matrix import is_done, run_cell
from nucleate.crystal.composition import Composition
from nucleate.crystal.space import SearchSpace
from nucleate.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from nucleate.benchmark.matrix import Cell
    from nucleate.run.events import Callback


def check_sides(names: Sequence[str]) -> None:
    """Check names of experiments and baselines, before anything is run.

    Raises
    ------
    InputError
        If one is not known.
    MissingDependencyError
        If the package of a baseline is not installed.
    """
    known = [*(item.name for item in EXPERIMENTS), *BASELINES]
    for name in names:
        if name not in known:
            raise InputError(
                f"--experiments = {name!r} is not known. Use some of {', '.join(known)}."
            )
        if name in BASELINES:
            check_baseline(name)


def run_side(
    out: Path,
    cell: Cell,
    *,
    core_time_s: float,
    workers: int,
    last_tiers: Sequence[dict[str, Any]] = (),
    callback: Callback | None = None,
) -> str:
    """Run or continue a run of an experiment or a baseline; return why it stopped.

    Parameters are those of :func:`~nucleate.benchmark.matrix.run_cell`. A baseline has one process
    and no tier but CHGNet.

    Raises
    ------
    InputError
        If a baseline is to have more tiers, or the run cannot be continued.
    """
    if cell.experiment not in BASELINES:
        return run_cell(
            out,
            cell,
            experiment_named(cell.experiment),
            core_time_s=core_time_s,
            workers=workers,
            last_tiers=last_tiers,
            callback=callback,
        )
    if last_tiers:
        raise InputError(f"--tier: the baseline {cell.experiment} relaxes with CHGNet alone.")
    folder = cell.folder(out)
    if is_done(folder, core_time_s):
        return "done before"
    compound = compound_named(cell.compound)
    space = SearchSpace.create(Composition.from_formula(compound.name), max_atoms=MAX_ATOMS)
    return run_baseline(
        folder,
        cell.experiment,
        space,
        units=compound.units,
        seed=cell.seed,
        core_time_s=core_time_s,
    )
