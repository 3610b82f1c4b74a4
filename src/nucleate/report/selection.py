"""Which structures of a run are taken further."""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

from nucleate.crystal.symmetry import SYMPREC_LADDER, symmetry_dataset
from nucleate.report.light import best_groups
from nucleate.report.ranking import rank_structures
from nucleate.report.rule import FLOOR, scores
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
"""Distinct structures of lowest energy whose structure type is looked up before those to polish are
chosen."""

LIKELIEST = 50
"""Others that are looked at: those drawn as known structures that the rule puts first. A known type
may lie above hundreds of distortions of it that the energy model puts too low."""

KNOWN = "prototypes"
"""Generator of known structures."""

MOST_OTHERS, OFTEN = 4, 3
"""Copies of other space groups that are polished too: of the first few structures, else one."""

DRAWN_LOOKED_AT = 2
"""Copies of a structure drawn as known structures whose structure type is looked up."""

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
    chosen = _chosen(contenders(store, prior), final)
    found: dict[int, Record] = {}
    for place, item in enumerate(chosen):
        copies = store.records_of(item.copies[:COPIES_LOOKED_AT])
        most = MOST_OTHERS if place < OFTEN else 1
        others = _other_symmetries(item.record, [copy.within(searched) for copy in copies], most)
        for record in (item.record, item.typed, *others):
            found.setdefault(record.number, record)
    return list(found.values())[: 2 * final.best]


@dataclass(frozen=True, slots=True, eq=False)
class Contender:
    """A distinct structure of a search that may be the observed one.

    Attributes
    ----------
    record : Record
        The lowest of its records, as the tiers of the search left it.
    copies : tuple of int
        Numbers of all its records on this tier, the lowest first.
    weight : float
        Prior weight of its structure type; 0 without a prior.
    typed : Record
        The record that has this weight: a copy that was drawn as a known structure may have kept
        the symmetry that the lowest has lost by a fraction of a meV.
    """

    record: Record
    copies: tuple[int, ...]
    weight: float
    typed: Record

    @property
    def enthalpy(self) -> float:
        """Enthalpy of the lowest record in eV/atom."""
        assert self.record.relaxed is not None
        return self.record.relaxed.enthalpy_per_atom


def contenders(store: Store, prior: Prior | None) -> list[Contender]:
    """Return the distinct structures among which the likeliest is looked for, the lowest first.

    The lowest of the last tier and, where there is a prior, those drawn as known structures that
    come first by the rule.

    Parameters
    ----------
    store
        Of the run.
    prior
        Weights of known structure types.

    Returns
    -------
    list of Contender
        At most 150, all on the same tier.
    """
    searched = [tier for tier in store.tiers() if tier not in store.added_tiers()]
    drawn = {} if prior is None else _drawn_as_known(store)
    found: list[Contender] = []
    for group in best_groups(store, LOOKED_AT, weights=drawn, likeliest=LIKELIEST):
        kept = sorted(drawn.keys() & set(group[1:]), key=lambda number: -drawn[number])
        records = store.records_of([group[0], *kept[:DRAWN_LOOKED_AT]])
        records = [record.within(searched) for record in records]
        weights = [0.0 if prior is None else prior.weight(item.crystal) for item in records]
        weight = max(weights)
        found.append(Contender(records[0], tuple(group), weight, records[weights.index(weight)]))
    return [item for item in found if item.record.tier == found[0].record.tier]


def _drawn_as_known(store: Store) -> dict[int, float]:
    """Return the prior weights of the records that were drawn as known structures."""
    return {
        number: float(json.loads(detail).get("weight", 0.0))
        for number, source, _, detail, *_ in store.search_rows()
        if source == KNOWN
    }


def _chosen(items: Sequence[Contender], final: FinalSettings) -> list[Contender]:
    """Return the lowest and the first by the rule in turn; without weights these are the same.

    The window does not exclude known types among the first by the rule: where the model has
    unphysical minima, the observed structure may be far above them.
    """
    if not items:
        return []
    above = [item.enthalpy - items[0].enthalpy for item in items]
    by_rule = scores(above, [item.weight for item in items]).argsort(kind="stable").tolist()
    limit = final.window_ev_per_atom + above[by_rule[0]]
    spared = {place for place in by_rule[: final.best // 2] if items[place].weight > FLOOR}
    in_turn = dict.fromkeys(chain.from_iterable(zip(by_rule, range(len(items)), strict=True)))
    inside = [place for place in in_turn if above[place] <= limit or place in spared]
    return [items[place] for place in inside[: final.best]]


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
