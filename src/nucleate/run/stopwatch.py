"""Running time and processor time of a run, over all its starts.

Both count the search itself and its pools. Compilation and the loading of energy models do not
count: they are the price of a first use, or of the machine, and say nothing of a search.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from nucleate.compiling import compiled, watch_compilation

if TYPE_CHECKING:
    from collections.abc import Iterator


class Stopwatch:
    """Counts from its making; what earlier starts took comes by :meth:`add`.

    Attributes
    ----------
    before_s : float
        Seconds of running time of earlier starts.
    """

    def __init__(self) -> None:
        watch_compilation()
        self.before_s = 0.0
        self._core_before_s = 0.0
        self._start_s, self._start_core_s = _now()
        self._extra_core_s = 0.0
        self._halted: tuple[float, float] | None = None

    def add(self, elapsed_s: float, core_s: float) -> None:
        """Take note of how far an earlier start was at some moment."""
        self.before_s = max(self.before_s, elapsed_s)
        self._core_before_s = max(self._core_before_s, core_s)

    def add_session(self, seconds: float) -> None:
        """Count running time of this start that passed before this clock was made."""
        self._start_s -= seconds

    def halt(self) -> None:
        """Count no more time of this process until :meth:`proceed`."""
        self._halted = self._halted or _now()

    def proceed(self) -> None:
        """Count again; what passed since :meth:`halt` is left out."""
        if self._halted is not None:
            now_s, now_core_s = _now()
            self._start_s += now_s - self._halted[0]
            self._start_core_s += now_core_s - self._halted[1]
            self._halted = None

    def add_elsewhere(self, core_s: float) -> None:
        """Count processor time in seconds that was spent in processes that have ended."""
        self._extra_core_s += core_s

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Count nothing meanwhile."""
        self.halt()
        try:
            yield
        finally:
            self.proceed()

    @property
    def session_s(self) -> float:
        """Seconds of running time of this start."""
        return (self._halted or _now())[0] - self._start_s

    @property
    def elapsed_s(self) -> float:
        """Seconds of running time of all starts."""
        return self.before_s + self.session_s

    def core_s(self, elsewhere_s: float) -> float:
        """Return the processor time of all starts, with that of other processes in this one."""
        here_s = (self._halted or _now())[1] - self._start_core_s + self._extra_core_s
        return self._core_before_s + here_s + elsewhere_s


def _now() -> tuple[float, float]:
    """Return the time and the processor time of this process, both without compilation."""
    taken = compiled()
    return time.monotonic() - taken.wall_s, time.process_time() - taken.core_s
