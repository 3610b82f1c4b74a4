"""Ctrl-C, SIGTERM and SIGHUP as a request to stop, answered in every phase.

While a run loop is at work the first signal is a request to it, which is answered by a sentence at
once; what the run has found is written afterwards. Everywhere else (loading, compiling, making
pools, writing exports) it ends the command by :class:`Interrupted`, as nothing is lost then. The
second signal ends the process at once, and so does a guard thread if the first cannot be answered
because the process computes outside of Python.
"""

from __future__ import annotations

import os
import signal
import socket
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
SAID = b"\nStopping: what was found is kept and written; once more ends at once.\n"
CUT_SHORT = b"\nStopped in the middle of a computation; what was stored is kept.\n"


class Interrupted(BaseException):
    """The command was ended by a signal; ``number`` says which.

    No KeyboardInterrupt: libraries make their own of those.
    """

    def __init__(self, number: int) -> None:
        super().__init__(words_of(number))
        self.number = number


class _GivenUp(BaseException):
    """A stop was requested while something was done that can be left undone."""


class _State:
    """What the handler and the guard know of each other; there is one process, so one state."""

    def __init__(self) -> None:
        self.interrupted_by = 0
        self.asked_loop = False
        self.may_give_up = False
        self.is_held_back = False
        self.kept = 0


_state = _State()


def words_of(number: int) -> str:
    """Return why a run ends, for its log."""
    if number == signal.SIGINT:
        return "interrupted"
    return f"told to end ({signal.Signals(number).name})"


def is_request(reason: str | None) -> bool:
    """Return whether a run ended because somebody asked for it."""
    return reason in {words_of(number) for number in NUMBERS}


def is_asked_to_stop() -> bool:
    """Return whether a signal has asked a run loop of this command to stop."""
    return _state.asked_loop


@contextmanager
def answering_signals() -> Iterator[None]:
    """Answer signals during a whole command; only in the main thread of a program of its own."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous: dict[int, Any] = {number: signal.getsignal(number) for number in NUMBERS}
    _state.__init__()
    source, target = socket.socketpair()  # Windows can wait for sockets alone
    target.setblocking(False)
    before = signal.set_wakeup_fd(target.fileno(), warn_on_full_buffer=False)
    ended = threading.Event()
    guard = threading.Thread(target=_guard, args=(source, ended), daemon=True)
    with suppress(RuntimeError):  # too few processes are allowed: the handlers alone must do
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
        target.close()
        if guard.ident is not None:
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
        if _state.may_give_up:
            _state.may_give_up = False
            raise _GivenUp

    for number, handler in previous.items():
        if handler is not signal.SIG_IGN:
            signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


@contextmanager
def given_up_on_stop() -> Iterator[None]:
    """Leave the block as soon as a signal asks a run loop to stop; the loop continues after it.

    For work of a run loop that may be left undone and leaves nothing behind.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _state.may_give_up = True
    try:
        yield
    except _GivenUp:
        pass
    finally:
        _state.may_give_up = False


@contextmanager
def held_back() -> Iterator[None]:
    """Answer signals after the block: for imports of compiled modules, which end the process."""
    _state.is_held_back = True
    try:
        yield
    finally:
        _state.is_held_back = False
        if number := _state.kept:
            _state.kept = 0
            _interrupt(number, None)


def _interrupt(number: int, _: object) -> None:
    if _state.is_held_back:
        _state.kept = number
        return
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


def _guard(source: socket.socket, ended: threading.Event) -> None:
    """See every signal as it comes, also while the main thread computes outside of Python."""
    import select

    count, first_at, last, has_spoken = 0, 0.0, 0, False
    with suppress(OSError):
        while not ended.is_set():
            ready, _, _ = select.select([source], [], [], POLL_S)
            if ready:
                numbers = [byte for byte in source.recv(64) if byte in NUMBERS]
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
                _say(CUT_SHORT)
                _end_at_once(last)
            if _state.asked_loop and not has_spoken:
                has_spoken = True
                _say(SAID)
    source.close()


def _say(words: bytes) -> None:
    """Write to standard error whatever state the streams of Python are in."""
    with suppress(OSError):
        os.write(2, words)


def _end_at_once(number: int) -> None:
    """End the process without any further word; workers end with it."""
    with suppress(Exception):
        sys.stdout.flush()
    os._exit(128 + number)
