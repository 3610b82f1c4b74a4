"""The state of a run of any size, from numbers alone: geometries are read for the best only."""

from __future__ import annotations

import heapq
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from nucleate.report.findings import read_findings
from nucleate.report.ranking import LIKELY, rank_structures
from nucleate.search.polished import JUDGED, POLISHED, level_of_tier

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from nucleate.report.ranking import RankedStructure
    from nucleate.run.store import Store
    from nucleate.search.record import Record

SPARE = 3
"""Groups that are read beyond those asked for, for each: added tiers may unite some."""


@dataclass(frozen=True, slots=True)
class Overview:
    """What the numbers of a store say.

    Attributes
    ----------
    ranked : list of RankedStructure
        The best distinct structures.
    n_distinct, n_structures, n_repeats : int
        Distinct structures, records that were relaxed, and those that were not.
    failures : Counter
        First failure of each record, by reason.
    """

    ranked: list[RankedStructure]
    n_distinct: int
    n_structures: int
    n_repeats: int
    failures: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True)
class _Light:
    duplicate_of: int | None
    tier: str | None = None
    enthalpy: float = 0.0
    reason: str | None = None
    seen: int = 0


def overview(store: Store, *, best: int, order: str = LIKELY) -> Overview:
    """Return the numbers of a run and its best distinct structures.

    They are those of :func:`~nucleate.report.ranking.rank_structures` over all records, without
    reading the geometry of more than a few times ``best`` of them.

    Parameters
    ----------
    store
        Open for reading.
    best
        How many structures are ranked.
    order
        As in :func:`~nucleate.report.ranking.rank_structures`.
    """
    ladder, added, findings = store.tiers(), tuple(store.added_tiers()), read_findings(store)
    records, seen = _records(store, added)
    failures = Counter(light.reason for light in records.values() if light.reason is not None)
    n_paid = sum(light.seen > 0 for light in records.values())
    groups = _groups(records)
    tiers = [tier for tier in ladder if tier in seen] or seen
    depth = {level_of_tier(tier): place for place, tier in enumerate(tiers)}

    places = {
        number: (-depth.get(level_of_tier(light.tier), -1), light.enthalpy, number)
        for number, light in records.items()
        if light.tier is not None
    }
    lowest = [min(places[number] for number in group) for group in groups.values()]
    above = [key[-1] for key in sorted(lowest) if records[key[-1]].tier in added] if added else []
    first = [key[-1] for key in heapq.nsmallest(SPARE * best, lowest)]
    judged = [] if findings is None else [number for number, _ in findings.places]
    chosen = dict.fromkeys([*judged, *above, *first])
    full, unread = _read(store, chosen, groups)
    ranked = rank_structures(
        full, tiers, added=added, findings=findings, unread=unread, order=order
    )
    n_others = sum(1 for group in groups.values() if chosen.keys().isdisjoint(group))
    n_distinct = len(ranked) + n_others
    return Overview(ranked[:best], n_distinct, n_paid, len(records) - n_paid, Counter(failures))


def _read(
    store: Store, chosen: Iterable[int], groups: dict[int, list[int]]
) -> tuple[list[Record], dict[int, int]]:
    """Return the chosen records in full, and how many copies of each were not read."""
    found = {record.number: record for record in store.records_of(chosen)}
    full: list[Record] = []
    unread: dict[int, int] = {}
    for group in groups.values():
        own = [found[number] for number in group if number in found]
        if own:
            unread[own[0].number] = len(group) - len(own)
            full.append(replace(own[0], duplicate_of=None))
            full += [replace(record, duplicate_of=own[0].number) for record in own[1:]]
    return full, unread


def _records(store: Store, added: Sequence[str]) -> tuple[dict[int, _Light], list[str]]:
    """Return the records by number, and the tiers that occur in the order in which they do."""
    found: dict[int, _Light] = {}
    seen: dict[str, None] = {}
    climb = {level_of_tier(tier): place for place, tier in enumerate(added)}
    for number, tier, status, reason, enthalpy, n_atoms, duplicate_of in store.summary_rows():
        light = found.get(number)
        if light is None:
            light = found[number] = _Light(duplicate_of)
        if tier is None or tier in JUDGED:
            continue
        light.seen += 1
        seen[tier] = None
        if status == "relaxed":
            before = level_of_tier(light.tier or "")
            if light.tier in POLISHED and tier in POLISHED and light.enthalpy <= enthalpy / n_atoms:
                continue
            if not climb or climb.get(level_of_tier(tier), -1) >= climb.get(before, -1):
                light.tier, light.enthalpy = tier, enthalpy / n_atoms
        elif light.reason is None:
            light.reason = reason
    return found, list(seen)


def _groups(records: dict[int, _Light]) -> dict[int, list[int]]:
    """Return the records with an energy by the one that they repeat in the end."""
    groups: dict[int, list[int]] = {}
    for number, light in records.items():
        if light.tier is None:
            continue
        if light.duplicate_of is None:
            groups.setdefault(number, []).append(number)
            continue
        original, path = number, {number}
        while (above := records[original].duplicate_of) in records and above not in path:
            assert above is not None
            original = above
            path.add(above)
        groups.setdefault(original, []).append(number)
    return groups
