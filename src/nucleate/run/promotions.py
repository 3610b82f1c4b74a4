"""Which crystals climb to the next tier, decided in the order of their numbers.

A rule of promotion compares a crystal with those before it. If it were asked as the crystals come
in, the answer would depend on which worker happens to be faster; here a crystal waits until every
one with a smaller number has passed the tier or is out.
"""

from __future__ import annotations

from bisect import insort
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nucleate.relax.ladder import Ladder
    from nucleate.search.record import Record

    Decision = tuple[Record, int | None, bool]
    """Record, next tier or None, and whether an earlier start has its outcome."""


class Promotions:
    """Decides about the candidates in flight.

    Parameters
    ----------
    ladder : Ladder
        The rules.
    """

    def __init__(self, ladder: Ladder) -> None:
        self._ladder = ladder
        self._open: list[int] = []
        self._passed: dict[int, int] = {}  # tiers that are decided
        self._waiting: dict[int, Record] = {}

    def add(self, number: int) -> None:
        """Take note of a candidate that is on its way."""
        insort(self._open, number)
        self._passed[number] = 0

    def arrive(self, record: Record) -> None:
        """Take note that a candidate has an outcome of its next tier."""
        self._waiting[record.number] = record

    def decide(self) -> list[Decision]:
        """Return the decisions that can be made now."""
        decided: list[Decision] = []
        while (record := self._ready()) is not None:
            decided.append(self._decide(record))
        return decided

    def _decide(self, record: Record) -> Decision:
        del self._waiting[record.number]
        outcomes = record.within(self._ladder.names).outcomes
        reached = self._passed[record.number] + 1
        item = outcomes[reached - 1]
        self._ladder.note(item.tier, item.outcome)
        tier = self._ladder.next_tier(outcomes[:reached])
        self._passed[record.number] = reached
        is_known = tier is not None and len(outcomes) > reached
        if tier is None:
            self._open.remove(record.number)
            del self._passed[record.number]
        elif is_known:
            self._waiting[record.number] = record
        return record, tier, is_known

    def _ready(self) -> Record | None:
        blocked: set[int] = set()
        for number in self._open:
            tier = self._passed[number]
            record = self._waiting.get(number)
            if record is not None and (
                not self._ladder.is_conditional(tier) or tier not in blocked
            ):
                return record
            blocked.update(range(tier, len(self._ladder.names)))
        return None
