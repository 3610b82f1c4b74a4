"""Which structures of a run are taken further."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nucleate.report.ranking import rank_structures

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nucleate.report.content import RunContent
    from nucleate.report.ranking import RankedStructure


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
    return rank_structures(records, below, added=content.added, best=best)
