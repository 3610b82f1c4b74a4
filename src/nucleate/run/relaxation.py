"""Relax the crystals of files, many at once, without a search."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nucleate.crystal.candidate import Candidate, Origin
from nucleate.crystal.constraints import along_lattice
from nucleate.crystal.crystal import Crystal
from nucleate.crystal.formats.structures import ReadStructure
from nucleate.errors import InputError
from nucleate.relax.ladder import Ladder
from nucleate.relax.settings import under_pressure
from nucleate.run.campaign import Campaign
from nucleate.run.events import Silent
from nucleate.run.folder import check_same_input, now, stored_input, surroundings
from nucleate.run.journal import StoreJournal
from nucleate.run.leftovers import temporary_folder
from nucleate.run.lock import locked
from nucleate.run.new_keys import with_new_keys
from nucleate.run.pressure import (
    compression_line,
    compression_of_samples,
    keep_compression,
    stored_compression,
)
from nucleate.run.starting import start_executor
from nucleate.run.store import STORE_NAME, Store
from nucleate.search.listed import COMPLETE, ListSearch
from nucleate.search.search import Trial
from nucleate.search.stop import Stop
from nucleate.signals import stopping_on_signals

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from nucleate.crystal.formats.structures import Item
    from nucleate.relax.settings import TierSettings
    from nucleate.run.executor import Executor
    from nucleate.run.settings import RelaxationSettings
    from nucleate.search.record import Record, SearchUpdate

SAMPLES, LARGEST_SAMPLE = 4, 40
"""Structures whose compression is found out for a series, and the atoms that they have at most."""

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
    session_s : float
        Running time in seconds, loading and compilation left out.
    """

    records: dict[int, Record]
    reason: str
    session_s: float = 0.0


def read_files(paths: Iterable[str | Path]) -> list[FileCrystal]:
    """Return all structures of some files, in order.

    Raises
    ------
    InputError
        If a file cannot be opened, or nothing that can be read is in any of them.
    """
    return list(checked(iter_files(paths)))


def iter_files(paths: Iterable[str | Path], *, with_notes: bool = True) -> Iterator[FileCrystal]:
    """Yield the structures of some files one by one, and log what has to be said of each file."""
    from nucleate.crystal.files import iter_structures

    for path in paths:
        notes: dict[str, None] = {}
        for item in iter_structures(path):
            notes |= dict.fromkeys(_notes(item))
            yield _file_crystal(path, item)
        for note in notes if with_notes else ():
            _log.warning("%s: %s", path, note)


def checked(items: Iterable[FileCrystal]) -> Iterator[FileCrystal]:
    """Yield structures; raise the error of the first where none of them can be read."""
    first: InputError | None = None
    stream = iter(items)
    for item in stream:
        if not isinstance(item.crystal, InputError):
            yield item
            break
        first = first or item.crystal
        yield item
    else:
        if first is not None:
            raise first
    yield from stream


class Files:
    """The structures of files, read again whenever they are gone through: none is kept.

    Parameters
    ----------
    paths : sequence of str or Path
        Files and folders, which must not change meanwhile.
    """

    def __init__(self, paths: Sequence[str | Path]) -> None:
        self._paths = tuple(paths)
        self._is_noted = False

    def __iter__(self) -> Iterator[FileCrystal]:
        with_notes, self._is_noted = not self._is_noted, True
        yield from checked(iter_files(self._paths, with_notes=with_notes))


def _file_crystal(path: str | Path, item: Item) -> FileCrystal:
    if not isinstance(item, ReadStructure):
        return FileCrystal(str(path), item.name, item.error)
    return FileCrystal(str(path), item.name, item.crystal, held(item))


def _notes(item: Item) -> list[str]:
    """Return what has to be reported about the reading of a structure."""
    if not isinstance(item, ReadStructure):
        return []
    notes = list(item.notes)
    fixed = held(item)
    if fixed is not None:
        notes.append("atoms are fixed; they stay where they are, and so does the cell.")
        if item.fixed is not None and not np.array_equal(fixed, item.fixed):
            notes.append(
                "atoms are fixed along x, y or z, which are no lattice directions here; "
                "they are held along all three."
            )
    return notes


