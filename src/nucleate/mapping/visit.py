"""A visit: the run of one composition is opened, searched for a while, and closed."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from nucleate.run.events import Silent
from nucleate.run.predict import opened
from nucleate.search.guests import Guests

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nucleate.crystal.candidate import Candidate
    from nucleate.mapping.site import Site
    from nucleate.run.settings import RunSettings
    from nucleate.run.shared import SharedExecutor
    from nucleate.search.record import Record, SearchUpdate

LEAST_CORE_S, FIRST_CORE_S = 2.0, 0.5
"""Processor seconds of a visit, and of the first: opening a run takes about 0.1 s."""


class Visit(Silent):
    """The campaign of one composition, which shares the workers with others.

    Parameters
    ----------
    site : Site
        The composition; it takes note of what is found.
    settings : RunSettings
        The input of its run.
    shared : SharedExecutor
        Who relaxes.
    structures : int
        How many to relax; as many again while the visit is shorter than :data:`LEAST_CORE_S`,
        the first one than :data:`FIRST_CORE_S`.
    guests : sequence of Candidate
        Candidates from elsewhere, which come first.
    reason : str
        Why this composition was chosen.
    """

    def __init__(
        self,
        site: Site,
        settings: RunSettings,
        shared: SharedExecutor,
        *,
        structures: int,
        guests: Sequence[Candidate] = (),
        reason: str = "",
    ) -> None:
        self.site = site
        self.reason = reason
        self.change: float | None = None
        self._tier = settings.tier[-1].name
        self._structures = structures
        self._guests = guests
        self._share = shared.share()
        self._stack = ExitStack()
        self._before = site.n_structures, site.core_s
        opening = opened(
            settings,
            site.folder,
            callback=self,
            executor=lambda _: self._share,
            through=self._with_guests,
            keeps_log=False,
            pools=site.pools,
        )
        self._campaign = self._stack.enter_context(opening)
        try:
            self._campaign.begin()
        except BaseException:
            self._stack.close()
            raise
        self._stop = self._campaign.progress.stop
        self._stop.structures = self._campaign.n_finished + structures
        self._campaign.watch.halt()

    def _with_guests(self, search: object) -> Guests:
        guests = Guests(search)  # type: ignore[arg-type]
        guests.invite(self._guests)
        return guests

    def on_record(self, record: Record, update: SearchUpdate, *, replayed: bool) -> None:
        """Let the site take note of a new record."""
        del update, replayed
        self.site.note_record(record, self._tier)

    @property
    def n_structures(self) -> int:
        """Structures that have been finished since the visit began."""
        return self._campaign.n_finished - self._before[0]

    def turn(self) -> bool:
        """Proceed by one turn; return False if the visit is over."""
        self._campaign.watch.proceed()
        try:
            reason = self._campaign.stop_reason()
            if reason is None:
                self._campaign.turn()
                self._lengthen()
                return True
            self._end(reason, is_final=not self._is_full())
            return False
        finally:
            self._campaign.watch.halt()

    def _is_full(self) -> bool:
        limit = self._stop.structures
        return limit is not None and self._campaign.n_finished >= limit

    def _lengthen(self) -> None:
        """Continue a visit whose structures are too quick."""
        spent_s = self._campaign.progress.core_s - self._before[1]
        limit = self._stop.structures
        least_s = LEAST_CORE_S if self._before[0] else FIRST_CORE_S
        if limit is None or spent_s >= least_s:
            return
        if self._campaign.n_finished + self._structures // 2 >= limit:
            self._stop.structures = limit + self._structures

    def leave(self, reason: str) -> None:
        """End the visit before its time; what is in flight is taken up by the next one."""
        self._campaign.watch.proceed()
        self._end(reason, is_final=False)

    def _end(self, reason: str, *, is_final: bool) -> None:
        try:
            summary = self._campaign.end(reason)
        finally:
            self._stack.close()
            self._share.close()
        self.site.n_visits += 1
        self.site.core_s = summary.progress.core_s
        if is_final:
            first = summary.error.splitlines()[:1]
            self.site.closed = ": ".join([reason, *first])

    def abandon(self) -> None:
        """Close the run after an error."""
        self._stack.close()
        self._share.close()
