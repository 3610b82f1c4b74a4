"""What happens to a record when a tier has ended: written, noted, and kept with the others."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from nucleate.search.record import Record, TierOutcome

if TYPE_CHECKING:
    from nucleate.relax.ladder import Ladder
    from nucleate.run.pool import Finished
    from nucleate.run.store import Store


def with_outcome(record: Record, item: Finished, *, ladder: Ladder, store: Store) -> Record:
    """Write an outcome to the store, note it on the ladder and return the record with it."""
    tier = ladder.names[item.job.tier]
    store.append_outcome(record.number, tier, item.outcome)
    ladder.note(tier, item.outcome)
    return replace(record, outcomes=(*record.outcomes, TierOutcome(tier, item.outcome)))
