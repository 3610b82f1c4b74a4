"""Run a compiled function (which releases the interpreter's lock) on several threads."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from nucleate.processes import usable_cores

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Item = TypeVar("Item")
Result = TypeVar("Result")


def map_threaded(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    *,
    threads: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[Result]:
    """Return ``function(item)`` of every item, in order.

    Parameters
    ----------
    function
        Must release the lock for most of its time to gain from threads.
    items
        What to work on.
    threads
        Number of threads; the cores this process may use by default.
    progress
        Called with (done, total) from the calling thread.
    """
    threads = threads or usable_cores()
    results: list[Result] = []
    if threads == 1 or len(items) < 2:
        for item in items:
            results.append(function(item))
            if progress:
                progress(len(results), len(items))
        return results
    with ThreadPoolExecutor(threads) as pool:
        for result in pool.map(function, items):
            results.append(result)
            if progress:
                progress(len(results), len(items))
    return results
