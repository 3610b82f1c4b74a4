"""The matrix of runs: compounds by experiments by seeds, one run folder each, resumable."""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

from nucleate.benchmark.experiments import experiment_input
from nucleate.run.folder import stored_input
from nucleate.run.lock import is_locked
from nucleate.run.settings import RunSettings
from nucleate.run.store import Store
from nucleate.run.trust import began_by_user, check_trusted, executed
from nucleate.search.stop import CORE_TIME_SPENT
from nucleate.signals import is_request

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from nucleate.benchmark.experiments import Experiment
    from nucleate.run.events import Callback

RUNS = "runs"
PLAN = "plan.json"


@dataclass(frozen=True, slots=True)
class Cell:
    """One run of the matrix."""

    compound: str
    experiment: str
    seed: int

    def folder(self, out: Path) -> Path:
        """Return its run folder."""
        return out / RUNS / self.compound / self.experiment / str(self.seed)

    def __str__(self) -> str:
        return f"{self.compound} {self.experiment} seed {self.seed}"


@dataclass(frozen=True, slots=True)
class CellState:
    """How far a run is.

    Attributes
    ----------
    state : str
        ``waiting``, ``running``, ``stopped`` (before its end) or ``done``.
    core_s, budget_s : float
        Processor time that was used, and that may be used.
    reason : str
        Why it stopped, if it did.
    """

    cell: Cell
    state: str
    core_s: float = 0.0
    budget_s: float = 0.0
    structures: int = 0
    best_ev_per_atom: float | None = None
    reason: str = ""


def interleaved(
    compounds: Sequence[str], experiments: Sequence[str], seeds: Sequence[int]
) -> list[Cell]:
    """Return all runs in an order in which the sides of a comparison lie next to each other.

    All experiments of one compound and seed follow each other, so that a machine which is slower
    at times is so for all of them.
    """
    return [
        Cell(compound, experiment, seed)
        for seed, compound, experiment in product(seeds, compounds, experiments)
    ]


def run_cell(
    out: Path,
    cell: Cell,
    experiment: Experiment,
    *,
    core_time_s: float,
    workers: int,
    last_tiers: Sequence[dict[str, Any]] = (),
    callback: Callback | None = None,
) -> str:
    """Run or continue one run until its budget is spent; return why it stopped.

    A run that has begun continues with the input that it began with.

    Parameters
    ----------
    out
        Folder of the benchmark.
    cell, experiment
        What to run.
    core_time_s, workers, last_tiers
        As in :func:`~nucleate.benchmark.experiments.experiment_input`.
    callback
        As in :func:`~nucleate.run.predict.predict`.
    """
    from nucleate.run.predict import predict

    folder = cell.folder(out)
    if is_done(folder, core_time_s):
        return "done before"
    if Store.exists(folder):
        settings = _stored_input(folder, core_time_s, workers, last_tiers)
    else:
        settings = experiment_input(
            experiment,
            cell.compound,
            seed=cell.seed,
            core_time_s=core_time_s,
            workers=workers,
            last_tiers=last_tiers,
        )
    return predict(settings, folder, callback=callback).reason


def is_done(folder: Path, core_time_s: float) -> bool:
    """Return whether a run has come to its end with this budget."""
    if not Store.exists(folder):
        return False
    with Store.read(folder) as store:
        reason, core_s = _end(store)
    if reason == CORE_TIME_SPENT:
        return core_s >= core_time_s
    return bool(reason) and not is_request(reason)


def state_of(out: Path, cell: Cell) -> CellState:
    """Return how far a run is."""
    folder = cell.folder(out)
    if not Store.exists(folder):
        return CellState(cell, "running" if is_locked(folder) else "waiting")
    with Store.read(folder) as store:
        reason, core_s = _end(store)
        budget_s = store.meta["input"]["stop"]["core_time"] or 0.0
        records = [record for record, _ in store.records() if record.outcomes]
        last_tier = store.meta["input"]["tier"][-1]["name"]
    if is_locked(folder):
        state, reason = "running", ""
    elif reason and not is_request(reason):
        state = "done"
    else:
        state = "stopped"
    energies = [record.enthalpies()[last_tier] for record in records
                if last_tier in record.enthalpies()]  # fmt: skip
    return CellState(
        cell,
        state,
        core_s=max([core_s, *(record.core_s for record in records)]),
        budget_s=budget_s,
        structures=len(records),
        best_ev_per_atom=min(energies, default=None),
        reason=reason or ("" if state == "running" else "killed"),
    )


def add_to_plan(out: Path, cells: Sequence[Cell]) -> list[Cell]:
    """Write down what is to run, and return it together with what was to run before."""
    path = out / PLAN
    planned = dict.fromkeys(read_plan(out)) | dict.fromkeys(cells)
    out.mkdir(parents=True, exist_ok=True)
    rows = [[cell.compound, cell.experiment, cell.seed] for cell in planned]
    path.write_text(json.dumps(rows) + "\n", encoding="utf-8")
    return list(planned)


def read_plan(out: Path) -> list[Cell]:
    """Return the runs that were planned or done in a folder."""
    path = out / PLAN
    planned = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []
    found = (
        (store.parts[-4], store.parts[-3], int(store.parts[-2]))
        for store in sorted((out / RUNS).glob("*/*/*/run.db"))
    )
    rows = [*((name, experiment, seed) for name, experiment, seed in planned), *found]
    return [Cell(*row) for row in dict.fromkeys(rows)]


def _stored_input(
    folder: Path, core_time_s: float, workers: int, last_tiers: Sequence[dict[str, Any]]
) -> RunSettings:
    with Store.read(folder) as store:
        data = stored_input(store.meta)
    data["stop"] |= {"core_time": core_time_s}
    data["run"] |= {"workers": workers}
    given = {value for _, value in executed({"tier": list(last_tiers)})}
    trust = {value for _, value in executed(data)} <= given or began_by_user(folder)
    check_trusted(folder, data, trust=trust, remedy="Give the same --tier again.")
    return RunSettings.from_dict(data)


def _end(store: Store) -> tuple[str, float]:
    """Return why the last start stopped ("" if it was killed or is still running), and its time."""
    reason, core_s = "", 0.0
    for _, kind, data in store.events():
        if kind in ("start", "stop"):
            reason, core_s = data.get("reason", ""), max(core_s, data.get("core_s", 0.0))
    return reason, core_s
