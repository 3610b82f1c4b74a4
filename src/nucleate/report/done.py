"""Is it done? What a store says of the chance that a lower minimum was missed."""

from __future__ import annotations

import json
from itertools import groupby
from typing import TYPE_CHECKING

from nucleate.run.learning.tables import LearningTables, holds_learning
from nucleate.search.missed import Finds, Missed, lineage

if TYPE_CHECKING:
    from nucleate.run.store import Store


MOST_READ = 50_000
"""Records of a run up to which they are all read once more for this: about 0.5 s."""


def missed_of(store: Store) -> Missed | None:
    """Return the chance that a lower minimum was missed; None before the first minimum.

    Tiers that were added after the search do not count. None for a run of more than 50,000 records
    too, in which it would take longer than everything else.
    """
    if store.n_records() > MOST_READ:
        return None
    finds = Finds()
    learned = LearningTables(store).repeats() if holds_learning(store) else {}
    added = set(store.added_tiers()) | set(store.judges())
    ladder = [tier for tier in store.tiers() if tier not in added]
    places = {tier: place for place, tier in enumerate(ladder)}
    for head, group in groupby(store.search_rows(), key=lambda row: row[:6]):
        number, source, parents, _, n_atoms, duplicate_of = head
        place = None
        for tier, status, _, enthalpy, *_ in (row[6:] for row in group):
            if status == "relaxed" and tier in places:
                found = places[tier], enthalpy / n_atoms
                place = found if place is None or found[0] >= place[0] else place
        known = learned.get(number, duplicate_of)  # a surrogate has found it again
        finds.add(number, lineage(source, json.loads(parents)), place, known)
    return finds.missed()
