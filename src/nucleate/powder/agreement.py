"""How well a crystal explains a measured powder pattern.

The calculated pattern is a scale times pseudo-Voigt lines plus a background of Chebyshev
polynomials. Scale and background follow from linear least squares at every step, so that only the
strain of the cell, the zero shift and the profile are searched: the strain on a grid with broad
lines first, then all together (variable projection; Golub and Pereyra, SIAM J. Numer. Anal. 10,
413, 1973). Atoms stay where they are: this ranks structures, it does not refine them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nucleate.powder.peaks import lines_of, lorentz_polarisation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from nucleate.crystal.crystal import Crystal
    from nucleate.powder.measured import Pattern
    from nucleate.powder.peaks import Lines
    from nucleate.powder.radiation import Radiation

BACKGROUND_TERMS = 8
BROAD = 0.6
"""Full width in degrees of the lines while the strain is searched on a grid."""

STARTS = 3
"""Strains of the grid from which the fit starts."""

NARROWEST, WIDEST = 0.02, 1.5
"""Bounds of the full width at half maximum in degrees."""

_LONGEST_SPACING = 100.0
_MIDDLE = (0.0, 0.0, 0.15, 0.05, 0.5)


@dataclass(frozen=True, slots=True)
class Bounds:
    """What the fit may change.

    Attributes
    ----------
    strain : float
        Largest isotropic strain of the cell, as a fraction of its lengths.
    zero : float
        Largest zero shift in degrees of 2θ.
    """

    strain: float = 0.03
    zero: float = 0.2


@dataclass(frozen=True, slots=True)
class Agreement:
    """A crystal against a pattern.

    Attributes
    ----------
    r_wp : float
        Weighted profile residual in percent, background included (Young, The Rietveld Method).
    explained : float
        Share of the weighted squared intensity above the fitted background that the lines explain:
        1 is all of it, 0 is what a pattern without this crystal explains.
    strain : float
        Isotropic strain of the cell at the best agreement, as a fraction of its lengths.
    zero : float
        Zero shift in degrees of 2θ, added to calculated angles.
    width : float
        Full width at half maximum at the middle of the pattern, in degrees.
    calculated : ndarray, shape (n_points,)
        The calculated pattern with its background.
    background : ndarray, shape (n_points,)
        The background.
    """

    r_wp: float
    explained: float
    strain: float
    zero: float
    width: float
    calculated: NDArray[np.float64]
    background: NDArray[np.float64]


def agreement(
    crystal: Crystal, pattern: Pattern, radiation: Radiation, bounds: Bounds | None = None
) -> Agreement:
    """Fit scale, background, isotropic strain, zero shift and line widths to a pattern.

    Parameters
    ----------
    crystal
        Any setting.
    pattern
        The measured pattern.
    radiation
        What it was measured with.
    bounds
        What the fit may change; default 3 % strain and 0.2° zero shift.

    Raises
    ------
    InputError
        If an element has no X-ray form factor.
    """
    from scipy.optimize import least_squares

    limits = Bounds() if bounds is None else bounds
    problem = _Problem(crystal, pattern, radiation, limits)
    low, high = problem.limits()
    starts = sorted(problem.grid(), key=lambda pair: pair[0])[:STARTS]
    best = None
    for _, strain in starts:
        first = np.clip(np.array([strain, *_MIDDLE[1:]]), low + 1e-9, high - 1e-9)
        for freeze in (BROAD / 2, None):  # broad lines first, so that no line loses its partner
            fit = least_squares(
                lambda x, freeze=freeze: problem.residual(x, freeze),
                first,
                bounds=(low, high),
                x_scale=(1e-3, 0.02, 0.05, 0.05, 0.2),
                diff_step=1e-4,
                max_nfev=30,
            )
            first = np.clip(fit.x, low + 1e-9, high - 1e-9)
        if best is None or fit.cost < best.cost:
            best = fit
    assert best is not None
    return problem.agreement(best.x)


def calculated_pattern(
    crystal: Crystal,
    radiation: Radiation,
    *,
    two_theta: NDArray[np.float64],
    width: float = 0.1,
) -> NDArray[np.float64]:
    """Return the pattern of a crystal without background, its maximum being 100.

    Parameters
    ----------
    crystal
        Any setting.
    radiation
        The X-rays.
    two_theta
        Angles 2θ in degrees, increasing, shape (n_points,).
    width
        Full width at half maximum of every line in degrees.
    """
    profile = _profile(
        _lines_within(crystal, radiation, two_theta, 0.0),
        radiation,
        two_theta,
        np.array([0.0, 0.0, width, 0.0, 0.5]),
    )
    highest = float(profile.max(initial=0.0))
    return profile if highest == 0.0 else profile * (100.0 / highest)


class _Problem:
    """A crystal and a pattern, with the background already projected out."""

    def __init__(
        self, crystal: Crystal, pattern: Pattern, radiation: Radiation, bounds: Bounds
    ) -> None:
        self.angles, self.radiation, self.bounds = pattern.two_theta, radiation, bounds
        self.lines = _lines_within(crystal, radiation, self.angles, bounds.strain)
        self.weight = 1.0 / pattern.sigma
        self.observed = pattern.intensity * self.weight
        span = self.angles[-1] - self.angles[0]
        place = 2.0 * (self.angles - self.angles[0]) / span - 1.0
        terms = np.polynomial.chebyshev.chebvander(place, BACKGROUND_TERMS - 1)
        self.terms = terms * self.weight[:, None]
        self.basis = np.linalg.qr(self.terms)[0]
        self.above = self.observed - self.basis @ (self.basis.T @ self.observed)

    def limits(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the lowest and highest strain, zero, two widths and mixing."""
        strain, zero = max(self.bounds.strain, 1e-6), max(self.bounds.zero, 1e-6)
        low = np.array([-strain, -zero, NARROWEST, 0.0, 0.0])
        return low, np.array([strain, zero, WIDEST, WIDEST, 1.0])

    def grid(self) -> Iterator[tuple[float, float]]:
        """Yield the remaining square and the strain on a grid that no broad line jumps over."""
        theta = np.radians(min(self.angles[-1], 150.0) / 2.0)
        step = np.radians(BROAD / 2.0) / (2.0 * np.tan(theta))
        count = int(np.ceil(self.bounds.strain / step)) if self.bounds.strain > 0.0 else 0
        for strain in np.linspace(-self.bounds.strain, self.bounds.strain, 2 * count + 1):
            rest = self.residual(np.array([strain, 0.0, BROAD, 0.0, 0.0]), None)
            yield float(rest @ rest), float(strain)

    def residual(self, values: NDArray[np.float64], broad: float | None) -> NDArray[np.float64]:
        """Return the weighted difference at the best scale and background."""
        shown = values if broad is None else np.array([*values[:2], broad, *values[3:]])
        lines = self.weight * _profile(self.lines, self.radiation, self.angles, shown)
        lines = lines - self.basis @ (self.basis.T @ lines)
        return self.above - _scale(lines, self.above) * lines

    def agreement(self, values: NDArray[np.float64]) -> Agreement:
        """Return the figures and curves at some values."""
        rest = self.residual(values, None)
        profile = _profile(self.lines, self.radiation, self.angles, values)
        lines = self.weight * profile
        free = lines - self.basis @ (self.basis.T @ lines)
        scale = _scale(free, self.above)
        remaining = self.observed - scale * lines
        factors = np.linalg.lstsq(self.terms, remaining, rcond=None)[0]
        background = self.terms @ factors / self.weight
        middle = np.radians((self.angles[0] + self.angles[-1]) / 4.0)
        return Agreement(
            r_wp=100.0 * float(np.linalg.norm(rest) / np.linalg.norm(self.observed)),
            explained=1.0 - float(rest @ rest) / float(self.above @ self.above),
            strain=float(values[0]),
            zero=float(values[1]),
            width=float(np.hypot(values[2], values[3] * np.tan(middle))),
            calculated=scale * profile + background,
            background=background,
        )


