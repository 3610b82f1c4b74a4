"""Many searches in one process that share one pool of workers.

Every search is a run in a folder of its own, which all other commands open. Those of the highest
priority come first; as long as one has work for all workers it is alone, and where it cannot fill
them any more the next one begins beside it. Each ends by its own ``[stop]``. A search whose
surrogate learns has workers of its own, as they know what it has learned.
"""

from __future__ import annotations

import json
import logging
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from nucleate.errors import NucleateError
from nucleate.relax.settings import under_pressure
from nucleate.run.events import Silent
from nucleate.run.learning.settings import tiers_with_surrogate
from nucleate.run.lock import locked
from nucleate.run.log import logged
from nucleate.run.predict import opened, programs_after_the_first
from nucleate.run.pressure import compression_of_run
from nucleate.run.shared import SharedExecutor
from nucleate.run.starting import start_executor
from nucleate.signals import stopping_on_signals

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from nucleate.relax.settings import TierSettings
    from nucleate.run.events import Summary
    from nucleate.run.executor import Executor
    from nucleate.run.settings import RunSettings

    Say = Callable[[str], None]

AT_A_TIME = 4
"""Searches that are open at the same time at most, or as many as there are workers."""

MOST_AT_A_TIME = 64

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A search that is wanted.

    Attributes
    ----------
    name : str
        Of its folder.
    settings : RunSettings
        Its input, budget included.
    priority : float
        The higher, the earlier.
    """

    name: str
    settings: RunSettings
    priority: float = 0.0


@dataclass(slots=True)
class ManySummary:
    """How it ended.

    Attributes
    ----------
    ended : dict of str to Summary
        How each search ended, by name; those that were not reached are missing.
    refused : dict of str to str
        Why others could not be begun.
    reason : str
        Who asked for the end, if it was before its time; else empty.
    """

    ended: dict[str, Summary] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    reason: str = ""


class _Search:
    """A search that is open."""

    def __init__(self, wanted: Wanted, folder: Path, shared: SharedExecutor) -> None:
        self.wanted = wanted
        self._share = shared.share()
        self._stack = ExitStack()
        self._stack.callback(self._share.close)
        opening = opened(
            wanted.settings,
            folder,
            callback=Silent(),
            executor=lambda _: self._share,
            keeps_log=False,
        )
        try:
            self.campaign = self._stack.enter_context(opening)
            self.is_open = self.campaign.begin()
        except BaseException:
            self._stack.close()
            raise
        self.campaign.watch.halt()

    def turn(self) -> Summary | None:
        """Proceed a little; return how it ended if it is over."""
        self.campaign.watch.proceed()
        try:
            reason = self.campaign.stop_reason()
            if reason is not None:
                return self.end(reason)
            self.campaign.turn()
            return None
        finally:
            self.campaign.watch.halt()

    def end(self, reason: str) -> Summary:
        """Close the run; the next start takes up what is in flight."""
        try:
            return self.campaign.end(reason)
        finally:
            self.abandon()

    def abandon(self) -> None:
        """Close the run after an error."""
        self._stack.close()


class Many:
    """Searches that share workers.

    Parameters
    ----------
    wanted : sequence of Wanted
        All of them.
    folder : Path
        Holds a folder for each; created if necessary.
    executor : callable, optional
        Returns who relaxes, one relaxer for each tier; default: the executor of the inputs.
    say : callable, optional
        Called with a line when a search begins or ends.
    """

    def __init__(
        self,
        wanted: Sequence[Wanted],
        folder: Path,
        *,
        executor: Callable[[Sequence[TierSettings]], Executor] | None = None,
        say: Say = lambda _: None,
    ) -> None:
        self._waiting = sorted(wanted, key=lambda item: -item.priority)
        self._folder = folder
        self._executor = executor
        self._say = say
        self._open: list[_Search] = []
        self._stop_request: str | None = None
        self._summary = ManySummary()
        self._shared: SharedExecutor | None = None
        self._pool = ExitStack()
        self._key = ""

    def request_stop(self, reason: str) -> None:
        """Let :meth:`run` end soon; may be called by a signal handler or another thread."""
        self._stop_request = reason

    def run(self) -> ManySummary:
        """Search until all are done, or somebody asks for the end."""
        with ExitStack() as stack:
            stack.enter_context(locked(self._folder))
            stack.enter_context(logged(self._folder))
            stack.enter_context(stopping_on_signals(self.request_stop))
            stack.callback(self._pool.close)
            try:
                while self._stop_request is None and (self._open or self._waiting):
                    self._turn()
            except BaseException:
                for search in self._open:
                    with suppress(Exception):
                        search.abandon()
                raise
            for search in tuple(self._open):
                self._note(search, search.end(str(self._stop_request)))
        self._summary.reason = self._stop_request or ""
        return self._summary

    def _turn(self) -> None:
        for search in tuple(self._open):
            summary = search.turn()
            if summary is not None:
                self._note(search, summary)
        if self._waiting and self._has_room():
            self._begin(self._waiting.pop(0))

    def _has_room(self) -> bool:
        """Return whether the next search may begin: workers wait for what the others lack."""
        if not self._open:
            return True
        if self._shared is None or _key(self._waiting[0]) != self._key:
            return False
        executor = self._shared.executor
        most = min(max(AT_A_TIME, executor.n_workers), MOST_AT_A_TIME)
        return len(self._open) < most and executor.wants() > 0 and not executor.n_queued(0)

    def _begin(self, wanted: Wanted) -> None:
        try:
            shared = self._shared_for(wanted)
            search = _Search(wanted, self._folder / wanted.name, shared)
        except NucleateError as error:
            self._summary.refused[wanted.name] = str(error)
            self._say(f"{wanted.name}: cannot be searched: {error}")
            _log.warning("%s: %s", wanted.name, error)
            return
        self._say(f"{wanted.name}: begun with {search.campaign.n_finished} structures")
        self._open.append(search)
        if not search.is_open:
            self._note(search, search.end(str(self._stop_request)))

    def _shared_for(self, wanted: Wanted) -> SharedExecutor:
        """Return the workers for a search; those for others tiers are ended first."""
        key = _key(wanted)
        if self._shared is None or key != self._key:
            self._pool.close()
            self._shared = None
            started = self._start(wanted)
            self._pool.callback(started.close)
            self._shared, self._key = SharedExecutor(started), key
        return self._shared

    def _start(self, wanted: Wanted) -> Executor:
        settings = wanted.settings
        pressed = compression_of_run(settings, self._folder / wanted.name, lambda *_: None)
        tiers = under_pressure(settings.tier, pressed.factor)
        if settings.surrogate.on:
            tiers = tiers_with_surrogate(tiers)
        if self._executor is not None:
            return self._executor(tiers)
        return start_executor(
            settings,
            tiers,
            self._folder,
            pressure_gpa=settings.problem.pressure_gpa,
            warm_up=settings.problem.composition().numbers(1).tolist(),
            late=programs_after_the_first(tiers),
        )

    def _note(self, search: _Search, summary: Summary) -> None:
        self._open.remove(search)
        name = search.wanted.name
        self._summary.ended[name] = summary
        self._say(f"{name}: {summary.n_structures} structures, {summary.reason}")
        if summary.error:
            self._say(f"{name}: {summary.error.splitlines()[0]}")
        _log.info("%s: %d structures, %s", name, summary.n_structures, summary.reason)


def _key(wanted: Wanted) -> str:
    """Return what two searches have in common that share workers."""
    settings = wanted.settings
    problem = settings.problem
    values = [
        [tier.model_dump(mode="json") for tier in settings.tier],
        problem.pressure_gpa,
        settings.run.model_dump(mode="json"),
        settings.executor.model_dump(mode="json"),
        # above 1 GPa, guards know how far the crystals of one composition are compressed
        problem.formula if problem.pressure_gpa > 1.0 else problem.compression,
        # a worker learns from one search only
        wanted.name if settings.surrogate.on else "",
    ]
    return json.dumps(values, sort_keys=True)
