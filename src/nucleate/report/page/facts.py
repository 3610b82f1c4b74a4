"""What the page says beyond the ranked rows: points, state, failures, ancestors."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from nucleate.crystal.candidate import family_of
from nucleate.relax.outcome import FailReason
from nucleate.report.done import missed_of
from nucleate.report.findings import read_findings
from nucleate.report.learned import learned_of
from nucleate.report.status import stop_reason_of, times_of
from nucleate.report.worked import what_worked
from nucleate.run.lock import is_locked
from nucleate.search.polished import JUDGED
from nucleate.text import clean

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from nucleate.report.learned import Learned
    from nucleate.report.rows import Row
    from nucleate.report.worked import Worked
    from nucleate.run.store import Store
    from nucleate.search.missed import Missed

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
    ancestors : dict of int to (str, list of int, dict)
        Source, parents and details of every listed record and of all before it.
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
    ancestors: dict[int, tuple[str, list[int], dict[str, Any]]] = field(default_factory=dict)
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
    lowest: dict[str, float] = {}
    everything = [] if tier is None else list(_points(store, tier, lowest))
    numbers = [row.record.number for row in rows if row.record is not None]
    return Facts(
        points=[point for _, point in _thinned(everything)],
        best=_best(everything),
        n_points=len(everything),
        lowest=lowest,
        running=is_locked(store.path.parent),
        stop_reason=stop_reason_of(store),
        elapsed_s=elapsed_s,
        core_s=core_s,
        failures=[
            row
            for row in store.failure_examples()
            if row[0] not in JUDGED and row[1] != FailReason.SCREENED
        ],
        policy=policy,
        worked=worked,
        learned=learned_of(store, core_s),
        missed=missed_of(store),
        final=_final(store),
        ancestors=_ancestors(store, numbers),
        engines=_engines(store),
    )


def _final(store: Store) -> list[str]:
    """Return what the final phase says, and how structures were compared."""
    findings = read_findings(store)
    if findings is None:
        return []
    how = (
        f"Polished structures are the same up to a displacement of {findings.tolerance:g} "
        f"(volume per atom)^(1/3), by {findings.matcher}."
    )
    return [*(clean(line) for line in findings.text), how]


def _engines(store: Store) -> list[str]:
    tiers = [*store.added_tiers().values(), *store.judges().values()]
    engines = [(data.get("settings") or {}).get("engine") or {} for data in tiers]
    return [kind for engine in engines if isinstance(kind := engine.get("kind"), str)]


def _points(
    store: Store, tier: str, lowest: dict[str, float]
) -> Iterable[tuple[int, tuple[int, str, float, float, float]]]:
    """Yield place in the order of the search, and the point; note the lowest of each source."""
    for place, (number, source, n_atoms, enthalpy, core_s, cell) in enumerate(
        store.point_rows(tier)
    ):
        if enthalpy is None or not np.isfinite(enthalpy):
            continue
        value = round(enthalpy / n_atoms, 5)
        lowest[source] = min(value, lowest.get(source, value))
        volume = abs(np.linalg.det(np.frombuffer(cell, dtype="<f8").reshape(3, 3)))
        yield (
            place,
            (
                number,
                family_of(source),
                value,
                round(core_s, 1),
                round(float(volume) / n_atoms, 3),
            ),
        )


def _best(
    everything: Sequence[tuple[int, tuple[int, str, float, float, float]]],
) -> list[tuple[int, float, float]]:
    found: list[tuple[int, float, float]] = []
    for place, (_, _, enthalpy, core_s, _) in everything:
        if not found or enthalpy < found[-1][2]:
            found.append((place, core_s, enthalpy))
    return found


def _thinned(
    everything: Sequence[tuple[int, tuple[int, str, float, float, float]]],
) -> list[tuple[int, tuple[int, str, float, float, float]]]:
    if len(everything) <= MOST_POINTS:
        return list(everything)
    lowest = {place for place, *_ in _best(everything)}
    every = len(everything) // MOST_POINTS + 1
    return [item for k, item in enumerate(everything) if k % every == 0 or item[0] in lowest]


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
