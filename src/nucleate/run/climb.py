"""Records on their way up a ladder without a search: each goes as far as the rules let it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from nucleate.run.folder import now, surroundings
from nucleate.run.outcomes import with_outcome
from nucleate.run.pool import wait_until_ready
from nucleate.run.process import Job

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from nucleate.relax.ladder import Ladder
    from nucleate.run.pool import Finished, Pool
    from nucleate.run.store import Store
    from nucleate.search.record import Record

POLL_S = 0.2


class Climb:
    """Sends records through the tiers of a ladder and writes every outcome when it is there.

    Parameters
    ----------
    ladder : Ladder
        The tiers; what a record has from other tiers does not count.
    store : Store
        Open for writing.
    on_record : callable, optional
        Called with every record that is through.

    Attributes
    ----------
    records : dict of int to Record
        Those that are through, by number.
    stop_request : str
        Why to stop before the end; empty for no reason.
    """

    start_event, stop_event = "start", "stop"

    def __init__(
        self, ladder: Ladder, store: Store, on_record: Callable[[Record], None] | None
    ) -> None:
        self._ladder = ladder
        self._store = store
        self._on_record = on_record
        self._started = time.monotonic()
        self._elapsed_before = max((time_s for time_s, *_ in store.events()), default=0.0)
        self._pending: dict[int, Record] = {}
        self.records: dict[int, Record] = {}
        self.stop_request = ""

    @property
    def n_pending(self) -> int:
        """How many records are not through."""
        return len(self._pending)

    def request_stop(self, reason: str) -> None:
        """Let :meth:`run` end soon; may be called by a signal handler."""
        self.stop_request = reason

    def note(self, records: Iterable[Record]) -> None:
        """Let the rules of promotion know the outcomes of records."""
        for record in records:
            for item in record.outcomes:
                self._ladder.note(item.tier, item.outcome)

    def run(self, pool: Pool) -> None:
        """Go on until every record is through or a stop was requested."""
        wait_until_ready(pool)
        self._write(self.start_event, {"time": now(), **surroundings()})
        for number in list(self._pending):
            self._go_on(number, pool)
        pool.feed()
        while self._pending and not self.stop_request:
            for item in pool.poll(POLL_S):
                self._advance(item, pool)
            self._store.commit()
            pool.feed()
        self._write(self.stop_event, {"reason": self.stop_request or "complete"})

    def next_tier(self, record: Record) -> int | None:
        """Return the tier that a record goes to next; None if it is through."""
        return self._ladder.next_tier(record.within(self._ladder.names).outcomes)

    def end(self, record: Record) -> None:
        """Take note of a record that is through."""
        self.records[record.number] = record
        if self._on_record is not None:
            self._on_record(record)

    @property
    def elapsed_s(self) -> float:
        """Running time in seconds of the run, earlier starts included."""
        return self._elapsed_before + time.monotonic() - self._started

    def _write(self, kind: str, data: dict[str, Any]) -> None:
        self._store.add_event(self.elapsed_s, kind, data)
        self._store.commit()

    def _advance(self, item: Finished, pool: Pool) -> None:
        number = item.job.key
        self._pending[number] = with_outcome(
            self._pending[number], item, ladder=self._ladder, store=self._store
        )
        self._go_on(number, pool)

    def _go_on(self, number: int, pool: Pool) -> None:
        record = self._pending[number]
        tier = self.next_tier(record)
        if tier is not None:
            pool.submit(Job(number, tier, record.crystal))
            return
        del self._pending[number]
        self._finish(record)
        self.end(record)

    def _finish(self, record: Record) -> None:
        """Write that a record is through, where that is not seen from its outcomes."""