def held(item: ReadStructure) -> NDArray[np.bool_] | None:
    """Return the fractional coordinates that a file fixes, shape (n_atoms, 3); None if none."""
    if item.fixed is None or not item.fixed.any():
        return None
    return (
        item.fixed
        if item.fixed_along == "lattice"
        else along_lattice(item.fixed, item.crystal.cell)
    )


def fixed_of(items: Iterable[FileCrystal]) -> dict[int, NDArray[np.bool_]]:
    """Return the fixed coordinates of the structures that have some, by their place."""
    return {place: item.fixed for place, item in enumerate(items) if item.fixed is not None}


@dataclass(frozen=True, slots=True)
class Survey:
    """What is known of structures that have been gone through once.

    Attributes
    ----------
    number, n_good : int
        Structures, and those of them that can be read.
    digest : str
        What changes when any structure does.
    fixed : dict of int to ndarray of bool, shape (n_atoms, 3)
        The fixed coordinates, by place.
    samples : tuple of Crystal
        The first small ones of a few compositions.
    """

    number: int
    n_good: int
    digest: str
    fixed: dict[int, NDArray[np.bool_]]
    samples: tuple[Crystal, ...] = ()


def survey_of(items: Iterable[FileCrystal]) -> Survey:
    """Go through structures once, keeping none."""
    total, fixed, number, n_good = hashlib.sha256(), {}, 0, 0
    samples: dict[str, Crystal] = {}
    for place, item in enumerate(items):
        number += 1
        if not isinstance(item.crystal, Crystal):
            total.update(b"broken")
            continue
        n_good += 1
        if len(samples) < SAMPLES and item.crystal.n_atoms <= LARGEST_SAMPLE:
            samples.setdefault(item.crystal.reduced_formula, item.crystal)
        for array in (item.crystal.numbers, item.crystal.cell, item.crystal.scaled):
            total.update(array.tobytes())
        if item.fixed is not None:
            fixed[place] = item.fixed
            total.update(b"fixed" + item.fixed.tobytes())
    return Survey(number, n_good, total.hexdigest()[:16], fixed, tuple(samples.values()))


def relax_files(
    items: Iterable[FileCrystal],
    settings: RelaxationSettings,
    *,
    survey: Survey | None = None,
    keep: bool = True,
    folder: Path | None = None,
    on_record: Callable[[Record], None] | None = None,
    executor: Executor | None = None,
    time_s: float | None = None,
) -> SeriesSummary:
    """Relax the structures of files in worker processes; each climbs all tiers.

    Ctrl-C and SIGTERM end the series after what is being written.

    Parameters
    ----------
    items
        Structures, which are gone through one by one; the broken ones are left out.
    settings
        Tiers, pressure, workers.
    survey
        What :func:`survey_of` gives of them, if it was made already.
    keep
        Whether the summary has the records; without, memory does not grow with their number.
    folder
        Run folder that keeps every outcome as soon as it is available. If it holds part of the same
        series, that part is not done again.
    on_record
        Called with every finished record, those of an earlier start included.
    executor
        Who relaxes, one relaxer for each tier; default: worker processes.
    time_s
        Stop after this running time, loading and compilation left out.

    Raises
    ------
    InputError
        If the folder holds something else, or an engine's settings cannot be used.
    WorkerStartError
        If the engines cannot be loaded.
    """
    survey = survey or survey_of(items)
    with ExitStack() as stack:
        if folder is None:
            folder = Path(stack.enter_context(temporary_folder()))
        stack.enter_context(locked(folder))
        store = stack.enter_context(_open_store(folder, survey, settings))
        seen = Seen(on_record, keep=keep)
        left = survey.n_good - store.n_records()
        if not left:
            for record, update in store.records():
                seen.on_record(record, update, replayed=True)
            return SeriesSummary(seen.records, "")
        if executor is None:
            tiers = pressed_tiers(settings.tier, settings.pressure_gpa, survey.samples, store)
            executor = start_executor(
                settings, tiers, folder, pressure_gpa=settings.pressure_gpa, most=left
            )
            stack.callback(executor.close)
        campaign = Campaign(
            StoreJournal(store),
            ListSearch(trials(items)),
            Ladder(settings.tier),
            executor,
            stop=Stop(time_s=time_s),
            callback=seen,
            fixed=survey.fixed,
        )
        stack.enter_context(stopping_on_signals(campaign.request_stop))
        summary = campaign.run()
        reason = "" if summary.reason == COMPLETE else summary.reason
        return SeriesSummary(seen.records, reason, summary.progress.session_s)


