"""The Metropolis rule on enthalpies per atom, and the melt rule."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


@dataclass(slots=True)
class Thermostat:
    """Temperature of the walk, with the melt rule of doi 10.1039/d4fd00094c made sound.

    A step downhill is accepted and restores the temperature; a step uphill is accepted with
    probability ``exp(-dE/T)``; a step to the same enthalpy is not accepted, and neither is a
    failure. After ``melt_after`` steps without one downhill, every further rejection raises the
    temperature by a random amount of at most ``melt_step``, up to ``melt_ceiling``, and the
    search uses its weights for the melted phase.

    Attributes
    ----------
    temperature : float
        eV/atom, at present.
    rest_temperature : float
        eV/atom, after a downhill step.
    melt_after : int
        Steps.
    melt_step, melt_ceiling : float
        eV/atom.
    precision : float
        eV/atom; smaller differences are none.
    since_downhill : int
        Steps since the last one downhill.
    """

    temperature: float
    rest_temperature: float
    melt_after: int
    melt_step: float
    melt_ceiling: float
    precision: float = 1e-5
    since_downhill: int = 0
    melted: bool = False

    def accepts(
        self, difference: float | None, *, rng: np.random.Generator, bias: float = 0.0
    ) -> bool:
        """Judge a step and move the temperature.

        Parameters
        ----------
        difference
            New enthalpy less that of the current structure in eV/atom; None for a step that
            cannot be accepted (a failure, a known structure).
        rng
            The only source of randomness.
        bias
            What is added to the exponent where a surrogate has judged the step before; see
            :func:`nucleate.search.delayed.log_bias`.
        """
        if self._steps(difference, bias, rng):
            assert difference is not None
            if difference < 0.0:
                self.restore()
            else:
                self.since_downhill += 1
            return True
        self.since_downhill += 1
        if self.since_downhill >= self.melt_after:
            self.melted = True
            raised = self.temperature + rng.uniform(0.0, self.melt_step)
            self.temperature = max(self.temperature, min(raised, self.melt_ceiling))
        return False

    def _steps(self, difference: float | None, bias: float, rng: np.random.Generator) -> bool:
        if difference is None or abs(difference) <= self.precision:
            return False
        exponent = bias - difference / self.temperature
        return exponent >= 0.0 or rng.random() < exp(exponent)

    def restore(self) -> None:
        """Go back to the normal phase, as after a step downhill."""
        self.temperature = self.rest_temperature
        self.since_downhill = 0
        self.melted = False
