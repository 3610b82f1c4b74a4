"""The page of a search while it runs."""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import TYPE_CHECKING

from nucleate.report.history import history_of
from nucleate.report.light import overview
from nucleate.report.page import facts_of, write_page
from nucleate.report.rows import ranked_rows
from nucleate.run.events import Silent
from nucleate.run.store import Store
from nucleate.signals import given_up_on_stop
from nucleate.writing import whole_file

if TYPE_CHECKING:
    from nucleate.run.events import Progress

PAGE = "report.html"
FIRST_S, EVERY_S = 5.0, 20.0
"""Seconds after which the page is first written, and at least between two pages."""

SHARE = 0.01
"""Share of the running time that pages may take."""

LISTED = 20

_log = logging.getLogger(__name__)


class LivePage(Silent):
    """Writes the page of a run at intervals, so that a browser can follow the search.

    Parameters
    ----------
    folder
        The run folder.
    """

    def __init__(self, folder: str | Path) -> None:
        self._folder = Path(folder)
        self._next = time.monotonic() + FIRST_S
        self._shown = -1

    def on_progress(self, progress: Progress) -> None:
        """Write the page if it is time and there is something new."""
        now = time.monotonic()
        number = progress.search.n_structures
        if now < self._next or number == self._shown:
            return
        self._shown = number
        begun = time.process_time()
        try:
            with given_up_on_stop():
                write_live_page(self._folder)
        except Exception as error:  # noqa: BLE001  the search matters more
            _log.warning("the page was not written: %s: %s", type(error).__name__, error)
        used = time.process_time() - begun
        self._next = now + max(EVERY_S, used / SHARE)


def write_live_page(folder: str | Path) -> Path:
    """Write the page of a run, which may be in progress, from its store; return its path."""
    target = Path(folder) / PAGE
    with Store.read(folder) as store:
        history = history_of(store, store.tiers_seen())
        rows = ranked_rows(overview(store, best=LISTED).ranked)
        facts = facts_of(store, history.searched, rows)
        meta = store.meta
    with whole_file(target) as unfinished:
        write_page(unfinished, meta, history, rows, facts)
    return target
