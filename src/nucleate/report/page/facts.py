"""What the page says beyond the ranked rows: points, state, failures, ancestors."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from math import inf, isfinite
from typing import TYPE_CHECKING, Any

import numpy as np

from nucleate.crystal.candidate import family_of
from nucleate.relax.outcome import FailReason
from nucleate.report.done import missed_of
from nucleate.report.findings import read_findings
from nucleate.report.learned import learned_of
from nucleate.report.status import proven_of, stop_reason_of, times_of
from nucleate.report.worked import what_worked
from nucleate.run.lock import is_locked
from nucleate.run.notes import notes_of
from nucleate.run.reference import EVENT as TARGET
from nucleate.search.polished import JUDGED
from nucleate.text import clean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nucleate.report.learned import Learned
    from nucleate.report.rows import Row
    from nucleate.report.worked import Worked
    from nucleate.run.store import Store
    from nucleate.search.missed import Missed

    _Relaxed = tuple[int, float, tuple[Any, ...]]
    """Place in the order of the search, enthalpy per atom, and the row of the store."""

MOST_POINTS = 8000
"""Structures in the plots; of more, those that were the best so far and an even share."""

LONGEST_TREE = 40
"""Generations of a family tree."""


@dataclass(frozen=True, slots=True, eq=False)
class Facts:
    """What the store says for the page.

    Attributes
    ----------
    points : list of (int, str, float, float, float)
        Record, source, enthalpy per atom, processor time in seconds, volume in Å³ per atom; in the
        order of the search.
    best : list of (int, float, float)
        Place in the order of the search, processor time and enthalpy of every new best one.
    n_points : int
        Structures with an energy, of which ``points`` may be a share.
    lowest : dict of str to float
        By generator or move: lowest enthalpy per atom of its structures.
    running : bool
        Whether a driver holds the lock of the folder.
    stop_reason : str or None
        Why the search stopped last.
    elapsed_s, core_s : float
        Running time and processor time in seconds.
    failures : list of (str, str, int, int, str)
        Tier, reason, how many, one record, its message.
    policy : str
        Kind of the policy; empty for a run without sources and moves.
    worked : list of Worked
        What came of each source and move.
    learned : Learned or None
        What a surrogate did; None for a run without one.
    missed : Missed or None
        Chance that a lower minimum was missed.
    final : list of str
        What the final phase says.
    notes : list of str
        What the search said of its input and the workers at the last start.
    ancestors : dict of int to (str, list of int, dict)
        Source, parents and details of every listed record and of all before it.
    lines : list of (str, float)
        Known enthalpies per atom that the plots show as lines, with their names.
    engines : list of str
        Kinds of the engines of tiers that were added after the search, and of the second model.
    """

    points: list[tuple[int, str, float, float, float]] = field(default_factory=list)
    best: list[tuple[int, float, float]] = field(default_factory=list)
    n_points: int = 0
    lowest: dict[str, float] = field(default_factory=dict)
    running: bool = False
    stop_reason: str | None = None
    elapsed_s: float = 0.0
    core_s: float = 0.0
    failures: list[tuple[str, str, int, int, str]] = field(default_factory=list)
    policy: str = ""
    worked: list[Worked] = field(default_factory=list)
    learned: Learned | None = None
    missed: Missed | None = None
    final: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    ancestors: dict[int, tuple[str, list[int], dict[str, Any]]] = field(default_factory=dict)
    lines: list[tuple[str, float]] = field(default_factory=list)
    engines: list[str] = field(default_factory=list)


def facts_of(store: Store, tier: str | None, rows: Sequence[Row]) -> Facts:
    """Return what the store says for the page.

    Parameters
    ----------
    store
        Open for reading; the run may still be writing to it.
    tier
        The tier whose enthalpies are drawn; None where none gave any.
    rows
        The rows that are listed.
    """
    elapsed_s, core_s = times_of(store)
    policy, worked = what_worked(store)
    everything = [] if tier is None else _relaxed_rows(store, tier)
    numbers = [row.record.number for row in rows if row.record is not None]
    return Facts(
        points=_points(_thinned(everything)),
        best=_best(everything),
        n_points=len(everything),
        lowest=_lowest(everything),
        running=is_locked(store.path.parent),
        stop_reason=stop_reason_of(store),
        elapsed_s=elapsed_s,
        core_s=core_s,
        failures=[
            row
            for row in store.failure_examples()
            if row[0] not in JUDGED and row[1] != FailReason.SCREENED
        ],
        notes=notes_of(store),
        policy=policy,
        worked=worked,
        learned=learned_of(store, core_s),
        missed=missed_of(store),
        final=_final(store),
        ancestors=_ancestors(store, numbers),
        lines=_lines(store, tier),
        engines=_engines(store),
    )


def _lines(store: Store, tier: str | None) -> list[tuple[str, float]]:
    """Return the enthalpy of the target as the tier relaxes it."""
    found = [data["enthalpy"] for _, _, data in store.events(TARGET) if data.get("tier") == tier]
    return [("target", round(float(found[-1]), 5))] if found else []


def _final(store: Store) -> list[str]:
    """Return how near the target is, what the final phase says, and how it compared structures."""
    near = [data.get("target") for _, kind, data in store.events() if kind in ("start", "stop")]
    text = clean(str(near[-1])) if near and near[-1] else ""
    target = [f"{text[0].upper()}{text[1:]}."] if text else []
    findings = read_findings(store)
    proven = proven_of(store)
    if findings is None:
        return [*target, *proven]
    how = (
        f"Polished structures are the same up to a displacement of {findings.tolerance:g} "
        f"(volume per atom)^(1/3), by {findings.matcher}."
    )
    return [*target, *(clean(line) for line in findings.text), how, *proven]


def _engines(store: Store) -> list[str]:
    tiers = [*store.added_tiers().values(), *store.judges().values()]
    engines = [(data.get("settings") or {}).get("engine") or {} for data in tiers]
    return [kind for engine in engines if isinstance(kind := engine.get("kind"), str)]


def _relaxed_rows(store: Store, tier: str) -> list[_Relaxed]:
    """Return the relaxed structures of a tier in the order of the search."""
    return [
        (place, round(row[3] / row[2], 5), row)
        for place, row in enumerate(store.point_rows(tier))
        if row[3] is not None and isfinite(row[3])
    ]


def _lowest(everything: Sequence[_Relaxed]) -> dict[str, float]:
    """Return the lowest enthalpy of each source."""
    lowest: dict[str, float] = {}
    for _, value, row in everything:
        if value < lowest.get(row[1], inf):
            lowest[row[1]] = value
    return lowest


def _best(everything: Sequence[_Relaxed]) -> list[tuple[int, float, float]]:
    found: list[tuple[int, float, float]] = []
    lowest = inf
    for place, value, row in everything:
        if value < lowest:
            lowest = value
            found.append((place, round(row[4], 1), value))
    return found


def _thinned(everything: Sequence[_Relaxed]) -> Sequence[_Relaxed]:
    if len(everything) <= MOST_POINTS:
        return everything
    lowest = {place for place, *_ in _best(everything)}
    every = len(everything) // MOST_POINTS + 1
    return [item for k, item in enumerate(everything) if k % every == 0 or item[0] in lowest]


def _points(shown: Sequence[_Relaxed]) -> list[tuple[int, str, float, float, float]]:
    cells = np.frombuffer(b"".join(row[5] for _, _, row in shown), dtype="<f8").reshape(-1, 3, 3)
    volumes = np.abs(np.linalg.det(cells)).tolist()
    return [
        (row[0], family_of(row[1]), value, round(row[4], 1), round(volume / row[2], 3))
        for (_, value, row), volume in zip(shown, volumes, strict=True)
    ]


def _ancestors(
    store: Store, numbers: Sequence[int]
) -> dict[int, tuple[str, list[int], dict[str, Any]]]:
    found: dict[int, tuple[str, list[int], dict[str, Any]]] = {}
    wanted = list(numbers)
    for _ in range(LONGEST_TREE):
        wanted = [number for number in dict.fromkeys(wanted) if number not in found]
        if not wanted:
            break
        for number, source, parents, detail in store.origin_rows(wanted):
            found[number] = (source, list(json.loads(parents)), json.loads(detail))
        wanted = [parent for number in wanted for parent in found.get(number, ("", [], {}))[1]]
    return found
