"""Is it done? What a store says of the chance that a lower minimum was missed."""

from __future__ import annotations

import json
from itertools import groupby
from typing import TYPE_CHECKING

from nucleate.search.missed import Finds, Missed, lineage

if TYPE_CHECKING:
    from nucleate.run.store import Store


def missed_of(store: Store) -> Missed | None:
    """Return the chance that a lower minimum was missed; None before the first minimum.

    Tiers that were added after the search do not count.
    """
    finds = Finds()
    added = set(store.added_tiers()) | set(store.judges())
    ladder = [tier for tier in store.tiers() if tier not in added]
    places = {tier: place for place, tier in enumerate(ladder)}
    for head, group in groupby(store.search_rows(), key=lambda row: row[:6]):
        number, source, parents, _, n_atoms, duplicate_of = head
        place = None
        for tier, status, enthalpy, _, _ in (row[6:] for row in group):
            if status == "relaxed" and tier in places:
                found = places[tier], enthalpy / n_atoms
                place = found if place is None or found[0] >= place[0] else place
        finds.add(number, lineage(source, json.loads(parents)), place, duplicate_of)
    return finds.missed()
