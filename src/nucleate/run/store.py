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
from nucleate.run.codec import COLUMNS, decode, encode, geometry
from nucleate.run.database import Database
from nucleate.run.reading import candidate_of, told_of
from nucleate.search.polished import FINAL, JUDGED, POLISHED, in_order
from nucleate.search.record import Record, SearchUpdate, TierOutcome
from nucleate.text import label
from nucleate.writing import refuse_link

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

    def __init__(self, connection: Database, path: Path) -> None:
        self._db = connection
        self.path = path
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
                db.executescript("BEGIN;" + schema.TABLES)
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
        if writable:
            for name in (STORE_NAME, f"{STORE_NAME}-journal"):
                refuse_link(Path(folder) / name)
        if not path.is_file():
            raise InputError(f"{folder} is not a run folder: it has no {STORE_NAME}.")
        try:
            db = Database(path, mode="rw")
            db.execute("PRAGMA trusted_schema = OFF")
            store = cls(db, path)
            found = store.meta.get("schema_version")
        except (sqlite3.Error, ValueError, NucleateError) as error:
            raise InputError(
                f"{path} cannot be read as the store of a run ({label(error)})."
            ) from error
        others = db.execute(schema.SELECT_OTHERS).fetchall()
        if others:
            store.close()
            raise InputError(
                f"{path} has {', '.join(f'the {kind} {label(name)}' for kind, name in others)}, "
                "which no store of nucleate has. It was changed by another program; nothing in it "
                "was read."
            )
        if found != schema.SCHEMA_VERSION:
            store.close()
            raise InputError(
                f"{folder} is a run of another version of nucleate (schema version {found}, this "
                f"one reads {schema.SCHEMA_VERSION}); nothing in it was changed. Open it with the "
                "version that wrote it, or give another folder with --out."
            )
        if not writable:
            db.execute("PRAGMA query_only = ON")
        return store

    def close(self) -> None:
        """Close the file; what has not been committed is lost."""
        self._db.close()

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
        rows = self._db.execute("SELECT key, value FROM meta")
        return {key: json.loads(value) for key, value in rows}

    def commit(self) -> None:
        """Make everything written so far permanent."""
        self._db.commit()

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
        self._db.execute(
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
        self._db.execute(schema.INSERT_OUTCOME, (number, position, tier, *row.values()))

    def append_outcome(self, number: int, tier: str, outcome: Outcome) -> None:
        """Write an outcome behind those that a candidate has; a tier's last one is valid."""
        (position,) = self._db.execute(schema.NEXT_POSITION, (number,)).fetchone()
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

    def add_record(
        self, record: Record, update: SearchUpdate, *, provisional: bool = False
    ) -> None:
        """Write that a candidate is finished and what the search made of it.

        Its candidate and outcomes must have been written before. What was written provisionally
        is taken back when the run is continued.
        """
        self._db.execute(
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

    def add_event(self, time_s: float, kind: str, data: Mapping[str, Any]) -> None:
        """Write something that happened (start, stop, worker lost), for the log."""
        self._db.execute(schema.INSERT_EVENT, (time_s, kind, json.dumps(dict(data))))

    def records(self, *, after: int = 0) -> Iterator[tuple[Record, SearchUpdate]]:
        """Yield the finished records and updates in the order in which the search received them.

        Parameters
        ----------
        after
            Leave out this number from the beginning, for those who have read them before.
        """
        seed = self.meta.get("seed", 0)
        while rows := self._db.execute(schema.SELECT_RECORDS, (after, CHUNK)).fetchall():
            outcomes = self._outcomes(schema.SELECT_OUTCOMES_OF_RECORDS, (after, rows[-1][0]))
            after = rows[-1][0]
            for row in rows:
                yield told_of(row, outcomes, seed)

    def records_of(self, numbers: Iterable[int]) -> list[Record]:
        """Return some of the finished records, in the order of the numbers given."""
        seed, found = self.meta.get("seed", 0), []
        for number in numbers:
            rows = self._db.execute(schema.SELECT_RECORD, (number,)).fetchall()
            outcomes = self._outcomes(schema.SELECT_OUTCOMES_OF_RECORD, (number,))
            found += [told_of(row, outcomes, seed)[0] for row in rows]
        return found

    def summary_rows(self) -> list[tuple[Any, ...]]:
        """Return what a ranking needs of each finished record, without any geometry.

        Each row is record, tier, status, reason, enthalpy in eV per cell, atoms, and the record
        that it repeats; a record has one row for each outcome in their order, and one with None as
        its tier where there is none.
        """
        return self._db.execute(schema.SELECT_SUMMARY).fetchall()

    def times(self) -> tuple[float, float]:
        """Return the latest running time and processor time in seconds of all records."""
        return self._db.execute(schema.SELECT_TIMES).fetchone()

    def unfinished(self) -> list[Record]:
        """Return the candidates that were proposed but not finished, in order of number.

        Their ``duplicate_of`` is that of the starting geometry, their outcomes those of the tiers
        that had ended. Times are those of a record that was taken back, else 0.
        """
        seed = self.meta.get("seed", 0)
        rows = self._db.execute(schema.SELECT_UNFINISHED).fetchall()
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
        rows = self._db.execute(schema.SELECT_PROVISIONAL).fetchall()
        self._times = {number: (finished_s, core_s) for number, finished_s, core_s in rows}
        if rows:
            self._db.execute(schema.DELETE_PROVISIONAL)

    def events(self, kind: str | None = None) -> Iterator[tuple[float, str, dict[str, Any]]]:
        """Yield time in seconds, kind and data of the events, all or those of one kind."""
        for time_s, name, data in self._db.execute(schema.SELECT_EVENTS, (kind,)).fetchall():
            yield time_s, name, json.loads(data)

    def statuses(self, tier: str) -> dict[int, str]:
        """Return ``relaxed`` or ``failed`` for each record that a tier, or a judge, has seen."""
        return dict(self._db.execute(schema.SELECT_STATUSES, (tier,)).fetchall())

    def judged(self) -> dict[tuple[int, str], Outcome]:
        """Return what a second model made of records, by number and tier of the polish."""
        known = dict(zip(JUDGED, POLISHED, strict=True))
        found: dict[tuple[int, str], Outcome] = {}
        for number, tier, outcome in self._all_outcomes(schema.SELECT_OUTCOMES_OF_TIERS, JUDGED):
            found[number, known[tier]] = outcome
        return found

    def n_records(self) -> int:
        """Return how many candidates are finished."""
        return self._db.execute("SELECT count(*) FROM record").fetchone()[0]

    def _level_id(self, level: LevelOfTheory) -> int:
        if level not in self._levels:
            self._db.execute(schema.INSERT_LEVEL, astuple(level))
            self._levels = {known: key for key, known in self._known_levels().items()}
        return self._levels[level]

    def _known_levels(self) -> dict[int, LevelOfTheory]:
        rows = self._db.execute(schema.SELECT_LEVELS)
        return {row[0]: LevelOfTheory(*row[1:]) for row in rows}

    def _outcomes(
        self, statement: str, arguments: Sequence[Any]
    ) -> dict[int, tuple[TierOutcome, ...]]:
        found: dict[int, tuple[TierOutcome, ...]] = {}
        for number, tier, outcome in self._all_outcomes(statement, arguments):
            found[number] = (*found.get(number, ()), TierOutcome(tier, outcome))
        added = {name: depth for depth, name in enumerate(self.added_tiers(), start=1)}
        if added:
            found = {number: in_order(items, added) for number, items in found.items()}
        return found

    def _all_outcomes(
        self, statement: str, arguments: Sequence[Any]
    ) -> Iterator[tuple[int, str, Outcome]]:
        rows = self._db.execute(statement, arguments).fetchall()
        levels = self._known_levels()
        for number, tier, *values in rows:
            row = dict(zip(COLUMNS, values, strict=True))
            row["level"] = levels.get(row["level"])
            yield number, tier, decode(row)
