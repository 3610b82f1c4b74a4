"""Ctrl-C and SIGTERM as a request to stop."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@contextmanager
def stopping_on_signals(request_stop: Callable[[str], None]) -> Iterator[None]:
    """Pass the first Ctrl-C or SIGTERM on as a reason to stop; the second one ends at once.

    Outside the main thread, where Python takes no signals, nothing is passed on.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous: dict[int, Any] = {
        number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)
    }

    def stop(number: int, _: object) -> None:
        request_stop("interrupted" if number == signal.SIGINT else "told to end (SIGTERM)")
        signal.signal(number, previous[number])

    for number in previous:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
