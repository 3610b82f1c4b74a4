"""The campaign of a map: many compositions, one pool of workers, one question at a time.

Each composition is a run in a folder of its own, and the map visits them. As long as a visit has
work for all workers it is alone; when it cannot fill them any more, the next one begins beside it.
What comes next is decided by :mod:`nucleate.mapping.allocation` from the energies of all.
"""

from __future__ import annotations

import logging
import sqlite3
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nucleate.errors import ComponentError, ContractError, InputError, NucleateError
from nucleate.mapping.allocation import allocate
from nucleate.mapping.comparable import Standard
from nucleate.mapping.events import MapProgress
from nucleate.mapping.travel import guests_of
from nucleate.mapping.visit import Visit
from nucleate.run.stopwatch import Stopwatch
from nucleate.text import in_a_line

if TYPE_CHECKING:
    from nucleate.mapping.allocation import Choice
    from nucleate.mapping.energies import Energies
    from nucleate.mapping.events import MapCallback
    from nucleate.mapping.hull import Hull
    from nucleate.mapping.settings import MapSettings
    from nucleate.mapping.site import Site
    from nucleate.mapping.store import MapStore
    from nucleate.run.shared import SharedExecutor

MOST_VISITS = 4
"""Compositions that are searched at the same time."""

COMPLETE = "every composition of the map is complete"
CONVERGED = "the hull is expected to change by less than {:g} meV/atom"

LEAVES_OUT = (InputError, ComponentError, ContractError, sqlite3.DatabaseError, ValueError)
"""What the run of one composition raises that leaves it out and ends no other."""

_log = logging.getLogger(__name__)


def ended_by(error: BaseException) -> str:
    """Return what a map says that was ended by an error."""
    text = in_a_line(error) if isinstance(error, NucleateError) else ""
    return f"ended by an error: {text or in_a_line(repr(error))}"


@dataclass(frozen=True, slots=True, eq=False)
class MapSummary:
    """How a map ended.

    Attributes
    ----------
    reason : str
        Why it stopped.
    hull : Hull
        Of what is known and found.
    progress : MapProgress
        How far it is.
    has_searched : bool
        Whether the search has begun; known compounds are relaxed before.
    """

    reason: str
    hull: Hull
    progress: MapProgress
    has_searched: bool = True


