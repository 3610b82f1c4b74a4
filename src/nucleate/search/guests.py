"""Candidates from elsewhere that a search takes up before its own."""

from __future__ import annotations

from collections import deque
from hashlib import sha256
from typing import TYPE_CHECKING

from nucleate.search.book import trial_of
from nucleate.search.search import Trial

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nucleate.crystal.candidate import Candidate
    from nucleate.search.record import Record, SearchUpdate
    from nucleate.search.search import Search, SearchProgress


class Guests:
    """A search that is given candidates while it runs, such as good structures of a neighbour.

    Parameters
    ----------
    search : Search
        Learns from them as from its own.
    """

    def __init__(self, search: Search) -> None:
        self._search = search
        self._waiting: deque[Candidate] = deque()
        self._seen: set[bytes] = set()
        self._next = 0
        self.learns = bool(getattr(search, "learns", True))

    def invite(self, candidates: Iterable[Candidate]) -> None:
        """Let these be asked for next, in their order; those that were asked for before are not."""
        for candidate in candidates:
            key = _key(candidate)
            if key not in self._seen:
                self._seen.add(key)
                self._waiting.append(candidate)

    @property
    def progress(self) -> SearchProgress:
        """How far the search is."""
        return self._search.progress

    def ask(self) -> Trial | None:
        """Return a waiting candidate, or else what the search wants to try."""
        if self._waiting:
            trial = Trial(self._next, self._waiting.popleft())
            self._search.restore(trial)
        else:
            trial = self._search.ask()
        if trial is not None:
            self._next = max(self._next, trial.number + 1)
        return trial

    def restore(self, trial: Trial) -> None:
        """Take note of a trial of an earlier start."""
        self._note(trial.candidate)
        self._next = max(self._next, trial.number + 1)
        self._search.restore(trial)

    def tell(self, record: Record) -> SearchUpdate:
        """Pass a record on."""
        return self._search.tell(record)

    def replay(self, record: Record, update: SearchUpdate) -> bytes:
        """Take note of a record of an earlier start, by the shorter way of a search that has it."""
        self._note(record.candidate)
        self._next = max(self._next, record.number + 1)
        replay = getattr(self._search, "replay", None)
        if replay is not None:
            return replay(record, update)
        self._search.restore(trial_of(record))
        self._search.tell(record)
        return b""

    def _note(self, candidate: Candidate) -> None:
        """Take note that a candidate is known, which need not be relaxed before it is asked for."""
        key = _key(candidate)
        self._seen.add(key)
        self._waiting = deque(item for item in self._waiting if _key(item) != key)

    def stop_reason(self) -> str | None:
        """Return why the search is over, or None."""
        return None if self._waiting else self._search.stop_reason()


def _key(candidate: Candidate) -> bytes:
    """Return what is the same for candidates that are the same to the last digit."""
    crystal = candidate.crystal
    total = sha256(crystal.numbers.tobytes())
    total.update(crystal.cell.tobytes())
    total.update(crystal.scaled.tobytes())
    return total.digest()
