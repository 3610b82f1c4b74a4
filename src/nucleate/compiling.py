"""The time that the compilation of compiled code takes in this process, first use only.

Compiled functions are kept on the disk, so a new installation compiles for a minute and never
again. That minute belongs to no search: clocks take off what :func:`compiled` says.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    OnFunction = Callable[[str, int], None]


class Compiled(NamedTuple):
    """What the compilation has taken so far.

    Attributes
    ----------
    wall_s, core_s : float
        Seconds, and seconds of processor time.
    functions : int
        How many functions it was.
    is_open : bool
        Whether another one is being compiled now.
    """

    wall_s: float
    core_s: float
    functions: int
    is_open: bool


class _State(threading.local):
    depth = 0
    begun = (0.0, 0.0)


class _Account:
    def __init__(self) -> None:
        self.is_watched = False
        self.wall_s = self.core_s = 0.0
        self.functions = 0
        self.of_thread = _State()
        self.main = threading.main_thread()
        self.open_since: tuple[float, float] | None = None
        self.on_function: OnFunction | None = None


_account = _Account()


def watch_compilation(on_function: OnFunction | None = None) -> None:
    """Count compilation in this process from now on.

    Parameters
    ----------
    on_function
        Called with the name of a function whenever its compilation begins, and how many there
        were before it.
    """
    from numba.core import event

    _account.on_function = on_function
    if _account.is_watched:
        return
    _account.is_watched = True

    class Listener(event.Listener):
        """Adds up the outermost compilations of the main thread."""

        def on_start(self, event: Any) -> None:
            _begin(event)

        def on_end(self, event: Any) -> None:
            del event
            _end()

    event.register("numba:compile", Listener())


def compiled() -> Compiled:
    """Return what the compilation has taken so far, the function in progress included."""
    since = _account.open_since
    wall_s = core_s = 0.0
    if since is not None:
        wall_s, core_s = time.monotonic() - since[0], time.process_time() - since[1]
    return Compiled(
        _account.wall_s + wall_s,
        _account.core_s + core_s,
        _account.functions,
        since is not None,
    )


def _begin(event: Any) -> None:
    state = _account.of_thread
    state.depth += 1
    if state.depth > 1 or threading.current_thread() is not _account.main:
        return
    _account.open_since = time.monotonic(), time.process_time()
    if _account.on_function is not None:
        function = getattr(event.data.get("dispatcher"), "py_func", None)
        _account.on_function(getattr(function, "__name__", ""), _account.functions)


def _end() -> None:
    state = _account.of_thread
    if not state.depth:
        return  # it began before it was watched
    state.depth -= 1
    since = _account.open_since
    if state.depth or since is None or threading.current_thread() is not _account.main:
        return
    _account.wall_s += time.monotonic() - since[0]
    _account.core_s += time.process_time() - since[1]
    _account.functions += 1
    _account.open_since = None
