"""The store: one SQLite file per run, append-only, written by the driver alone.

The journal mode is DELETE, which works on network file systems too. A candidate is written when
it is proposed, each outcome when its tier ends, and the record when the search has received
it, so that a killed run has lost no more than the relaxations that were in flight.
"""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import astuple
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nucleate.energy.level import LevelOfTheory
from nucleate.errors import InputError, NucleateError
from nucleate.relax.outcome import Relaxed
from nucleate.run import schema
from nucleate.run.codec import encode, geometry
from nucleate.run.database import Database
from nucleate.run.opening import open_database
from nucleate.run.reading import candidate_of, outcomes_of, steps_of, told_of
from nucleate.search.polished import FINAL, JUDGED, POLISHED
from nucleate.search.record import Record, SearchUpdate, TierOutcome

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from types import TracebackType

    from nucleate.crystal.candidate import Candidate
    from nucleate.relax.outcome import Outcome

STORE_NAME = "run.db"
CHUNK = 500
"""Records that are read at a time, so that no reader holds the file for a long time."""

ADDED_TIER = "tier"
"""Kind of the events that say which tiers were added to the ladder after the search."""


class Store:
    """The records of one run.

    Open it with :meth:`create`, :meth:`append_to` (the driver) or :meth:`read` (everyone else, also
    during the run). Writing methods take effect with :meth:`commit`; a process killed
    before has written nothing.
    """

    def __init__(
        self, connection: Database, path: Path, *, version: int = schema.SCHEMA_VERSION
    ) -> None:
        self.db = connection
        self.path = path
        self._version = version
        self._levels: dict[LevelOfTheory, int] = {}
        self._times: dict[int, tuple[float, float]] = {}

    @classmethod
    def create(cls, folder: str | Path, meta: Mapping[str, Any]) -> Store:
        """Make the store of a new run.

        Parameters
        ----------
        folder
            The run folder, which exists.
        meta
            What describes the run (input, versions, machine, seed); values are kept as JSON.

        Raises
        ------
        InputError
            If the folder has a store already, or cannot be written.
        """
        path = Path(folder) / STORE_NAME
        if path.exists():
            raise InputError(f"{path} exists already. Choose another run folder with --out.")
        unfinished = path.with_suffix(".new")
        unfinished.unlink(missing_ok=True)
        try:
            with closing(Database(unfinished, mode="rwc")) as db:
                db.executescript("BEGIN;" + schema.TABLES + schema.ADDITIONS)
                rows = {"schema_version": schema.SCHEMA_VERSION, **meta}.items()
                db.executemany(
                    schema.INSERT_META,
                    [(key, json.dumps(value)) for key, value in rows],
                )
                db.commit()
            unfinished.rename(path)
        except (OSError, sqlite3.Error, NucleateError) as error:
            raise InputError(
                f"{folder}: the run folder cannot be written ({error}). Choose another one with "
                "--out."
            ) from error
        return cls.append_to(folder)

    @classmethod
    def append_to(cls, folder: str | Path) -> Store:
        """Open the store of a run to continue writing.

        Raises
        ------
        InputError
            If there is no store, or none that this version can write.
        """
        return cls._open(folder, writable=True)

    @classmethod
    def read(cls, folder: str | Path) -> Store:
        """Open the store of a run for reading; the run may be in progress.

        Raises
        ------
        InputError
            If there is no store, or none that this version can read.
        """
        return cls._open(folder, writable=False)

    @classmethod
    def exists(cls, folder: str | Path) -> bool:
        """Return whether a folder holds a store."""
        return (Path(folder) / STORE_NAME).exists()

    @classmethod
    def _open(cls, folder: str | Path, *, writable: bool) -> Store:
        path = Path(folder) / STORE_NAME
        db, version = open_database(path, writable=writable)
        return cls(db, path, version=version)

    def close(self) -> None:
        """Close the file; what has not been committed is lost."""
        self.db.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def meta(self) -> dict[str, Any]:
        """What describes the run: input, versions, machine, seed, schema version."""
        rows = self.db.execute("SELECT key, value FROM meta")
        return {key: json.loads(value) for key, value in rows}

    def commit(self) -> None:
        """Make everything written so far permanent."""
        self.db.commit()

    def add_candidate(
        self,
        number: int,
        candidate: Candidate,
        *,
        asked_s: float = 0.0,
        duplicate_of: int | None = None,
    ) -> None:
        """Write a candidate that has just been proposed."""
        crystal, origin = candidate.crystal, candidate.origin
        self.db.execute(
            schema.INSERT_CANDIDATE,
            (
                number,
                origin.source,
                json.dumps(origin.parents),
                json.dumps(origin.detail),
                crystal.n_atoms,
                *geometry(crystal).values(),
                duplicate_of,
                asked_s,
            ),
        )

    def add_outcome(self, number: int, position: int, tier: str, outcome: Outcome) -> None:
        """Write what a tier made of a candidate; ``position`` counts its outcomes from 0."""
        row = encode(outcome)
        if isinstance(outcome, Relaxed):
            row["level"] = self._level_id(outcome.level)
        self.db.execute(schema.INSERT_OUTCOME, (number, position, tier, *row.values()))

    def append_outcome(self, number: int, tier: str, outcome: Outcome) -> None:
        """Write an outcome behind those that a candidate has; a tier's last one is valid."""
        (position,) = self.db.execute(schema.NEXT_POSITION, (number,)).fetchone()
        self.add_outcome(number, position, tier, outcome)

    def add_tier(self, time_s: float, name: str, data: Mapping[str, Any]) -> None:
        """Write that the ladder has a tier more, above those it had."""
        self.add_event(time_s, ADDED_TIER, {"name": name, **data})

    def added_tiers(self) -> dict[str, dict[str, Any]]:
        """Return what :meth:`add_tier` was told, by name, in order; the final phase comes first."""
        found = {data["name"]: data for _, _, data in self.events(ADDED_TIER)}
        polish = {name: found[name] for name in POLISHED if name in found}
        return polish | {name: found[name] for name in found if name not in FINAL}

    def judges(self) -> dict[str, dict[str, Any]]:
        """Return what :meth:`add_tier` was told of the tiers of a second model, by name."""
        found = {data["name"]: data for _, _, data in self.events(ADDED_TIER)}
        return {name: found[name] for name in JUDGED if name in found}

    def tiers(self) -> tuple[str, ...]:
        """Return the names of all tiers in the order of the ladder."""
        searched = self.meta.get("input", {}).get("tier", ())
        return (*(tier["name"] for tier in searched), *self.added_tiers())

    def tiers_seen(self) -> tuple[str, ...]:
        """Return the names of the tiers that saw any record, in the order of the ladder."""
        rows = self.db.execute(schema.SELECT_TIERS)
        seen, ladder = [tier for tier, _ in rows if tier not in JUDGED], self.tiers()
        return (
            tuple(tier for tier in ladder if tier in seen)
            if set(seen) <= set(ladder)
            else (tuple(seen))
        )

    def add_record(
        self, record: Record, update: SearchUpdate, *, provisional: bool = False
    ) -> None:
        """Write that a candidate is finished and what the search made of it.

        Its candidate and outcomes must have been written before. What was written provisionally
        is taken back when the run is continued.
        """
        self.db.execute(
            schema.INSERT_RECORD,
            (
                record.number,
                update.duplicate_of,
                record.finished_s,
                record.core_s,
                update.accepted,
                update.new_minimum,
                update.melted,
                update.temperature,
                update.current,
                update.best,
                update.is_target,
                provisional,
            ),
        )
        if update.memo:
            self.add_memo(record.number, update.memo)

    def add_memo(self, number: int, memo: bytes) -> None:
        """Write what the search wants to have back of a record when the run is continued."""
        self.db.execute(schema.INSERT_MEMO, (number, memo))

    def add_event(self, time_s: float, kind: str, data: Mapping[str, Any]) -> None:
        """Write something that happened (start, stop, worker lost), for the log."""
        self.db.execute(schema.INSERT_EVENT, (time_s, kind, json.dumps(dict(data))))

    def records(self, *, after: int = 0) -> Iterator[tuple[Record, SearchUpdate]]:
        """Yield the finished records and updates in the order in which the search received them.

        Parameters
        ----------
        after
            Leave out this number from the beginning, for those who have read them before.
        """
        seed = self.meta.get("seed", 0)
        select = schema.of_version(schema.SELECT_RECORDS, self._version)
        while rows := self.db.execute(select, (after, CHUNK)).fetchall():
            outcomes = self._outcomes(schema.SELECT_OUTCOMES_OF_RECORDS, (after, rows[-1][0]))
            after = rows[-1][0]
            for row in rows:
                yield told_of(row, outcomes, seed)

    def records_of(self, numbers: Iterable[int]) -> list[Record]:
        """Return some of the finished records, in the order of the numbers given."""
        seed, found = self.meta.get("seed", 0), []
        for number in numbers:
            rows = self.db.execute(schema.SELECT_RECORD, (number,)).fetchall()
            outcomes = self._outcomes(schema.SELECT_OUTCOMES_OF_RECORD, (number,))
            found += [told_of(row, outcomes, seed)[0] for row in rows]
        return found

    def summary_rows(self) -> Iterator[tuple[Any, ...]]:
        """Yield what a ranking needs of each finished record, without any geometry.

        Each row is record, tier, status, reason, enthalpy in eV per cell, atoms, and the record
        that it repeats; a record has one row for each outcome in their order, and one with None as
        its tier where there is none.
        """
        yield from self.db.execute(schema.of_version(schema.SELECT_SUMMARY, self._version))

    def history_rows(self) -> Iterator[tuple[Any, ...]]:
        """Yield what tables and figures of a whole run need, in the order of the search.

        Each row is record, source, atoms, the record the walk stands on, melted, new minimum, and
        of an outcome the tier, status, reason, enthalpy in eV per cell, convergence and level; a
        record has one row for each outcome, and one with None as its tier where there is none.
        """
        yield from self.db.execute(schema.of_version(schema.SELECT_HISTORY, self._version))

    def search_rows(self) -> Iterator[tuple[Any, ...]]:
        """Yield what a search learns from, in its order; the columns are in the statement."""
        yield from self.db.execute(schema.SELECT_SEARCH)

    def point_rows(self, tier: str) -> Iterator[tuple[Any, ...]]:
        """Yield what plots need of every record, in the order of the search.

        Each row is record, source, atoms, enthalpy in eV per cell on this tier (None where there is
        none), processor time in seconds, and the cell as 72 bytes.
        """
        yield from self.db.execute(schema.SELECT_POINTS, (tier,))

    def trajectory_rows(self, tier: str) -> list[tuple[Any, ...]]:
        """Return record, source, atoms, and status, enthalpy (eV per cell), level on a tier."""
        statement = schema.of_version(schema.SELECT_TRAJECTORY, self._version)
        return self.db.execute(statement, (tier,)).fetchall()

    def failure_examples(self) -> Iterator[tuple[str, str, int, int, str]]:
        """Yield tier, reason, how often, and of the first such record its number and message."""
        yield from self.db.execute(schema.SELECT_FAILURE_EXAMPLES)

    def origin_rows(self, numbers: Iterable[int]) -> Iterator[tuple[int, str, str, str]]:
        """Yield number, source, parents and details (the last two as JSON) of candidates."""
        for number in numbers:
            yield from self.db.execute(schema.SELECT_ORIGIN, (number,))

    def levels(self) -> dict[int, LevelOfTheory]:
        """Return the levels of theory by their key."""
        rows = self.db.execute(schema.SELECT_LEVELS)
        return {row[0]: LevelOfTheory(*row[1:]) for row in rows}

    def times(self) -> tuple[float, float]:
        """Return the latest running time and processor time in seconds of all records."""
        return self.db.execute(schema.SELECT_TIMES).fetchone()

    def unfinished(self) -> list[Record]:
        """Return the candidates that were proposed but not finished, in order of number.

        ``duplicate_of`` is that of the start; times are of a record that was taken back, else 0.
        """
        seed = self.meta.get("seed", 0)
        rows = self.db.execute(schema.SELECT_UNFINISHED).fetchall()
        outcomes = self._outcomes(schema.SELECT_OUTCOMES_OF_UNFINISHED, ())
        return [
            Record(
                number=number,
                candidate=candidate_of(candidate),
                outcomes=outcomes.get(number, ()),
                duplicate_of=duplicate_of,
                seed=seed,
                asked_s=asked_s,
                finished_s=self._times.get(number, (0.0, 0.0))[0],
                core_s=self._times.get(number, (0.0, 0.0))[1],
            )
            for number, duplicate_of, asked_s, *candidate in rows
        ]

    def withdraw_provisional(self) -> None:
        """Take back the records that were written provisionally."""
        rows = self.db.execute(schema.SELECT_PROVISIONAL).fetchall()
        self._times = {number: (finished_s, core_s) for number, finished_s, core_s in rows}
        if rows:
            self.db.execute(schema.DELETE_PROVISIONAL)

    def events(self, kind: str | None = None) -> Iterator[tuple[float, str, dict[str, Any]]]:
        """Yield time in seconds, kind and data of the events, all or those of one kind."""
        rows = self.db.execute(schema.SELECT_EVENTS, (kind,)).fetchall()
        yield from ((time_s, name, json.loads(data)) for time_s, name, data in rows)

    def numbers(self) -> list[int]:
        """Return the numbers of the finished records, in order."""
        return [row[0] for row in self.db.execute(schema.SELECT_NUMBERS)]

    def statuses(self, tier: str) -> dict[int, str]:
        """Return ``relaxed`` or ``failed`` for each record that a tier, or a judge, has seen."""
        return dict(self.db.execute(schema.SELECT_STATUSES, (tier,)).fetchall())

    def judged(self) -> dict[tuple[int, str], Outcome]:
        """Return what a second model made of records, by number and tier of the polish."""
        known = dict(zip(JUDGED, POLISHED, strict=True))
        rows = self.db.execute(schema.SELECT_OUTCOMES_OF_TIERS, JUDGED)
        steps = steps_of(rows, self.levels())
        return {(number, known[item.tier]): item.outcome for number, item in steps}

    def n_records(self) -> int:
        """Return how many candidates are finished."""
        return self.db.execute("SELECT count(*) FROM record").fetchone()[0]

    def _level_id(self, level: LevelOfTheory) -> int:
        if level not in self._levels:
            self.db.execute(schema.INSERT_LEVEL, astuple(level))
            self._levels = {known: key for key, known in self.levels().items()}
        return self._levels[level]

    def _outcomes(
        self, statement: str, arguments: Sequence[Any]
    ) -> dict[int, tuple[TierOutcome, ...]]:
        rows = self.db.execute(statement, arguments)
        return outcomes_of(rows, self.levels(), tuple(self.added_tiers()))
