"""Several runs of one problem, such as those of several seeds, as one."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nucleate.crystal.fingerprint import fingerprint, fingerprint_distance
from nucleate.energy.compression import Compression
from nucleate.errors import InputError
from nucleate.run.folder import flat, may_change_of_tier, now, stored_input
from nucleate.run.lock import is_locked
from nucleate.run.pressure import keep_compression, stored_compression
from nucleate.run.store import Store
from nucleate.search.minima import SAME_ENTHALPY, is_same_minimum

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    from nucleate.search.record import Record, SearchUpdate

MERGED = "merged"
"""``kind`` in the description of a store that was merged: no search continues it."""


def merge_runs(folders: Sequence[str | Path], out: str | Path) -> int:
    """Join the records of several runs in a new run folder.

    Records are renumbered in the order of the folders; their origin names the run, the seed and
    the number they had. A minimum that several runs found is one structure.

    Parameters
    ----------
    folders
        Runs of the same problem and tiers, none of which is in progress.
    out
        The new run folder.

    Returns
    -------
    int
        Number of records.

    Raises
    ------
    InputError
        If a run is in progress, or differs in composition, pressure or level of theory; the
        message names the difference. Nothing is written then.
    """
    paths = [Path(folder) for folder in folders]
    if len({path.resolve() for path in paths}) < max(len(paths), 2):
        raise InputError("merge needs two or more different run folders.")
    runs = [_read(path) for path in paths]
    for run in runs[1:]:
        _check_alike(runs[0], run)
    target = Path(out)
    target.mkdir(parents=True, exist_ok=True)
    meta = {key: value for key, value in runs[0].meta.items() if key != "schema_version"}
    sources = [{"run": str(run.path), "seed": run.meta.get("seed")} for run in runs]
    with Store.create(
        target, meta | {"kind": MERGED, "created": now(), "merged": sources}
    ) as store:
        for name, data in runs[0].added.items():
            store.add_tier(0.0, name, {key: data[key] for key in data if key != "name"})
        with Store.read(runs[0].path) as first:
            keep_compression(store, stored_compression(first) or Compression())
        joined = _Joined(store)
        for run in runs:
            joined.add(run)
        store.add_event(joined.seconds, "stop", {"reason": f"merged {len(runs)} runs"})
        store.commit()
    return joined.count


@dataclass(frozen=True, slots=True)
class _Run:
    path: Path
    meta: dict[str, Any]
    told: list[tuple[Record, SearchUpdate]]
    added: dict[str, dict[str, Any]]

    def levels(self) -> dict[str, str]:
        """Return what computed the energies of each tier."""
        found: dict[str, set[str]] = {}
        for record, _ in self.told:
            for tier in record.enthalpies():
                relaxed = record.relaxed_by(tier)
                assert relaxed is not None
                found.setdefault(tier, set()).add(str(relaxed.level))
        return {tier: ", ".join(sorted(levels)) for tier, levels in found.items()}


def _read(path: Path) -> _Run:
    with Store.read(path) as store:
        meta = store.meta
        if "problem" not in meta.get("input", {}):
            raise InputError(
                f"{path} holds relaxed structures of files, not a search. Leave it out."
            )
        if is_locked(path):
            raise InputError(f"{path} is in progress. Merge it when it has stopped.")
        return _Run(path, meta, list(store.records()), store.added_tiers())


def _check_alike(first: _Run, other: _Run) -> None:
    """Refuse runs whose energies must not be compared, by the first difference."""
    ours, theirs = (_compared(run) for run in (first, other))
    for key in (*ours, *(key for key in theirs if key not in ours)):
        a, b = ours.get(key), theirs.get(key)
        if a != b and not (key.startswith("level of ") and (a is None or b is None)):
            raise InputError(
                f"{other.path} differs from {first.path}: {key} is {b} there, {a} here. Merge "
                "runs of one composition, pressure and level of theory."
            )


def _compared(run: _Run) -> dict[str, Any]:
    """Return what must agree, by its name."""
    data = stored_input(run.meta)
    values: dict[str, Any] = {
        "composition": run.meta["formula"],
        "pressure_gpa": float(data["problem"].get("pressure_gpa", 0.0)),
    }
    for key, value in flat(data.get("tier", [])).items():
        if may_change_of_tier(key.split(".", 1)[-1]):
            continue
        values[f"tier.{key}"] = value
    values["tiers added later"] = ", ".join(run.added) or "none"
    return values | {f"level of {tier}": text for tier, text in run.levels().items()}


@dataclass(slots=True)
class _Joined:
    """A store under construction, and the distinct minima in it by tier."""

    store: Store
    count: int = 0
    seconds: float = 0.0
    core_s: float = 0.0
    best: Record | None = None
    minima: dict[str, list[tuple[float, np.ndarray, int]]] = field(default_factory=dict)

    def add(self, run: _Run) -> None:
        """Write the records of a run behind those there are."""
        first, start, core = self.count, self.seconds, self.core_s
        places = {record.number: first + place for place, (record, _) in enumerate(run.told)}
        known = {tier: list(minima) for tier, minima in self.minima.items()}
        for record, update in run.told:
            number = places[record.number]
            repeated = places.get(-1 if record.duplicate_of is None else record.duplicate_of)
            origin = record.candidate.origin
            detail = {"run": str(run.path), "run_seed": record.seed, "run_record": record.number}
            origin = replace(
                origin,
                parents=tuple(places[item] for item in origin.parents if item in places),
                detail={**origin.detail, **detail},
            )
            moved = replace(
                record,
                number=number,
                candidate=replace(record.candidate, origin=origin),
                duplicate_of=self._known(record, known) if repeated is None else repeated,
                asked_s=start + record.asked_s,
                finished_s=start + record.finished_s,
                core_s=core + record.core_s,
            )
            self._write(moved, replace(update, current=places.get(_or_none(update.current))))
            self.count += 1
            self.seconds = max(self.seconds, moved.finished_s)
            self.core_s = max(self.core_s, moved.core_s)

    def _known(self, record: Record, known: dict[str, list[Any]]) -> int | None:
        """Return the record of an earlier run that is the same minimum; remember it if none is."""
        relaxed, tier = record.relaxed, record.tier
        if relaxed is None or tier is None:
            return None
        enthalpy, made = relaxed.enthalpy_per_atom, fingerprint(relaxed.crystal)
        for other, theirs, number in known.get(tier, ()):
            gap = enthalpy - other
            if abs(gap) < SAME_ENTHALPY and is_same_minimum(
                fingerprint_distance(made, theirs), gap
            ):
                return number
        self.minima.setdefault(tier, []).append((enthalpy, made, self.count))
        return None

    def _write(self, record: Record, update: SearchUpdate) -> None:
        lowest = update.new_minimum and (self.best is None or _below(record, self.best))
        if lowest:
            self.best = record
        self.store.add_candidate(
            record.number,
            record.candidate,
            asked_s=record.asked_s,
            duplicate_of=None if record.outcomes else record.duplicate_of,
        )
        for position, item in enumerate(record.outcomes):
            self.store.add_outcome(record.number, position, item.tier, item.outcome)
        best = None if self.best is None else self.best.number
        told = replace(update, duplicate_of=record.duplicate_of, new_minimum=lowest, best=best)
        self.store.add_record(record, told)


def _or_none(number: int | None) -> int:
    return -1 if number is None else number


def _below(record: Record, best: Record) -> bool:
    ours, theirs = record.enthalpies(), best.enthalpies()
    shared = [tier for tier in ours if tier in theirs]
    return bool(shared) and ours[shared[-1]] < theirs[shared[-1]]
