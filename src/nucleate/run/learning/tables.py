"""What a run that learns keeps in its store: tables of their own, apart from every energy."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from nucleate.errors import InputError
from nucleate.run.codec import GEOMETRY, crystal_of, geometry

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nucleate.crystal.crystal import Crystal
    from nucleate.run.database import Database
    from nucleate.run.store import Store


TABLES = """
CREATE TABLE IF NOT EXISTS considered (
    candidate INTEGER PRIMARY KEY,
    fit INTEGER NOT NULL,
    decision TEXT NOT NULL,
    repeats INTEGER,
    message TEXT NOT NULL,
    enthalpy_ev_per_atom REAL,
    leverage REAL,
    evaluations INTEGER NOT NULL,
    wall_s REAL NOT NULL,
    numbers BLOB,
    cell BLOB,
    scaled BLOB
);
CREATE TABLE IF NOT EXISTS frames (
    candidate INTEGER NOT NULL,
    position INTEGER NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY (candidate, position)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS point (
    candidate INTEGER PRIMARY KEY,
    enthalpy_ev_per_atom REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS review (
    number INTEGER PRIMARY KEY,
    candidate INTEGER NOT NULL,
    told INTEGER NOT NULL,
    data TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS fit (
    number INTEGER PRIMARY KEY,
    reason TEXT NOT NULL,
    refused INTEGER NOT NULL,
    core_s REAL NOT NULL,
    data BLOB
);
"""
"""``considered``: candidates by the surrogate, what was decided, and minima where one is needed.
``frames``: evaluations of the first tier, packed; those of another run have negative numbers.
``point``: enthalpies by the first tier at minima of the surrogate. ``review``: from which candidate
on which fit and limits hold. ``fit``: the fit of each review, without data where there is none."""

_SELECT_CONSIDERED = (
    "SELECT candidate, fit, decision, repeats, message, enthalpy_ev_per_atom, leverage, "
    "evaluations, wall_s, numbers, cell, scaled FROM considered ORDER BY candidate"
)


class Decision(StrEnum):
    """What is to be done with a minimum of the surrogate."""

    PROMISING = "promising"  # finished: low enough
    RANDOM = "random"  # finished: drawn
    POINT = "point"  # evaluated once by the first tier, not finished
    REPEAT = "repeat"  # not finished: another one at the same minimum is, or was refuted
    LEFT = "left"  # none of these
    DOUBTED = "doubted"  # promising, but far from what was learned: evaluated once before
    CONFIRMED = "confirmed"  # doubted, and finished because the evaluation is low enough as well
    REFUTED = "refuted"  # doubted, and not finished


FINISHES = (Decision.PROMISING, Decision.RANDOM, Decision.CONFIRMED)
WANTED = (*FINISHES, Decision.DOUBTED, Decision.REFUTED)
BEGINS = (*WANTED, Decision.POINT)
"""Decisions after which the first tier relaxes; those about minima that it relaxes or has refuted,
of which later ones are repeats; and those after which it does anything."""


@dataclass(frozen=True, slots=True, eq=False)
class Considered:
    """What the surrogate made of a candidate.

    Attributes
    ----------
    number, fit : int
        Of the candidate, and of the fit (that of its review).
    enthalpy : float or None
        eV/atom at the minimum; None where it is unphysical or was not found.
    leverage : float or None
        See :meth:`nucleate.surrogate.surrogate.Surrogate.leverage`.
    crystal : Crystal or None
        The minimum, or what the relaxation came to.
    message : str
        Why it failed, empty where it did not.
    evaluations, wall_s : int, float
        What it took.
    decision : Decision or None
        What was decided; None before it is its turn.
    repeats : int or None
        Candidate at the same minimum that is finished, or was refuted.
    """

    number: int
    fit: int
    enthalpy: float | None
    leverage: float | None
    crystal: Crystal | None
    message: str = ""
    evaluations: int = 0
    wall_s: float = 0.0
    decision: Decision | None = None
    repeats: int | None = None


@dataclass(frozen=True, slots=True)
class Review:
    """What holds from a candidate on.

    Attributes
    ----------
    number : int
        Of the review and of its fit; 0 for that at the start of a run that learns from another.
    candidate : int
        First candidate that it holds for.
    told : int
        Number of the last record whose evaluations its fit has learned.
    share : float
        Of the candidates, promising.
    learned : int
        Structures whose evaluations its fit has learned.
    on : bool
        Whether the surrogate chooses.
    correlation : float or None
        Of surrogate and first tier, by which that was decided.
    unphysical : float
        Share of unphysical minima by which that was decided.
    error_ev_per_atom : float or None
        Spread of the differences between the surrogate and the first tier's minimum.
    limit_ev_per_atom : float or None
        Highest enthalpy by the surrogate of what could end near the best; None where too few have
        been finished to say so.
    first_limit_ev_per_atom : float or None
        The same by the first tier, asked once at the minimum of the surrogate.
    """

    number: int
    candidate: int
    told: int
    share: float
    learned: int = 0
    on: bool = True
    correlation: float | None = None
    unphysical: float = 0.0
    error_ev_per_atom: float | None = None
    limit_ev_per_atom: float | None = None
    first_limit_ev_per_atom: float | None = None


@dataclass(frozen=True, slots=True)
class FitRow:
    """The fit of a review: its message, or why there is none.

    ``refused`` counts the evaluations that cannot be learned; ``core_s`` is processor time.
    """

    number: int
    data: bytes | None
    reason: str = ""
    refused: int = 0
    core_s: float = 0.0


def holds_learning(store: Store) -> bool:
    """Return whether a run has learned, or was to."""
    found = store.db.execute(
        "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'considered'"
    )
    return bool(found.fetchone()[0])


class LearningTables:
    """Reads and writes what is learned.

    Parameters
    ----------
    store : Store
        Open for writing; or for reading, with the tables in it.
    create : bool
        Whether to make the tables, where they do not exist.
    """

    def __init__(self, store: Store, *, create: bool = False) -> None:
        self._db: Database = store.db
        if create:
            self._db.executescript(TABLES)
            self._db.commit()

    def add(self, found: Considered) -> None:
        """Write what the surrogate made of a candidate, and what was decided about it.

        The minimum is kept where something begins there.
        """
        crystal = found.crystal if found.decision in BEGINS else None
        self._db.execute(
            "INSERT OR REPLACE INTO considered VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                found.number, found.fit, found.decision, found.repeats, found.message,
                found.enthalpy, found.leverage, found.evaluations, found.wall_s,
                *geometry(crystal).values(),
            ),
        )  # fmt: skip

    def settle(self, number: int, decision: Decision) -> None:
        """Write what came of a candidate that was doubted."""
        self._db.execute(
            "UPDATE considered SET decision = ? WHERE candidate = ?", (decision, number)
        )

    def repeats(self) -> dict[int, int]:
        """Return the candidate that each repeats which was not finished for this."""
        query = "SELECT candidate, repeats FROM considered WHERE repeats IS NOT NULL"
        return dict(self._db.execute(query).fetchall())

    def considered(self) -> Iterator[Considered]:
        """Yield what the surrogate made of candidates, in the order of their numbers."""
        rows = self._db.execute(_SELECT_CONSIDERED)
        yield from map(_considered, rows)

    def minimum(self, number: int) -> Crystal | None:
        """Return the geometry that the surrogate gave a candidate."""
        query = "SELECT numbers, cell, scaled FROM considered WHERE candidate = ?"
        row = self._db.execute(query, (number,)).fetchone()
        return crystal_of(dict(zip(GEOMETRY, row, strict=True)))

    def counts(self) -> dict[str, int]:
        """Return how many candidates were considered by decision."""
        rows = self._db.execute("SELECT decision, count(*) FROM considered GROUP BY decision")
        return dict(rows.fetchall())

    def add_point(self, candidate: int, enthalpy: float) -> None:
        """Write the enthalpy by the first tier at the minimum of the surrogate, in eV/atom."""
        self._db.execute("INSERT OR REPLACE INTO point VALUES (?, ?)", (candidate, enthalpy))

    def points(self) -> dict[int, float]:
        """Return the enthalpies by the first tier at minima of the surrogate, in eV/atom."""
        return dict(self._db.execute("SELECT candidate, enthalpy_ev_per_atom FROM point"))

    def add_frames(self, candidate: int, data: bytes) -> None:
        """Write evaluations behind those that a candidate has."""
        self._db.execute(
            "INSERT INTO frames SELECT ?1, coalesce(max(position) + 1, 0), ?2 FROM frames "
            "WHERE candidate = ?1",
            (candidate, data),
        )

    def frames(self, after: int, last: int) -> dict[int, list[bytes]]:
        """Return the packed evaluations of the candidates from after one to another."""
        rows = self._db.execute(
            "SELECT candidate, data FROM frames WHERE candidate > ? AND candidate <= ? "
            "ORDER BY candidate, position",
            (after, last),
        )
        found: dict[int, list[bytes]] = {}
        for candidate, data in rows:
            found.setdefault(candidate, []).append(data)
        return found

    def with_frames(self) -> set[int]:
        """Return the candidates that have evaluations."""
        return {row[0] for row in self._db.execute("SELECT DISTINCT candidate FROM frames")}

    def add_review(self, review: Review) -> None:
        """Write a review."""
        data = {
            "share": review.share, "learned": review.learned, "on": review.on,
            "correlation": review.correlation, "unphysical": review.unphysical,
            "error_ev_per_atom": review.error_ev_per_atom,
            "limit_ev_per_atom": review.limit_ev_per_atom,
            "first_limit_ev_per_atom": review.first_limit_ev_per_atom,
        }  # fmt: skip
        row = (review.number, review.candidate, review.told, json.dumps(data))
        self._db.execute("INSERT INTO review VALUES (?, ?, ?, ?)", row)

    def reviews(self) -> list[Review]:
        """Return the reviews in their order."""
        rows = self._db.execute("SELECT number, candidate, told, data FROM review ORDER BY number")
        return [Review(*row[:3], **_of_now(json.loads(row[3]))) for row in rows]

    def add_fit(self, fit: FitRow) -> None:
        """Write the fit of a review."""
        row = (fit.number, fit.reason, fit.refused, fit.core_s, fit.data)
        self._db.execute("INSERT OR REPLACE INTO fit VALUES (?, ?, ?, ?, ?)", row)

    def fits(self) -> list[FitRow]:
        """Return the fits in their order."""
        rows = self._db.execute("SELECT number, data, reason, refused, core_s FROM fit ORDER BY 1")
        return [FitRow(*row) for row in rows]


def _of_now(data: dict[str, Any]) -> dict[str, Any]:
    """Return the data of a review under the names of now."""
    if "spearman" in data:
        data["correlation"] = data.pop("spearman")
    return data


def _considered(row: tuple[Any, ...]) -> Considered:
    number, fit, decision, repeats, message, enthalpy, leverage, evaluations, wall_s = row[:9]
    return Considered(
        number=number,
        fit=fit,
        enthalpy=enthalpy,
        leverage=leverage,
        crystal=crystal_of(dict(zip(GEOMETRY, row[9:], strict=True))),
        message=message,
        evaluations=evaluations,
        wall_s=wall_s,
        decision=Decision(decision),
        repeats=repeats,
    )


def tables_of(store: Store, folder: str) -> LearningTables:
    """Return the tables of a run; raises InputError if it has learned nothing."""
    if not holds_learning(store):
        raise InputError(
            f"{folder}: this run has learned no surrogate. Give the folder of a run that was "
            "started with --learn."
        )
    return LearningTables(store)