def _scale(lines: NDArray[np.float64], above: NDArray[np.float64]) -> float:
    square = float(lines @ lines)
    return max(0.0, float(lines @ above) / square) if square > 0.0 else 0.0


def _lines_within(
    crystal: Crystal, radiation: Radiation, angles: NDArray[np.float64], strain: float
) -> Lines:
    """Return the lines that may lie on the angles when the cell is strained."""
    lengths = [length for length, _ in radiation.lines]
    high = np.sin(np.radians(min(float(angles[-1]) + 2.0, 178.0) / 2.0))
    low = np.sin(np.radians(max(float(angles[0]) - 2.0, 0.2) / 2.0))
    shortest = min(lengths) / (2.0 * high) / (1.0 + strain)
    longest = min(max(lengths) / (2.0 * low) / (1.0 - strain), _LONGEST_SPACING)
    return lines_of(crystal, shortest, longest)


def _profile(
    lines: Lines,
    radiation: Radiation,
    angles: NDArray[np.float64],
    values: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return the lines on the angles; values are strain, zero, two widths and mixing."""
    from nucleate.powder.profile import add_profiles

    strain, zero, width, broadening, mixing = values
    out = np.zeros(len(angles))
    for length, share in radiation.lines:
        sine = length / (2.0 * lines.spacing * (1.0 + strain))
        seen = sine < 0.9999
        theta = np.arcsin(sine[seen])
        areas = share * lines.intensity[seen] * lorentz_polarisation(theta)
        widths = np.hypot(width, broadening * np.tan(theta))
        add_profiles(angles, np.degrees(2.0 * theta) + zero, areas, widths, mixing, out)
    return out
