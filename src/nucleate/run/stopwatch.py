"""Running time and processor time of a run, over all its starts."""

from __future__ import annotations

import time


class Stopwatch:
    """Counts from its making; what earlier starts took comes by :meth:`add`.

    Parameters
    ----------
    started_core_s
        ``time.process_time()`` from which the processor time of this process counts; default now.

    Attributes
    ----------
    before_s : float
        Seconds of running time of earlier starts.
    """

    def __init__(self, started_core_s: float | None = None) -> None:
        self.before_s = 0.0
        self._core_before_s = 0.0
        self._start_s = time.monotonic()
        self._start_core_s = time.process_time() if started_core_s is None else started_core_s
        self._halted: tuple[float, float] | None = None

    def add(self, elapsed_s: float, core_s: float) -> None:
        """Take note of how far an earlier start was at some moment."""
        self.before_s = max(self.before_s, elapsed_s)
        self._core_before_s = max(self._core_before_s, core_s)

    def halt(self) -> None:
        """Count no more time of this process until :meth:`proceed`."""
        self._halted = self._halted or (time.monotonic(), time.process_time())

    def proceed(self) -> None:
        """Count again; what passed since :meth:`halt` is left out."""
        if self._halted is not None:
            self._start_s += time.monotonic() - self._halted[0]
            self._start_core_s += time.process_time() - self._halted[1]
            self._halted = None

    @property
    def session_s(self) -> float:
        """Seconds of running time of this start."""
        now_s = time.monotonic() if self._halted is None else self._halted[0]
        return now_s - self._start_s

    @property
    def elapsed_s(self) -> float:
        """Seconds of running time of all starts."""
        return self.before_s + self.session_s

    def core_s(self, elsewhere_s: float) -> float:
        """Return the processor time of all starts, with that of other processes in this one."""
        now_s = time.process_time() if self._halted is None else self._halted[1]
        return self._core_before_s + now_s - self._start_core_s + elsewhere_s
