"""How wrong a surrogate is on evaluations that it had not learned."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True, slots=True)
class Errors:
    """Errors of predictions made before the evaluations were learned.

    Attributes
    ----------
    n_frames : int
        Evaluations predicted.
    energy_mev_per_atom, force_ev_per_ang, stress_gpa : float
        Root mean squares over evaluations within 1 eV/atom of the lowest.
    rest_mev_per_atom : float or None
        Root mean square of energies where the largest force is below 0.5 eV/Å: near minima.
    spearman : float or None
        Rank correlation of predicted and true energies there; None for fewer than five.
    """

    n_frames: int
    energy_mev_per_atom: float
    force_ev_per_ang: float
    stress_gpa: float
    rest_mev_per_atom: float | None = None
    spearman: float | None = None


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """One point of a learning curve: what a fit knew, and how wrong it was on what came next.

    Attributes
    ----------
    number : int
        Number of the fit.
    n_frames, n_groups : int
        Evaluations and relaxations that it had learned.
    errors : Errors
    """

    number: int
    n_frames: int
    n_groups: int
    errors: Errors


REST_FORCE = 0.5
"""eV/Å, below which an evaluation counts as near a minimum."""

NEAR_EV = 1.0
"""eV/atom above the lowest, within which errors count."""


@dataclass(slots=True)
class Tally:
    """Adds up errors of predictions."""

    energies: list[float] = field(default_factory=list)
    forces: list[float] = field(default_factory=list)
    stresses: list[float] = field(default_factory=list)
    at_rest: list[tuple[float, float]] = field(default_factory=list)

    def add(
        self, *, predicted: float, true: float, force: float, stress: float, is_at_rest: bool
    ) -> None:
        """Take energies (eV/atom) and mean square errors of forces and stresses of one frame."""
        self.energies.append(predicted - true)
        self.forces.append(force)
        self.stresses.append(stress)
        if is_at_rest:
            self.at_rest.append((predicted, true))

    def errors(self) -> Errors | None:
        """Return the errors of what was added, or None if nothing was."""
        if not self.energies:
            return None
        rest = np.array(self.at_rest).reshape(-1, 2)
        return Errors(
            n_frames=len(self.energies),
            energy_mev_per_atom=1e3 * _rms(np.array(self.energies)),
            force_ev_per_ang=float(np.sqrt(np.mean(self.forces))),
            stress_gpa=float(np.sqrt(np.mean(self.stresses))),
            rest_mev_per_atom=1e3 * _rms(rest[:, 0] - rest[:, 1]) if len(rest) else None,
            spearman=rank_correlation(rest) if len(rest) >= 5 else None,
        )


def _rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(values**2)))


def rank_correlation(pairs: np.ndarray) -> float | None:
    """Return Spearman's rank correlation of two columns; None where one of them is constant."""
    if np.ptp(pairs, axis=0).min() == 0.0:
        return None
    ranks = [_ranks(column) for column in pairs.T]
    return float(np.corrcoef(ranks)[0, 1])


def _ranks(values: np.ndarray) -> np.ndarray:
    """Return ranks, for equal values their mean, without scipy.stats, which loads for a second."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - 0.5 * (counts - 1))[place]
