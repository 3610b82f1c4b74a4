"""The log file of a run folder."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING

from nucleate.relax.outcome import Relaxed
from nucleate.writing import refuse_link

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from nucleate.relax.outcome import Outcome

LOG_NAME = "nucleate.log"
WORKER_LOGS = "workers"
"""Folder for what workers write to standard error."""

_log = logging.getLogger(__name__)

FORMAT = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"


class _QuietHandler(logging.FileHandler):
    """A log that cannot be written, on a full disk for example, is no reason for more words."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        """Leave the line out."""


@contextmanager
def logged(folder: Path) -> Iterator[None]:
    """Write what the package logs to a file of a folder as well."""
    logger = logging.getLogger("nucleate")
    refuse_link(folder / LOG_NAME)
    handler = _QuietHandler(folder / LOG_NAME, encoding="utf-8", errors="replace", delay=True)
    handler.setFormatter(logging.Formatter(FORMAT))
    handler.setLevel(logging.INFO)
    before = logger.level
    if logger.getEffectiveLevel() > logging.INFO:
        logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)
        handler.close()


def log_outcome(number: int, tier: str, outcome: Outcome) -> None:
    """Log in detail what a tier made of a record."""
    if isinstance(outcome, Relaxed):
        _log.debug("record %d: %s gives %.5f/atom", number, tier, outcome.enthalpy_per_atom)
    else:
        _log.debug("record %d: %s failed (%s)", number, tier, outcome.reason)