class StoredRecords(Mapping[int, "Record"]):
    """The records of a folder by number, each read when it is asked for."""

    def __init__(self, folder: Path) -> None:
        self._store = Store.read(folder)

    def __getitem__(self, number: int) -> Record:
        found = self._store.records_of([number])
        if not found:
            raise KeyError(number)
        return found[0]

    def __iter__(self) -> Iterator[int]:
        return iter(self._store.numbers())

    def __len__(self) -> int:
        return self._store.n_records()


class Seen(Silent):
    """Keeps the records and passes them on."""

    def __init__(self, on_record: Callable[[Record], None] | None, *, keep: bool = True) -> None:
        self.records: dict[int, Record] = {}
        self._keep = keep
        self._on_record = on_record

    def on_record(self, record: Record, update: SearchUpdate, *, replayed: bool) -> None:  # noqa: ARG002
        """Keep it if it is to be kept."""
        if self._keep:
            self.records[record.number] = record
        if self._on_record is not None:
            self._on_record(record)


def trials(items: Iterable[FileCrystal]) -> Iterator[Trial]:
    """Yield a trial for each structure that is not broken, numbered by its place."""
    for number, item in enumerate(items):
        if isinstance(item.crystal, Crystal):
            yield Trial(number, _candidate(item, item.crystal))


def _candidate(item: FileCrystal, crystal: Crystal) -> Candidate:
    detail: dict[str, Any] = {"file": item.file, "name": item.name}
    if item.fixed is not None:
        detail["fixed"] = item.fixed.astype(int).tolist()
    return Candidate(crystal, Origin("file", detail=detail))


def file_crystal_of(record: Record) -> FileCrystal:
    """Return the structure of a file as a record has it."""
    detail = record.candidate.origin.detail
    fixed = detail.get("fixed")
    return FileCrystal(
        str(detail.get("file", "")),
        str(detail.get("name", "")),
        record.candidate.crystal,
        None if fixed is None else np.array(fixed, dtype=bool),
    )


def pressed_tiers(
    tiers: Sequence[TierSettings],
    pressure_gpa: float,
    samples: Sequence[Crystal],
    store: Store | None = None,
) -> tuple[TierSettings, ...]:
    """Return tiers whose guards know what the pressure does to volumes, as those of a search do.

    Parameters
    ----------
    tiers, pressure_gpa, samples
        As in :func:`~nucleate.run.pressure.compression_of_samples`.
    store
        Keeps the number, so that a series that is continued has the same.
    """
    found = None if store is None else stored_compression(store)
    if found is None:
        found = compression_of_samples(tiers, pressure_gpa, samples)
    if store is not None:
        keep_compression(store, found)
    if line := compression_line(pressure_gpa, found):
        _log.info("%s", line)
    return under_pressure(tiers, found.factor)


def _open_store(folder: Path, survey: Survey, settings: RelaxationSettings) -> Store:
    data = settings.to_dict()
    data["structures"] = {"number": survey.number, "digest": survey.digest}
    if Store.exists(folder):
        with Store.read(folder) as store:
            old = with_new_keys(stored_input(store.meta), settings)
            check_same_input(old, data, folder / STORE_NAME)
        return Store.append_to(folder)
    meta: dict[str, Any] = {
        "kind": "relax",
        "input": data,
        "formula": f"{survey.number} structures of files",
        "seed": 0,
        "created": now(),
        **surroundings(),
    }
    return Store.create(folder, meta)
