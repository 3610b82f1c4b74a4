"""Ctrl-C, SIGTERM and SIGHUP as a request to stop, answered in every phase.

While a run loop is at work the first signal is a request to it. Everywhere else (loading,
compiling, making pools, writing exports) it ends the command by :class:`Interrupted`, as nothing
is lost then. The second signal ends the process at once, and so does a guard thread if the first
cannot be answered because the process computes outside of Python.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NAMES = ("SIGINT", "SIGTERM", "SIGHUP")
NUMBERS = tuple(int(getattr(signal, name)) for name in NAMES if hasattr(signal, name))

PATIENCE_S = 1.2
"""Seconds in which a phase without a run loop must end by itself."""

POLL_S = 0.1
SAID = b"\nStopping after what is being computed; once more ends at once.\n"


class Interrupted(BaseException):
    """The command was ended by a signal; ``number`` says which.

    No KeyboardInterrupt: libraries make their own of those.
    """

    def __init__(self, number: int) -> None:
        super().__init__(words_of(number))
        self.number = number


class _State:
    """What the handler and the guard know of each other; there is one process, so one state."""

    def __init__(self) -> None:
        self.interrupted_by = 0
        self.is_loop = False
        self.asked_loop = False
        self.has_spoken = False


_state = _State()


def words_of(number: int) -> str:
    """Return why a run ends, for its log."""
    if number == signal.SIGINT:
        return "interrupted"
    return f"told to end ({signal.Signals(number).name})"


def is_request(reason: str) -> bool:
    """Return whether a run ended because somebody asked for it."""
    return reason in {words_of(number) for number in NUMBERS}


@contextmanager
def answering_signals() -> Iterator[None]:
    """Answer signals during a whole command; only in the main thread of a program of its own."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous: dict[int, Any] = {number: signal.getsignal(number) for number in NUMBERS}
    _state.__init__()
    source, target = os.pipe()
    os.set_blocking(target, False)
    before = signal.set_wakeup_fd(target, warn_on_full_buffer=False)
    ended = threading.Event()
    guard = threading.Thread(target=_guard, args=(source, ended), daemon=True)
    guard.start()
    for number in NUMBERS:
        if previous[number] is not signal.SIG_IGN:  # as `nohup` asks
            signal.signal(number, _interrupt)
    try:
        yield
    finally:
        ended.set()
        signal.set_wakeup_fd(before)
        for number, handler in previous.items():
            signal.signal(number, handler)
        os.close(target)
        guard.join(timeout=1.0)


@contextmanager
def stopping_on_signals(request_stop: Callable[[str], None]) -> Iterator[None]:
    """Pass the first signal on as a reason to stop; the second one ends at once.

    Outside the main thread, where Python takes no signals, nothing is passed on.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous: dict[int, Any] = {number: signal.getsignal(number) for number in NUMBERS}

    def stop(number: int, _: object) -> None:
        _state.asked_loop = True
        request_stop(words_of(number))
        for other, handler in previous.items():
            signal.signal(other, handler)

    for number, handler in previous.items():
        if handler is not signal.SIG_IGN:
            signal.signal(number, stop)
    _state.is_loop = True
    try:
        yield
    finally:
        _state.is_loop = False
        for number, handler in previous.items():
            signal.signal(number, handler)


def _interrupt(number: int, _: object) -> None:
    if _state.asked_loop:
        _end_at_once(number)
    _state.interrupted_by = number
    sys.unraisablehook = lambda _: None  # where Python is called back it can only be printed
    raise Interrupted(number)


def interruption() -> int:
    """Return the signal that has ended the command, 0 if none has.

    Libraries that are interrupted in the middle of something may raise errors of their own.
    """
    return _state.interrupted_by


def _guard(source: int, ended: threading.Event) -> None:
    """See every signal as it comes, also while the main thread computes outside of Python."""
    import select

    count, first_at, last = 0, 0.0, 0
    with suppress(OSError):
        while not ended.is_set():
            ready, _, _ = select.select([source], [], [], POLL_S)
            if ready:
                numbers = [byte for byte in os.read(source, 64) if byte in NUMBERS]
                if numbers and not count:
                    first_at = time.monotonic()
                count += len(numbers)
                last = numbers[-1] if numbers else last
            if not count or ended.is_set():
                continue
            if count > 1:
                time.sleep(POLL_S)  # one for the handler, which ends more gently
                if not ended.is_set():
                    _end_at_once(last)
            late = time.monotonic() - first_at
            if not _state.asked_loop and late > PATIENCE_S:
                _end_at_once(last)
            if _state.is_loop and late > PATIENCE_S and not _state.has_spoken:
                _state.has_spoken = True
                with suppress(OSError):
                    os.write(2, SAID)
    with suppress(OSError):
        os.close(source)


def _end_at_once(number: int) -> None:
    """End the process without any further word; workers end with it."""
    with suppress(Exception):
        sys.stdout.flush()
    os._exit(128 + number)
