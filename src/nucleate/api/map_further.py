"""More tiers for what is near the hull of a map."""

from __future__ import annotations

import logging
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nucleate.api.map_near import near_sites
from nucleate.errors import InputError
from nucleate.run.lock import locked
from nucleate.signals import is_request

if TYPE_CHECKING:
    from collections.abc import Callable

    from nucleate.run.refinement import RefinementSummary

BEST = 3
"""Structures of each composition that are taken further."""

_CHECKED = ("input_file", "name", "single_point", "workers")
"""What is checked once, before any composition is refined."""

_log = logging.getLogger(__name__)


def refine_near(
    folder: str | Path,
    model: Any = None,
    *,
    best: int | None = None,
    on_stage: Callable[[str, int, int], None],
    **further: Any,
) -> list[tuple[str, RefinementSummary]]:
    """Send the best structures of every composition near the hull through further tiers.

    The outcomes are written to the run of each composition, which ranks on the new tier. The hull
    keeps the energies of the tiers of the map, as energies of two models are never mixed.

    Parameters
    ----------
    folder
        The folder of a map. No other process may use it.
    model, **further
        As in :func:`nucleate.api.refine`.
    best
        How many distinct structures of each composition; default 3.
    on_stage
        Called with what is being done, how much of it is done, and how much there is.

    Returns
    -------
    list of (str, RefinementSummary)
        Formula and summary of each point and each composition at most 0.1 eV/atom above the hull.
        The last one has a reason where a signal has ended it.

    Raises
    ------
    InputError
        If there is no such composition, or none of them can be refined.
    """
    from nucleate.api.refine import refine, refinement_of

    refinement_of(model, **{key: value for key, value in further.items() if key in _CHECKED})
    summaries: list[tuple[str, RefinementSummary]] = []
    refused: InputError | None = None
    with locked(Path(folder)):
        _, near = near_sites(folder)
        for done, site in enumerate(near):
            on_stage("refining near the hull", done, len(near))
            try:
                summary = refine(site.folder, model, best=BEST if best is None else best, **further)
            except (InputError, sqlite3.DatabaseError) as error:
                _log.warning("%s is not refined: %s", site.formula, error)
                refused = error if isinstance(error, InputError) else InputError(str(error))
                continue
            summaries.append((site.formula, summary))
            if is_request(summary.reason):
                return summaries
        on_stage("refining near the hull", len(near), len(near))
    if refused is not None and not summaries:
        raise refused
    return summaries
