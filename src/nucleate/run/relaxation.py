"""Relax the crystals of files, many at once, without a search."""

from __future__ import annotations

import hashlib
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from nucleate.crystal.candidate import Candidate, Origin
from nucleate.crystal.crystal import Crystal
from nucleate.errors import InputError
from nucleate.relax.ladder import Ladder
from nucleate.run.climb import Climb
from nucleate.run.folder import check_same_input, locked, now, surroundings
from nucleate.run.pool import Pool
from nucleate.run.settings import spec_of
from nucleate.run.signals import stopping_on_signals
from nucleate.run.store import Store
from nucleate.search.record import Record, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from nucleate.run.settings import RelaxationSettings


@dataclass(frozen=True, slots=True, eq=False)
class FileCrystal:
    """A structure of a file.

    Attributes
    ----------
    file, name : str
        Where it is from.
    crystal : Crystal or InputError
        The structure, or what is wrong with it.
    """

    file: str
    name: str
    crystal: Crystal | InputError


@dataclass(frozen=True, slots=True, eq=False)
class SeriesSummary:
    """What became of the structures.

    Attributes
    ----------
    records : dict of int to Record
        The finished ones by their place in the input, from 0 on.
    reason : str
        Why the series stopped before its end, empty if it is complete.
    """

    records: dict[int, Record]
    reason: str


def read_files(paths: Iterable[str | Path]) -> list[FileCrystal]:
    """Return all structures of some files, in order.

    Raises
    ------
    InputError
        If a file cannot be opened, or nothing that can be read is in any of them.
    """
    from nucleate.crystal.files import read_frames

    found = [
        FileCrystal(str(path), name, crystal)
        for path in paths
        for name, crystal in read_frames(path)
    ]
    if found and all(isinstance(item.crystal, InputError) for item in found):
        assert isinstance(found[0].crystal, InputError)
        raise found[0].crystal
    return found


def relax_files(
    items: Sequence[FileCrystal],
    settings: RelaxationSettings,
    *,
    folder: Path | None = None,
    on_record: Callable[[Record], None] | None = None,
) -> SeriesSummary:
    """Relax the structures of files in worker processes; each climbs all tiers.

    Ctrl-C and SIGTERM end the series after what is being written.

    Parameters
    ----------
    items
        Structures; the broken ones are left out.
    settings
        Tiers, pressure, workers.
    folder
        Run folder that keeps every outcome as soon as it is there. If it holds part of the same
        series, that part is not done again.
    on_record
        Called with every finished record, those of an earlier start included.

    Raises
    ------
    InputError
        If the folder holds something else, or an engine's settings cannot be used.
    WorkerStartError
        If the engines cannot be loaded.
    """
    with ExitStack() as stack:
        if folder is None:
            folder = Path(stack.enter_context(TemporaryDirectory(prefix="nucleate-")))
        stack.enter_context(locked(folder))
        store = stack.enter_context(_open_store(folder, items, settings))
        series = _Series(items, Ladder(settings.tier), store, on_record)
        if series.n_pending:
            pool = stack.enter_context(_pool(settings, series.n_pending))
            stack.enter_context(stopping_on_signals(series.request_stop))
            series.run(pool)
        return SeriesSummary(series.records, series.stop_request)


class _Series(Climb):
    """The structures of files on their way through the tiers."""

    def __init__(
        self,
        items: Sequence[FileCrystal],
        ladder: Ladder,
        store: Store,
        on_record: Callable[[Record], None] | None,
    ) -> None:
        super().__init__(ladder, store, on_record)
        self._pending = {
            number: Record(number, _candidate(item, item.crystal))
            for number, item in enumerate(items)
            if isinstance(item.crystal, Crystal)
        }
        self._take_up()

    def _take_up(self) -> None:
        """Take what the store has from an earlier start, and write down what is new to it."""
        store = self._store
        for record, _ in store.records():
            del self._pending[record.number]
            self.end(record)
        unfinished = {record.number: record for record in store.unfinished()}
        for number, record in self._pending.items():
            if number not in unfinished:
                store.add_candidate(number, record.candidate)
        self._pending |= unfinished
        self.note((*self.records.values(), *unfinished.values()))
        store.commit()

    def _finish(self, record: Record) -> None:
        self._store.add_record(record, Verdict())


def _candidate(item: FileCrystal, crystal: Crystal) -> Candidate:
    return Candidate(crystal, Origin("file", detail={"file": item.file, "name": item.name}))


def _pool(settings: RelaxationSettings, n_pending: int) -> Pool:
    workers = min(settings.run.n_workers, n_pending)
    return Pool(spec_of(settings.tier, settings.pressure_gpa, settings.run), workers=workers)


def _open_store(folder: Path, items: Sequence[FileCrystal], settings: RelaxationSettings) -> Store:
    data = settings.model_dump(mode="json")
    data["structures"] = {"number": len(items), "digest": _digest(items)}
    if Store.exists(folder):
        with Store.read(folder) as store:
            check_same_input(store.meta["input"], data, folder)
        return Store.append_to(folder)
    meta: dict[str, Any] = {
        "kind": "relax",
        "input": data,
        "formula": f"{len(items)} structures of files",
        "seed": 0,
        "created": now(),
        **surroundings(),
    }
    return Store.create(folder, meta)


def _digest(items: Sequence[FileCrystal]) -> str:
    """Return what changes when any structure does."""
    total = hashlib.sha256()
    for item in items:
        crystal = item.crystal
        if isinstance(crystal, Crystal):
            for array in (crystal.numbers, crystal.cell, crystal.scaled):
                total.update(array.tobytes())
        else:
            total.update(b"broken")
    return total.hexdigest()[:16]
