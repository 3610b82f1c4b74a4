"""Scan grids: a survey by annealing, then proofs, in the order of what is cheap and likely.

Everything is written to a file as it is known; a scan that is started again continues.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import numpy as np

from nucleate.errors import InputError
from nucleate.exact.anneal import anneal
from nucleate.exact.certificate import Certificate, Found, ModelRecord, Proof, RelaxedRecord
from nucleate.exact.problem import Problem, build_problem, check_size
from nucleate.exact.prove import Limits, check_memory, proof_of, prove, require_possible
from nucleate.exact.tables import PairTables, pair_tables

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from nucleate.crystal.composition import Composition
    from nucleate.exact.cells import Task
    from nucleate.exact.relaxing import Relax
    from nucleate.exact.solver import Progress
    from nucleate.potentials.model import EnergyModel

_SURVEY_RESTARTS = 12
_DECADE = 1.0
"""Width of the classes of cost, in powers of ten of the number of products."""


@dataclass(frozen=True, slots=True)
class ScanSettings:
    """What a scan does.

    Attributes
    ----------
    keep : int
        Arrangements of each grid that are proven and relaxed.
    limits : Limits
        Of each grid.
    seconds : float
        Wall time of the whole scan.
    survey_relaxed : int
        Arrangements of the survey that are relaxed before the first proof.
    seed : int
        Of the annealing and the rattling.
    """

    keep: int = 3
    limits: Limits = field(default_factory=Limits)
    seconds: float = 1800.0
    survey_relaxed: int = 30
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Event:
    """News of a scan for whoever watches.

    Attributes
    ----------
    kind : str
        ``survey``, ``proof``, ``progress`` or ``relaxed``.
    task : str
        Name of the task.
    done, total : int
        Tasks of this stage.
    proof : Proof or None
    progress : Progress or None
    relaxed : RelaxedRecord or None
    """

    kind: str
    task: str
    done: int = 0
    total: int = 0
    proof: Proof | None = None
    progress: Progress | None = None
    relaxed: RelaxedRecord | None = None


@dataclass(frozen=True, slots=True, eq=False)
class ScanResult:
    """What a scan ends with.

    Attributes
    ----------
    certificate : Certificate
        Proofs, and what is not covered.
    relaxed : list of RelaxedRecord
        Every relaxed arrangement, lowest energy per atom first.
    seconds : float
        Wall time of this session.
    """

    certificate: Certificate
    relaxed: list[RelaxedRecord]
    seconds: float


class Scan:
    """A scan over tasks for one composition and one energy model.

    Parameters
    ----------
    composition
        What to place.
    model
        Of its elements.
    record
        The same model, for the certificate.
    tasks
        Grids, cells and groups.
    min_distances
        Å, indexed by two atomic numbers.
    relax
        Relaxes an arrangement.
    settings
        Limits.
    store
        JSON-lines file to write to and continue from; None keeps everything in memory.
    """

    def __init__(
        self,
        composition: Composition,
        model: EnergyModel,
        record: ModelRecord,
        tasks: Sequence[Task],
        min_distances: np.ndarray,
        relax: Relax,
        settings: ScanSettings | None = None,
        *,
        store: Path | None = None,
        on_event: Callable[[Event], None] | None = None,
    ) -> None:
        self._composition, self._model, self._record = composition, model, record
        self._tasks = {task.name: task for task in tasks}
        self._distances, self._relax = min_distances, relax
        self._settings = settings or ScanSettings()
        self._on_event = on_event or (lambda _: None)
        self._store = store
        self._surveyed: dict[str, dict[str, Any]] = {}
        self._proofs: dict[str, Proof] = {}
        self._relaxed: list[RelaxedRecord] = []
        self._refused: dict[str, str] = {}
        self._tables: tuple[Any, PairTables] | None = None
        self._begun = time.perf_counter()
        self._read()

    def run(self) -> ScanResult:
        """Survey and prove until everything is done or the time is up."""
        self._begun = time.perf_counter()
        self._survey()
        self._relax_survey()
        order = self._order()
        for number, task in enumerate(order):
            if self._time_left() <= 0.0:
                break
            if task.name not in self._proofs and task.name not in self._refused:
                self._prove(task, number, len(order))
        relaxed = sorted(self._relaxed, key=lambda r: r.energy / len(r.symbols))
        seconds = time.perf_counter() - self._begun
        return ScanResult(self.certificate(), relaxed, seconds)

    def require_possible(self) -> None:
        """Raise an `InputError` unless a task holds an arrangement: for cells that were given.

        Raises
        ------
        InputError
            With the reason of the last task, where none does.
        """
        last: InputError | None = None
        for task in self._tasks.values():
            try:
                require_possible(self._problem(task))
            except InputError as error:
                last = error
            else:
                return
        if last is not None:
            raise last

    def _time_left(self) -> float:
        return self._settings.seconds - (time.perf_counter() - self._begun)

    def _rng(self, task: Task, stage: int) -> np.random.Generator:
        """Return random numbers that depend on the task alone, so that restarts change nothing."""
        digest = int.from_bytes(sha256(task.name.encode()).digest()[:8], "big")
        return np.random.default_rng([self._settings.seed, stage, digest])

    def _problem(self, task: Task) -> Problem:
        grid = task.grid()
        n_elements = len(self._composition.elements)
        check_size(grid, task.space_group, n_elements, self._settings.limits.memory_mb)
        if self._tables is None or self._tables[0] != task.cell_key:
            self._tables = task.cell_key, pair_tables(self._model, grid)
        elements = zip(self._composition.elements, self._composition.counts.values(), strict=True)
        counts = {z: n * task.formula_units for z, n in elements}
        return build_problem(
            self._model, grid, task.space_group, counts, self._distances, tables=self._tables[1]
        )

    def _survey(self) -> None:
        """Anneal every task; those that hold no arrangement at all are proven by that."""
        order = sorted(self._tasks.values(), key=lambda t: (t.cell_key, t.rank))
        for number, task in enumerate(order):
            if task.name in self._surveyed or task.name in self._proofs:
                continue
            if self._time_left() < 0.7 * self._settings.seconds:
                break  # the rest of the time is for proofs
            try:
                problem = self._problem(task)
            except InputError as error:
                self._refused[task.name] = str(error)
                continue
            entry: dict[str, Any] = {"survey": task.name, "products": problem.n_products}
            if problem.n_variables and not problem.is_empty:
                found = anneal(problem, restarts=_SURVEY_RESTARTS, rng=self._rng(task, 0))
                if found:
                    entry["energy"] = found[0][0] / float(problem.counts.sum())
                    entry["chosen"] = found[0][1].tolist()
            else:
                entry["empty"] = True
            self._surveyed[task.name] = entry
            self._write(entry)
            self._on_event(Event("survey", task.name, number + 1, len(order)))

    def _order(self) -> list[Task]:
        """Return the tasks to prove: cheap classes first, low annealed energies first in each."""

        def key(task: Task) -> tuple[float, float, int, str]:
            entry = self._surveyed[task.name]
            cost = np.log10(max(entry["products"], 1)) // _DECADE
            return float(cost), entry.get("energy", 1e9), task.rank, task.name

        return sorted((t for t in self._tasks.values() if t.name in self._surveyed), key=key)

    def _relax_survey(self) -> None:
        """Relax the lowest annealed arrangements of the survey."""
        entries = [e for e in self._surveyed.values() if "energy" in e]
        entries.sort(key=lambda e: (round(e["energy"], 6), e["survey"]))
        seen: set[float] = set()
        for entry in entries:
            if len(seen) >= self._settings.survey_relaxed:
                break
            energy = round(entry["energy"], 5)
            if energy in seen:  # the same arrangement in another description
                continue
            seen.add(energy)
            if "relaxed" in entry:
                continue
            task = self._tasks[entry["survey"]]
            crystal = self._problem(task).crystal(np.array(entry["chosen"], dtype=np.int64))
            end = self._relax(crystal, rng=self._rng(task, 1))
            entry["relaxed"] = True
            line = {"relaxed": task.name, "record": None if end is None else end.model_dump()}
            self._write(line)
            if end is not None:
                self._relaxed.append(end)
                self._on_event(Event("relaxed", task.name, relaxed=end))

    def _prove(self, task: Task, number: int, total: int) -> None:
        begun = time.perf_counter()
        problem = self._problem(task)
        build_s = time.perf_counter() - begun
        limits = self._settings.limits
        limits = Limits(
            min(limits.seconds, max(1.0, self._time_left())), limits.memory_mb, limits.threads
        )
        outcome = prove(
            problem, limits, keep=self._settings.keep, rng=self._rng(task, 2),
            on_progress=lambda p: self._on_event(Event("progress", task.name, progress=p)),
        )  # fmt: skip
        if outcome.method == "none":
            try:
                check_memory(problem, limits)
            except InputError as error:
                self._refused[task.name] = str(error)
        proof = proof_of(problem, outcome, formula_units=task.formula_units, build_s=build_s)
        proof = proof.model_copy(update={"found": [self._followed(task, f) for f in proof.found]})
        self._proofs[task.name] = proof
        self._write({"proof": task.name, "record": proof.model_dump()})
        self._on_event(Event("proof", task.name, number + 1, total, proof=proof))

    def _followed(self, task: Task, found: Found) -> Found:
        crystal = arrangement(task.grid(), found.places)
        end = self._relax(crystal, rng=self._rng(task, 3))
        if end is not None:
            self._relaxed.append(end)
            self._on_event(Event("relaxed", task.name, relaxed=end))
        return found.model_copy(update={"relaxed": end})

    def certificate(self) -> Certificate:
        """Return what is proven so far."""
        from nucleate.exact.report import solver_name, uncovered

        z = self._composition.elements
        symbols = list(self._composition.counts)
        pairs = {
            f"{symbols[i]}-{symbols[j]}": float(self._distances[z[i], z[j]])
            for i in range(len(z))
            for j in range(i, len(z))
        }
        from nucleate import __version__

        return Certificate(
            program=f"nucleate {__version__}",
            solver=solver_name(),
            formula=self._composition.formula,
            model=self._record,
            min_distances=pairs,
            proofs=list(self._proofs.values()),
            not_covered=uncovered(self._tasks, self._proofs, self._refused),
        )

    def _digest(self) -> str:
        s = self._settings
        text = json.dumps(
            [self._composition.formula, self._record.model_dump(), s.keep, s.seed, s.limits.seconds,
             s.limits.memory_mb, sha256(self._distances.tobytes()).hexdigest()]
        )  # fmt: skip
        return sha256(text.encode()).hexdigest()[:16]

    def _write(self, entry: dict[str, Any]) -> None:
        if self._store is not None:
            entry = {**entry, "at_s": round(time.perf_counter() - self._begun, 2)}
            with self._store.open("a", encoding="utf-8") as handle:
                handle.write(json.dumps(entry) + "\n")

    def _read(self) -> None:
        """Take in what an earlier session has written."""
        if self._store is None:
            return
        if not self._store.exists():
            self._store.parent.mkdir(parents=True, exist_ok=True)
            self._write({"scan": self._digest()})
            return
        lines = self._store.read_text(encoding="utf-8").split("\n")
        entries = []
        for number, line in enumerate(lines):
            if not line:
                continue
            try:
                entries.append(json.loads(line))
            except json.JSONDecodeError as error:
                if number == len(lines) - 1:  # cut off by a crash: written again
                    self._store.write_text("\n".join(lines[:-1]) + "\n", encoding="utf-8")
                    break
                raise InputError(
                    f"{self._store}: line {number + 1} is not JSON ({error})."
                ) from error
        if not entries or entries[0].get("scan") != self._digest():
            raise InputError(
                f"{self._store} belongs to a scan with another composition, model or settings. "
                "Give another folder (--out), or the same settings."
            )
        for entry in entries[1:]:
            self._take_in(entry)

    def _take_in(self, entry: dict[str, Any]) -> None:
        if "survey" in entry:
            if entry["survey"] in self._tasks:  # others were of a scan with more grids
                self._surveyed[entry["survey"]] = entry
        elif "relaxed" in entry:
            if entry["relaxed"] in self._surveyed:
                self._surveyed[entry["relaxed"]]["relaxed"] = True
            if entry["record"]:
                self._relaxed.append(RelaxedRecord.model_validate(entry["record"]))
        elif "proof" in entry:
            proof = Proof.model_validate(entry["record"])
            self._proofs[entry["proof"]] = proof
            self._relaxed += [f.relaxed for f in proof.found if f.relaxed is not None]


def arrangement(grid: Any, places: dict[str, list[int]]) -> Any:
    """Return the crystal with elements at points of a grid."""
    from nucleate.crystal.crystal import Crystal
    from nucleate.crystal.elements import element

    numbers = np.concatenate(
        [np.full(len(points), element(symbol).number) for symbol, points in places.items()]
    )
    points = np.concatenate([np.array(p, dtype=np.int64) for p in places.values()])
    return Crystal(numbers, grid.cell, grid.scaled(points))
