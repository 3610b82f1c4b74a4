"""Several runs of one problem as one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nucleate.api.run import Run
from nucleate.run.merge import merge_runs

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def merge(runs: Sequence[str | Path], out: str | Path) -> Run:
    """Join finished runs of the same composition, pressure and tiers into one run.

    Parameters
    ----------
    runs
        Run folders.
    out
        New run folder.

    Raises
    ------
    InputError
        If the runs do not belong together, or ``out`` is in use.
    """
    merge_runs(list(runs), out)
    return Run(out)
