"""Relax the crystals of files, many at once, without a search."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nucleate.crystal.candidate import Candidate, Origin
from nucleate.crystal.crystal import Crystal
from nucleate.relax.ladder import Ladder
from nucleate.relax.settings import under_pressure
from nucleate.run.campaign import Campaign
from nucleate.run.events import Silent
from nucleate.run.folder import check_same_input, now, stored_input, surroundings
from nucleate.run.journal import StoreJournal
from nucleate.run.leftovers import temporary_folder
from nucleate.run.listed_files import FileCrystal, Survey, survey_of
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

    from nucleate.relax.settings import TierSettings
    from nucleate.run.executor import Executor
    from nucleate.run.settings import RelaxationSettings
    from nucleate.run.starting import Where
    from nucleate.search.record import Record, SearchUpdate

_log = logging.getLogger(__name__)


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
    core_s : float
        Processor time in seconds of this process and the workers, counted in the same way.
    """

    records: dict[int, Record]
    reason: str
    session_s: float = 0.0
    core_s: float = 0.0


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
    where: Where | None = None,
    workplace: Path | None = None,
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
    where
        Input that says where it is computed; default: ``settings``.
    workplace
        Folder for files of the executor; default: that of the series.

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
                where or settings,
                tiers,
                workplace or folder,
                pressure_gpa=settings.pressure_gpa,
                most=left,
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
        done = summary.progress
        return SeriesSummary(seen.records, reason, done.session_s, done.core_s)


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
