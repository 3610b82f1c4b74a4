"""Single-point energies by a tier, for generators that rank a pool and for labels of training."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nucleate.relax.outcome import Relaxed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from nucleate.crystal.crystal import Crystal
    from nucleate.relax.relaxer import Relaxer
    from nucleate.relax.settings import TierSettings


def first_single_points(
    tiers: Sequence[TierSettings], *, pressure_gpa: float = 0.0
) -> Callable[[Sequence[Crystal]], NDArray[np.float64]] | None:
    """Return :func:`single_points` of the first tier that can rank; None where none can."""
    scores = (single_points(tier, pressure_gpa=pressure_gpa) for tier in tiers)
    return next((score for score in scores if score is not None), None)


def single_points(
    tier: TierSettings, *, pressure_gpa: float = 0.0
) -> Callable[[Sequence[Crystal]], NDArray[np.float64]] | None:
    """Return a function from crystals to enthalpies in eV/atom; None where the tier is no MLIP.

    None also where the engine lives under another Python. The engine is loaded at the first
    call and kept. Failures are NaN.
    """
    if not getattr(tier.engine, "ranks_single_points", True) or tier.python is not None:
        return None

    still = tier.model_copy(update={"relax": False, "pre_relax": False})
    loaded: list[Relaxer] = []

    def score(crystals: Sequence[Crystal]) -> NDArray[np.float64]:
        from nucleate.relax.series import relax_all
        from nucleate.relax.settings import build_relaxer

        if not loaded:
            loaded.append(build_relaxer(still, pressure_gpa=pressure_gpa))
        energies = np.full(len(crystals), np.nan)
        for key, outcome in relax_all(loaded[0], enumerate(crystals)):
            if isinstance(outcome, Relaxed):
                energies[key] = outcome.enthalpy_per_atom
        return energies

    return score
