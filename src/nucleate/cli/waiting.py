"""A word for people who wait while a command loads its libraries or works in silence."""

from __future__ import annotations

import sys
from contextlib import suppress
from threading import Timer

AFTER_S = 1.5
"""Seconds after which a command that shows nothing says that it is at work."""

_timer: Timer | None = None


def begin_waiting() -> None:
    """Let a terminal say, some time from now, that the command is at work."""
    global _timer
    command = next((word for word in sys.argv[1:] if not word.startswith("-")), "")
    if command and sys.stderr.isatty():
        _timer = Timer(AFTER_S, _say, (command,))
        _timer.daemon = True
        with suppress(RuntimeError):  # no thread may be started: then in silence
            _timer.start()


def end_waiting() -> None:
    """Say no such thing any more: something else is shown, or the command has ended."""
    global _timer
    if _timer is not None:
        _timer.cancel()
    _timer = None


def _say(command: str) -> None:
    from nucleate.text import clean

    sys.stderr.write(f"nucleate {clean(command)}: loading (longest at the first start) ...\n")
    sys.stderr.flush()
