"""When a relaxation can no longer matter."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from nucleate.relax.outcome import Relaxed
    from nucleate.relax.settings import Racing


def is_hopeless(racing: Racing, now: Relaxed, evaluations: int, best: float) -> bool:
    """Return whether a relaxation will end too far above the best enthalpy known.

    Parameters
    ----------
    racing
        The rules.
    now
        Where it is.
    evaluations
        How many evaluations it has had.
    best
        Best enthalpy known in eV/atom; infinite where there is none.
    """
    if evaluations < racing.first_step or not np.isfinite(best):
        return False
    allowed = racing.window_ev_per_atom + racing.caution * expected_fall(now)
    return now.enthalpy_per_atom - best > allowed


def expected_fall(now: Relaxed) -> float:
    """Return an upper estimate of the fall in enthalpy still to come, in eV/atom."""
    force = float(np.sqrt((now.forces**2).sum() / now.crystal.n_atoms))
    return 0.05 + 0.25 * force
