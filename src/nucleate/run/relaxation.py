"""Relax the crystals of files, many at once, without a search."""

from __future__ import annotations

import hashlib
import logging
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from nucleate.crystal.candidate import Candidate, Origin
from nucleate.crystal.crystal import Crystal
from nucleate.crystal.formats.structures import ReadStructure
from nucleate.errors import InputError
from nucleate.relax.ladder import Ladder
from nucleate.run.campaign import Campaign
from nucleate.run.events import Silent
from nucleate.run.folder import check_same_input, now, surroundings
from nucleate.run.journal import StoreJournal
from nucleate.run.lock import locked
from nucleate.run.log import WORKER_LOGS
from nucleate.run.pool import Pool
from nucleate.run.settings import spec_of
from nucleate.run.store import Store
from nucleate.search.listed import COMPLETE, ListSearch
from nucleate.search.search import Trial
from nucleate.signals import stopping_on_signals

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from nucleate.crystal.formats.structures import Item
    from nucleate.run.executor import Executor
    from nucleate.run.settings import RelaxationSettings
    from nucleate.search.record import Record, SearchUpdate

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class FileCrystal:
    """A structure of a file.

    Attributes
    ----------
    file, name : str
        Where it is from.
    crystal : Crystal or InputError
        The structure, or what is wrong with it.
    fixed : ndarray of bool, shape (n_atoms, 3), or None
        True for each fractional coordinate that must stay; the cell then stays too.
    """

    file: str
    name: str
    crystal: Crystal | InputError
    fixed: NDArray[np.bool_] | None = None


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
    from nucleate.crystal.files import read_structures

    found = []
    for path in paths:
        items = read_structures(path)
        for note in _notes(items):
            _log.warning("%s: %s", path, note)
        found += [_file_crystal(path, item) for item in items]
    if found and all(isinstance(item.crystal, InputError) for item in found):
        assert isinstance(found[0].crystal, InputError)
        raise found[0].crystal
    return found


def _file_crystal(path: str | Path, item: Item) -> FileCrystal:
    if not isinstance(item, ReadStructure):
        return FileCrystal(str(path), item.name, item.error)
    return FileCrystal(str(path), item.name, item.crystal, held(item))


def _notes(items: Sequence[Item]) -> list[str]:
    """Return what has to be reported about the reading of a file, each once."""
    notes = []
    for item in items:
        if not isinstance(item, ReadStructure):
            continue
        notes += item.notes
        fixed = held(item)
        if fixed is not None:
            notes.append("atoms are fixed; they stay where they are, and so does the cell.")
            if item.fixed is not None and not np.array_equal(fixed, item.fixed):
                notes.append(
                    "atoms are fixed along x, y or z, which are no lattice directions here; "
                    "they are held along all three."
                )
    return list(dict.fromkeys(notes))


def held(item: ReadStructure) -> NDArray[np.bool_] | None:
    """Return the fractional coordinates that a file fixes, shape (n_atoms, 3); None if none.

    Where x, y and z are not the lattice directions, an atom that is fixed along any of them is
    held along all: what the file holds then stays, at the price of holding more.
    """
    if item.fixed is None or not item.fixed.any():
        return None
    cell = item.crystal.cell
    aligned = np.allclose(cell, np.diag(np.diag(cell)), atol=1e-8)
    if item.fixed_along == "lattice" or aligned:
        return item.fixed
    return np.repeat(np.any(item.fixed, axis=1, keepdims=True), 3, axis=1)


def fixed_of(items: Sequence[FileCrystal]) -> dict[int, NDArray[np.bool_]]:
    """Return the fixed coordinates of the structures that have some, by their place."""
    return {place: item.fixed for place, item in enumerate(items) if item.fixed is not None}


def relax_files(
    items: Sequence[FileCrystal],
    settings: RelaxationSettings,
    *,
    folder: Path | None = None,
    on_record: Callable[[Record], None] | None = None,
    executor: Executor | None = None,
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
        Run folder that keeps every outcome as soon as it is available. If it holds part of the same
        series, that part is not done again.
    on_record
        Called with every finished record, those of an earlier start included.
    executor
        Who relaxes, one relaxer for each tier; default: worker processes.

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
        seen = Seen(on_record)
        left = sum(isinstance(item.crystal, Crystal) for item in items) - store.n_records()
        if not left:
            for record, update in store.records():
                seen.on_record(record, update, replayed=True)
            return SeriesSummary(seen.records, "")
        if executor is None:
            executor = stack.enter_context(_pool(settings, left, folder))
            executor.wait_until_ready()
        campaign = Campaign(
            StoreJournal(store),
            ListSearch(trials(items)),
            Ladder(settings.tier),
            executor,
            callback=seen,
            fixed=fixed_of(items),
        )
        stack.enter_context(stopping_on_signals(campaign.request_stop))
        reason = campaign.run().reason
        return SeriesSummary(seen.records, "" if reason == COMPLETE else reason)


class Seen(Silent):
    """Keeps the records and passes them on."""

    def __init__(self, on_record: Callable[[Record], None] | None) -> None:
        self.records: dict[int, Record] = {}
        self._on_record = on_record

    def on_record(self, record: Record, update: SearchUpdate, *, replayed: bool) -> None:  # noqa: ARG002
        """Keep it."""
        self.records[record.number] = record
        if self._on_record is not None:
            self._on_record(record)


def trials(items: Sequence[FileCrystal]) -> Iterator[Trial]:
    """Yield a trial for each structure that is not broken, numbered by its place."""
    for number, item in enumerate(items):
        if isinstance(item.crystal, Crystal):
            yield Trial(number, _candidate(item, item.crystal))


def _candidate(item: FileCrystal, crystal: Crystal) -> Candidate:
    return Candidate(crystal, Origin("file", detail={"file": item.file, "name": item.name}))


def _pool(settings: RelaxationSettings, n_pending: int, folder: Path) -> Pool:
    workers = min(settings.run.n_workers, n_pending)
    spec = spec_of(settings.tier, settings.pressure_gpa, settings.run)
    return Pool(spec, workers=workers, logs=folder / WORKER_LOGS)


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
            if item.fixed is not None:
                total.update(b"fixed" + item.fixed.tobytes())
        else:
            total.update(b"broken")
    return total.hexdigest()[:16]
