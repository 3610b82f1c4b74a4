"""The phases of a command: those that are over, and how far the present one is."""

from __future__ import annotations

import time
from dataclasses import dataclass

from nucleate.compiling import compiled
from nucleate.run.events import COMPILING, LOADING, READING

SEARCH, EXPORT = "search", "page and files"

TYPICAL_S = {
    READING: 3.0,
    LOADING: 8.0,
    COMPILING: 45.0,
    "known structures": 5.0,
    "volumes under pressure": 10.0,
    "ranking": 10.0,
    "comparing": 3.0,
    EXPORT: 5.0,
}
"""Seconds that phases usually take on two cores, where nobody can say how much is done."""

MOST = 0.95
"""Share of a phase that is shown at most before it is over."""


@dataclass(slots=True)
class Phase:
    """A phase in progress.

    Attributes
    ----------
    name : str
        What is being done.
    done, total : int
        How much of it is done, and how much there is; 0 of 0 where nobody knows.
    left_s, spent_s : float or None
        Seconds left, and those that count so far, where somebody knows better than the clock.
    begun_s : float
        ``time.monotonic()`` at its beginning.
    compiled_s : float
        Seconds of compilation in this process before it.
    """

    name: str
    done: int = 0
    total: int = 0
    left_s: float | None = None
    spent_s: float | None = None
    begun_s: float = 0.0
    compiled_s: float = 0.0
    first: int = 0

    def elapsed_s(self) -> float:
        """Return the seconds since its beginning."""
        return time.monotonic() - self.begun_s

    def share(self) -> float:
        """Return how much of it is done, between 0 and 1, or what its usual time says."""
        if self.total:
            return min(self.done / self.total, 1.0)
        return min(self.elapsed_s() / self._usual_s(), MOST)

    def remaining_s(self) -> float | None:
        """Return the seconds that are left, as far as can be said."""
        if self.left_s is not None:
            return self.left_s
        if not self.total:
            return max(self._usual_s() - self.elapsed_s(), 0.0)
        new = self.done - self.first
        return self.elapsed_s() * (self.total - self.done) / new if new > 0 else None

    def _usual_s(self) -> float:
        """Return what it usually takes, longer where something is compiled on the way."""
        return TYPICAL_S.get(self.name, 10.0) + compiled().wall_s - self.compiled_s

    def words(self) -> str:
        """Return the time that it has taken and the estimate of what is left."""
        left = self.remaining_s()
        if left is None:
            estimate = "estimating"
        elif self.total or left > 0.0:
            estimate = f"{'' if self.left_s is not None else 'about '}{duration(left)} left"
        else:
            estimate = "longer than usual"
        counted = (
            f"{self.done:,} of {self.total:,}, " if self.total and self.spent_s is None else ""
        )
        spent_s = self.elapsed_s() if self.spent_s is None else self.spent_s
        return f"{counted}{duration(spent_s)}, {estimate}"


class Phases:
    """Keeps the present phase, and how long those before it took.

    Attributes
    ----------
    past : list of (str, float)
        Names and seconds of the phases that are over.
    now : Phase or None
        The present one.
    """

    def __init__(self) -> None:
        self.past: list[tuple[str, float]] = []
        self.now: Phase | None = None

    def note(
        self,
        name: str,
        done: int,
        total: int,
        *,
        left_s: float | None = None,
        spent_s: float | None = None,
    ) -> None:
        """Take note of how far a phase is; a new name ends the one before."""
        phase = self.now
        if phase is None or phase.name != name:
            self.end()
            phase = Phase(name, begun_s=time.monotonic(), compiled_s=compiled().wall_s, first=done)
        phase.done, phase.total, phase.left_s, phase.spent_s = done, total, left_s, spent_s
        self.now = phase

    def end(self) -> None:
        """Take note that the present phase is over."""
        if self.now is not None:
            spent_s = self.now.spent_s
            self.past.append((self.now.name, self.now.elapsed_s() if spent_s is None else spent_s))
        self.now = None

    def past_words(self) -> str:
        """Return the phases that took a second or more, those of one name together."""
        times: dict[str, float] = {}
        for name, seconds in self.past:
            short = name.partition(" (")[0]
            times[short] = times.get(short, 0.0) + seconds
        return ", ".join(
            f"{name} {duration(seconds)}" for name, seconds in times.items() if seconds >= 1.0
        )


def duration(seconds: float) -> str:
    """Return a time as ``1:02:03`` or ``2:03``."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
