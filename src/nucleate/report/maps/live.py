"""The page of a map that is in progress, written again from time to time."""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import TYPE_CHECKING

from nucleate.errors import NucleateError
from nucleate.mapping.events import Silent
from nucleate.mapping.judged import JUDGED
from nucleate.mapping.reading import read_map
from nucleate.report.maps.named import named
from nucleate.report.maps.page import write_map_page
from nucleate.report.maps.rows import map_rows
from nucleate.signals import given_up_on_stop
from nucleate.writing import whole_file

if TYPE_CHECKING:
    from nucleate.mapping.site import Site

EVERY_S = 60.0
SHARE = 0.01
"""Of the processor time of the driver that the page may take."""

PAGE_NAME = "map.html"
_log = logging.getLogger(__name__)


class LiveMapPage(Silent):
    """Writes the page after a visit, at most once per minute.

    Parameters
    ----------
    folder
        The folder of the map.
    """

    def __init__(self, folder: str | Path) -> None:
        self._folder = Path(folder)
        self._next_s = time.monotonic() + EVERY_S / 4.0

    def on_visit(self, site: Site, reason: str) -> None:
        """Write the page if the last one is long ago."""
        del site, reason
        if time.monotonic() < self._next_s:
            return
        started_s = time.process_time()
        try:
            with given_up_on_stop():
                state = read_map(self._folder)
                state.check_structures()
                rows = named(map_rows(state.energies, state.meta.get(JUDGED)), state)
                with whole_file(self._folder / PAGE_NAME) as path:
                    write_map_page(path, state, rows)
        except (NucleateError, OSError, ValueError) as error:
            _log.warning("the page was not written: %s", error)
        spent_s = time.process_time() - started_s
        self._next_s = time.monotonic() + max(EVERY_S, spent_s / SHARE)
