"""Which structures of a run are taken further."""

from __future__ import annotations

from itertools import chain, zip_longest
from typing import TYPE_CHECKING

from nucleate.crystal.symmetry import SYMPREC_LADDER, space_group
from nucleate.report.ranking import groups_of, rank_structures
from nucleate.report.rule import score
from nucleate.search.polished import POLISHED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nucleate.report.content import RunContent
    from nucleate.report.prior import Prior
    from nucleate.report.ranking import RankedStructure
    from nucleate.run.final_settings import FinalSettings
    from nucleate.search.record import Record

LOOKED_AT = 100
"""Distinct structures whose structure type is looked up before those to polish are chosen."""

COPIES_LOOKED_AT = 200
"""Copies of a structure whose space group is looked at."""


def best_below(content: RunContent, names: Sequence[str], best: int) -> list[RankedStructure]:
    """Return the best distinct structures as they were before some tiers saw any of them.

    So the choice does not change while these tiers are at work.

    Parameters
    ----------
    content
        The run.
    names
        Names of the tiers; those that the run does not have yet come above all others.
    best
        How many structures.
    """
    ladder = content.ladder
    first = min((ladder.index(name) for name in names if name in ladder), default=len(ladder))
    below = ladder[:first]
    records = [record.within(below) for record, _ in content.told]
    added = tuple(name for name in content.added if name in below)
    verdict = content.verdict if any(name in below for name in POLISHED) else None
    return rank_structures(records, below, added=added, best=best, verdict=verdict)


def to_polish(content: RunContent, final: FinalSettings, prior: Prior | None) -> list[Record]:
    """Return the records that the final phase relaxes, the most important first.

    The lowest in energy and, where there is a prior, the first by energy and prior in turn; behind
    each the copies of another space group that the search took for the same.

    Parameters
    ----------
    content
        The run.
    final
        How many, and within which window.
    prior
        Weights of known structure types.
    """
    searched = _before_polish(content)
    ranked = best_below(content, POLISHED, LOOKED_AT)
    inside = [
        item
        for item in ranked
        if item.tier == ranked[0].tier and item.above_best <= final.window_ev_per_atom
    ]
    by_rule = list(inside)
    if prior is not None:
        weights = {item.rank: prior.weight(item.crystal) for item in inside}
        by_rule.sort(key=lambda item: score(item.above_best, weights[item.rank]))
    in_turn = [item for item in chain(*zip_longest(by_rule, inside)) if item is not None]
    chosen = list(dict.fromkeys(item.record.number for item in in_turn))[: final.best]
    known = {record.number: record for record in searched}
    groups = groups_of(searched)
    of_record = {record.number: group for group in groups for record in group}
    found: dict[int, Record] = {}
    for number in chosen:
        for record in (known[number], *_other_symmetries(known[number], of_record[number])):
            found.setdefault(record.number, record)
    return list(found.values())[: 2 * final.best]


def _before_polish(content: RunContent) -> list[Record]:
    first = [name for name in content.ladder if name not in content.added]
    return [record.within(first) for record, _ in content.told]


def _other_symmetries(lowest: Record, group: Sequence[Record]) -> list[Record]:
    """Return the lowest copy of each other space group, at most two, most common ones first."""
    seen: dict[int, list[Record]] = {}
    own = space_group(lowest.crystal, SYMPREC_LADDER[0])[0]
    same_tier = [record for record in group if record.tier == lowest.tier]
    for record in sorted(same_tier, key=_enthalpy)[:COPIES_LOOKED_AT]:
        number = space_group(record.crystal, SYMPREC_LADDER[0])[0]
        if number not in (own, 1):
            seen.setdefault(number, []).append(record)
    common = sorted(seen.values(), key=lambda records: (-len(records), records[0].number))
    return [records[0] for records in common[:2]]


def _enthalpy(record: Record) -> tuple[float, int]:
    assert record.relaxed is not None
    return record.relaxed.enthalpy_per_atom, record.number
