"""Delayed acceptance: a Metropolis step that a surrogate judges before the energy itself does.

Without it a walk would only take the steps that a surrogate likes, and would sample another
distribution than its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, log

LEAST_EXPONENT = -700.0


@dataclass(frozen=True, slots=True)
class Step:
    """A trial of a walk.

    Attributes
    ----------
    level : int
        Number of the record whose enthalpy the place of the walk has.
    temperature : float
        Metropolis temperature in eV/atom.
    """

    level: int
    temperature: float


def chance(difference: float, temperature: float, floor: float) -> float:
    """Return the chance of a step to pass the first stage.

    Parameters
    ----------
    difference
        Enthalpy by the surrogate, child less parent, in eV/atom.
    temperature
        eV/atom.
    floor
        Chance of steps that the surrogate refuses.
    """
    exponent = max(min(-difference / temperature, 0.0), LEAST_EXPONENT)
    return floor + (1.0 - floor) * exp(exponent)


def log_bias(there: float, back: float) -> float:
    """Return what is added to the exponent of the second stage.

    With ``there`` the chance of a step to pass the first stage and ``back`` that of the step from
    the child to the parent, a step that has passed is accepted with the chance
    ``min(1, back / there * exp(-dE / T))``. Whatever the first stage is, the walk then has the
    distribution that it has without one (J. A. Christen, C. Fox, J. Comput. Graph. Stat. 14, 795,
    2005).
    """
    return log(back) - log(there)
