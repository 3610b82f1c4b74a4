"""Time that passes while this process may run.

A batch system suspends jobs (SIGSTOP), a laptop sleeps. Such a gap is no time that a relaxation
has taken: limits are kept by :func:`running_s`, from which the gaps are taken off as soon as
a thread that wakes every second has noticed them.
"""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from dataclasses import dataclass

TICK_S = 0.5
LONG_S = 5.0
"""A tick that comes later than this, while the processor was idle, is a gap."""

BUSY = 0.2
"""Share of processor time above which a late tick is work and no suspension."""


@dataclass(slots=True)
class _Clock:
    gaps_s: float = 0.0
    wall_s: float = 0.0
    busy_s: float = 0.0


_clock = _Clock()
_lock = threading.Lock()
_started = threading.Event()


def running_s() -> float:
    """Return seconds from an arbitrary beginning, without the gaps.

    Gaps are noticed only after :func:`watch`.
    """
    if _started.is_set():
        _notice()
    return time.monotonic() - _clock.gaps_s


def watch() -> None:
    """Start the thread that notices gaps, once in a process."""
    if not _started.is_set():
        _clock.wall_s, _clock.busy_s = time.monotonic(), time.process_time()
        _started.set()
        thread = threading.Thread(target=_tick_forever, name="nucleate-clock", daemon=True)
        with suppress(RuntimeError):  # too few threads: gaps are noticed when the time is asked
            thread.start()


def gap_of(wall_s: float, busy_s: float, expected_s: float = TICK_S) -> float:
    """Return how much of an interval was a suspension, 0 for none.

    Parameters
    ----------
    wall_s, busy_s
        Length of the interval, and the processor time of the process in it.
    expected_s
        Length that it should have had.
    """
    late = wall_s - expected_s
    return late if late > LONG_S and busy_s < BUSY * wall_s else 0.0


def _tick_forever() -> None:
    while True:
        time.sleep(TICK_S)
        _notice()


def _notice() -> None:
    with _lock:
        wall_s, busy_s = time.monotonic(), time.process_time()
        _clock.gaps_s += gap_of(wall_s - _clock.wall_s, busy_s - _clock.busy_s)
        _clock.wall_s, _clock.busy_s = wall_s, busy_s
