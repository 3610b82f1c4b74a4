"""Which structures of a run are taken further."""

from __future__ import annotations

from itertools import chain, zip_longest
from typing import TYPE_CHECKING

from nucleate.crystal.symmetry import SYMPREC_LADDER, symmetry_dataset
from nucleate.report.ranking import groups_of, rank_structures
from nucleate.report.rule import scores
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

MOST_OTHERS, OFTEN = 4, 3
"""Copies of other space groups that are polished too: of the first few structures, else one."""

COPIES_LOOKED_AT = 300
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
    findings = content.findings if any(name in below for name in POLISHED) else None
    return rank_structures(records, below, added=added, best=best, findings=findings)


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
        Weights of known structure types. The window begins at the first by the rule, which an
        unphysical minimum of the model is not always.
    """
    searched = _before_polish(content)
    ranked = best_below(content, POLISHED, LOOKED_AT)
    ranked = [item for item in ranked if item.tier == ranked[0].tier]
    by_rule = _by_rule(ranked, prior)
    limit = final.window_ev_per_atom + max((item.above_best for item in by_rule[:1]), default=0.0)
    by_rule, inside = (
        [item for item in order if item.above_best <= limit] for order in (by_rule, ranked)
    )
    in_turn = [item for item in chain(*zip_longest(by_rule, inside)) if item is not None]
    chosen = list(dict.fromkeys(item.record.number for item in in_turn))[: final.best]
    known = {record.number: record for record in searched}
    groups = groups_of(searched)
    of_record = {record.number: group for group in groups for record in group}
    found: dict[int, Record] = {}
    for place, number in enumerate(chosen):
        most = MOST_OTHERS if place < OFTEN else 1
        others = _other_symmetries(known[number], of_record[number], most)
        for record in (known[number], *others):
            found.setdefault(record.number, record)
    return list(found.values())[: 2 * final.best]


def _by_rule(ranked: Sequence[RankedStructure], prior: Prior | None) -> list[RankedStructure]:
    if prior is None:
        return list(ranked)
    weights = [prior.weight(item.crystal) for item in ranked]
    order = scores([item.above_best for item in ranked], weights)
    return [ranked[place] for place in order.argsort(kind="stable")]


def _before_polish(content: RunContent) -> list[Record]:
    first = [name for name in content.ladder if name not in content.added]
    return [record.within(first) for record, _ in content.told]


def _other_symmetries(lowest: Record, group: Sequence[Record], most: int) -> list[Record]:
    """Return the lowest copy of other space groups: the one of highest symmetry, common ones."""
    if len(group) == 1:
        return []
    seen: dict[int, list[Record]] = {}
    heights: dict[int, float] = {}
    own, _ = _symmetry(lowest)
    same_tier = [record for record in group if record.tier == lowest.tier]
    for record in sorted(same_tier, key=_enthalpy)[:COPIES_LOOKED_AT]:
        number, height = _symmetry(record)
        if number not in (own, 1):
            seen.setdefault(number, []).append(record)
            heights[number] = height
    if not seen:
        return []
    highest = max(heights, key=heights.__getitem__)
    common = sorted(seen, key=lambda number: (-len(seen[number]), number))
    return [seen[number][0] for number in dict.fromkeys([highest, *common])][:most]


def _symmetry(record: Record) -> tuple[int, float]:
    """Return the space group of a record, and the operations for each atom as its height."""
    dataset = symmetry_dataset(record.crystal, SYMPREC_LADDER[0])
    if dataset is None:
        return 1, 0.0
    return dataset.number, len(dataset.operations) / record.crystal.n_atoms


def _enthalpy(record: Record) -> tuple[float, int]:
    assert record.relaxed is not None
    return record.relaxed.enthalpy_per_atom, record.number