class MapCampaign:
    """Visits the compositions of a map until a rule of ``[stop]`` holds.

    Parameters
    ----------
    settings : MapSettings
        The input.
    store : MapStore
        Keeps what was done when.
    energies : Energies
        Compositions and references.
    callback : MapCallback
        Who is shown the map.
    spent_s : float
        Running time in seconds that known compounds have taken in this start.
    """

    def __init__(
        self,
        settings: MapSettings,
        store: MapStore,
        energies: Energies,
        callback: MapCallback,
        *,
        spent_s: float = 0.0,
    ) -> None:
        self._settings = settings
        self._store = store
        self._energies = energies
        self._shared: SharedExecutor | None = None
        self._choices: tuple[Choice, ...] | None = None
        self._callback = callback
        self._visits: list[Visit] = []
        self._stop_request: str | None = None
        self._watch = Stopwatch()
        self._watch.add(*store.times())
        self._watch.add_session(spent_s)
        self._is_dry = False
        self.progress = MapProgress(n_compositions=len(energies.sites))

    def request_stop(self, reason: str) -> None:
        """Let :meth:`run` end soon; may be called by a signal handler or another thread."""
        self._stop_request = reason

    def has_work(self) -> bool:
        """Return whether anything is left to search; nobody who relaxes is needed for that."""
        if self._stop_reason() is None:
            self._decide()
        return self._stop_reason() is None

    def relax_with(self, shared: SharedExecutor) -> None:
        """Take who relaxes, ready; needed by :meth:`run` where :meth:`has_work`."""
        self._shared = shared

    def run(self) -> MapSummary:
        """Visit compositions until the map is complete, or somebody asks for its end."""
        self._event("start", None, {"compositions": len(self._energies.sites)})
        self._store.commit()
        for site in self._energies.sites:
            if site.is_damaged:
                self._note_left_out(site)
        try:
            while (reason := self._stop_reason()) is None:
                self._turn()
            for visit in tuple(self._visits):
                self._leave(visit, reason)
        except BaseException as error:
            self._break_off(error)
            raise
        self._update_progress()
        self._event("stop", None, {"reason": reason, "decisions_s": self.progress.decisions_s})
        self._store.commit()
        _log.info("stopped: %s", reason)
        return MapSummary(reason, self._energies.hull(), self.progress)

    def _break_off(self, error: BaseException) -> None:
        """Close the runs and take note of what ended the map, where that can still be written."""
        for visit in self._visits:
            visit.abandon()
        with suppress(NucleateError, sqlite3.Error, OSError):
            self._event("stop", None, {"reason": ended_by(error), "is_error": True})
            self._store.commit()

    def _turn(self) -> None:
        for visit in tuple(self._visits):
            self._proceed(visit)
        if len(self._visits) < MOST_VISITS and self._has_room():
            self._begin_next()
        self._update_progress()
        self._callback.on_progress(self.progress, self._energies)

    def _proceed(self, visit: Visit) -> None:
        """Take a visit one turn further; one whose run turns out to be damaged ends."""
        try:
            is_over = not visit.turn()
        except LEAVES_OUT as error:
            self._give_up(visit, error)
            return
        if is_over:
            self._note_end(visit)

    def _leave(self, visit: Visit, reason: str) -> None:
        """End a visit with the map."""
        try:
            visit.leave(reason)
        except LEAVES_OUT as error:
            self._give_up(visit, error)
            return
        self._note_end(visit)

    def _give_up(self, visit: Visit, error: Exception) -> None:
        """Leave out the composition of a visit whose run raised an error."""
        if self._is_of_workers(error):
            raise error
        visit.abandon()
        self._visits.remove(visit)
        self._leave_out(visit.site, error)

    def _has_room(self) -> bool:
        """Return whether workers wait for what the present visits do not have."""
        if not self._visits or self._shared is None:
            return True
        executor = self._shared.executor
        return executor.wants() > 0 and not executor.n_queued(0)

    def _begin_next(self) -> None:
        if self._choices is None:
            self._decide()
        choices, self._choices = self._choices or (), None
        for choice in choices:
            self._begin(choice)

    def _decide(self) -> None:
        """Choose the next compositions; none where the hull has converged."""
        started_s = time.process_time()
        energies = self._energies
        found = allocate(
            energies.field,
            energies.findings(),
            energies.hull(),
            self._settings.allocation,
            1,
            busy=[energies.sites.index(visit.site) for visit in self._visits],
            closed=energies.closed(),
            costs=energies.costs(),
        )
        self.progress.decisions_s += time.process_time() - started_s
        self.progress.expected_change_mev = found.expected_change_mev
        self._is_dry = not found.choices
        self._choices = () if self._has_converged() else found.choices

    def _has_converged(self) -> bool:
        change = self.progress.expected_change_mev
        return change is not None and change < self._settings.stop.expected_change_mev

    def _begin(self, choice: Choice) -> None:
        """Open the run of a composition; one that cannot be opened stays blank in the map."""
        site = self._energies.sites[choice.index]
        rng = np.random.default_rng([self._settings.allocation.seed, site.n_structures])
        try:
            settings = self._settings.run_settings(site.composition, site.folder)
            space = settings.problem.space()
            number = choice.structures
            guests = guests_of(site, self._energies, space, structures=number, rng=rng)
            assert self._shared is not None
            visit = Visit(
                site,
                settings,
                self._shared,
                structures=number,
                guests=guests,
                reason=choice.reason,
            )
        except LEAVES_OUT as error:
            if self._is_of_workers(error):
                raise
            self._leave_out(site, error)
            return
        self._visits.append(visit)

    def _is_of_workers(self, error: Exception) -> bool:
        """Return whether those who relax raised an error, which concerns all compositions."""
        return self._shared is not None and self._shared.error is error

    def _leave_out(self, site: Site, error: Exception) -> None:
        """Search nothing more at a composition; what can be read of its run still counts."""
        site.read(Standard.of(self._settings.to_dict()))
        if not site.is_damaged:
            is_sentence = isinstance(error, NucleateError)
            site.closed = str(error) if is_sentence else f"its run ended by {error!r}"
        _log.warning("%s", site.formula, exc_info=error)
        self._energies.update()
        self._note_left_out(site)

    def _note_left_out(self, site: Site) -> None:
        data = {"reason": site.closed, "is_damaged": site.is_damaged}
        self._event("blank", site.formula, data)
        self._store.commit()
        self._callback.on_note(f"{site.formula} is left out: {site.closed}")

    def _note_end(self, visit: Visit) -> None:
        self._visits.remove(visit)
        site = visit.site
        data = {
            "structures": site.n_structures,
            "failed": site.n_failed,
            "best": site.best,
            "number": site.best_number,
            "chosen": visit.reason,
            "closed": site.closed,
        }
        self._event("visit", site.formula, data)
        self._store.commit()
        self._energies.update()
        self._callback.on_visit(site, visit.reason)
        _log.info("%s: %d structures, best %s", site.formula, site.n_structures, site.best)

    def _event(self, kind: str, formula: str | None, data: dict[str, object]) -> None:
        core_s = self._used_core_s()
        self._store.add_event(self._watch.elapsed_s, core_s, kind, formula, data)

    def _used_core_s(self) -> float:
        """Return the processor time in seconds of all starts."""
        return self._watch.core_s(0.0 if self._shared is None else self._shared.executor.core_s)

    def _stop_reason(self) -> str | None:
        if self._stop_request is not None:
            return self._stop_request
        stop = self._settings.stop
        if stop.time is not None and self._watch.session_s >= stop.time:
            return "the time is up"
        if stop.core_time is not None and self._used_core_s() >= stop.core_time:
            return "the core time is spent"
        found = sum(site.n_structures for site in self._energies.sites)
        if stop.structures is not None and found >= stop.structures:
            return f"{found} structures were relaxed"
        if self._visits:
            return None
        if self._has_converged():
            return CONVERGED.format(stop.expected_change_mev)
        return COMPLETE if self._is_dry else None

    def _update_progress(self) -> None:
        sites, progress = self._energies.sites, self.progress
        progress.elapsed_s, progress.session_s = self._watch.elapsed_s, self._watch.session_s
        progress.core_s = self._used_core_s()
        progress.n_visited = sum(site.n_structures > 0 for site in sites)
        progress.n_blank = sum(site.is_blank for site in sites)
        progress.n_structures = sum(site.n_structures for site in sites)
        progress.n_failed = sum(site.n_failed for site in sites)
        progress.now = tuple(visit.site.formula for visit in self._visits)
