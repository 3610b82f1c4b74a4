"""Which structures of a run are taken further."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from nucleate.crystal.symmetry import SYMPREC_LADDER, symmetry_dataset
from nucleate.report.light import best_groups
from nucleate.report.ranking import rank_structures
from nucleate.report.rule import scores
from nucleate.search.polished import POLISHED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nucleate.report.content import RunContent
    from nucleate.report.prior import Prior
    from nucleate.report.ranking import RankedStructure
    from nucleate.run.final_settings import FinalSettings
    from nucleate.run.store import Store
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


def to_polish(store: Store, final: FinalSettings, prior: Prior | None) -> list[Record]:
    """Return the records that the final phase relaxes, the most important first.

    The lowest in energy and, where there is a prior, the first by energy and prior in turn; behind
    each the copies of another space group that the search took for the same.

    Parameters
    ----------
    store
        Of the run.
    final
        How many, and within which window.
    prior
        Weights of known structure types. The window begins at the first by the rule, which an
        unphysical minimum of the model is not always.

    Returns
    -------
    list of Record
        As the tiers of the search left them.
    """
    searched = [tier for tier in store.tiers() if tier not in store.added_tiers()]
    groups = best_groups(store, LOOKED_AT)
    heads = [item.within(searched) for item in store.records_of(group[0] for group in groups)]
    of_record = {group[0]: group for group in groups}
    heads = [item for item in heads if item.tier == heads[0].tier]
    chosen = _chosen(heads, final, prior)
    found: dict[int, Record] = {}
    for place, record in enumerate(chosen):
        copies = store.records_of(of_record[record.number][:COPIES_LOOKED_AT])
        most = MOST_OTHERS if place < OFTEN else 1
        others = _other_symmetries(record, [item.within(searched) for item in copies], most)
        for item in (record, *others):
            found.setdefault(item.number, item)
    return list(found.values())[: 2 * final.best]


def _chosen(heads: Sequence[Record], final: FinalSettings, prior: Prior | None) -> list[Record]:
    """Return the lowest structures and the first by the rule in turn."""
    if not heads:
        return []
    above = [_enthalpy(item)[0] - _enthalpy(heads[0])[0] for item in heads]
    by_rule = list(range(len(heads)))
    if prior is not None:
        weights = [prior.weight(item.crystal) for item in heads]
        by_rule = scores(above, weights).argsort(kind="stable").tolist()
    limit = final.window_ev_per_atom + above[by_rule[0]]
    in_turn = chain.from_iterable(zip(by_rule, range(len(heads)), strict=True))
    inside = [place for place in dict.fromkeys(in_turn) if above[place] <= limit]
    return [heads[place] for place in inside[: final.best]]


def _other_symmetries(lowest: Record, group: Sequence[Record], most: int) -> list[Record]:
    """Return the lowest copy of other space groups: the one of highest symmetry, common ones."""
    if len(group) == 1:
        return []
    seen: dict[int, list[Record]] = {}
    heights: dict[int, float] = {}
    own, _ = _symmetry(lowest)
    for record in group:
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
