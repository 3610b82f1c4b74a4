"""Powder patterns as figures and files."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from nucleate.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from nucleate.crystal.crystal import Crystal
    from nucleate.powder import Agreement, Pattern
    from nucleate.report.figure import ShownFigure

ANGLES = np.arange(5.0, 90.0, 0.02)
"""2θ in degrees of a written pattern."""


def powder_figure(pattern: Pattern, fits: Sequence[tuple[str, Agreement]]) -> ShownFigure:
    """Draw a measured pattern with the calculated one of each structure and their difference.

    Parameters
    ----------
    pattern
        The measured pattern.
    fits
        Title and fit of each structure, one panel each.
    """
    from nucleate.report.figure import ShownFigure, figure_text

    figure = ShownFigure(figsize=(8.0, 2.6 * len(fits) + 0.4), layout="constrained")
    panels = figure.subplots(len(fits), 1, sharex=True, squeeze=False)[:, 0]
    angles, measured = pattern.two_theta, pattern.intensity
    for axes, (title, fit) in zip(panels, fits, strict=True):
        difference = measured - fit.calculated
        low = min(float(measured.min()), float(fit.background.min()))
        shift = low - float(difference.max()) - 0.03 * float(np.ptp(measured))
        axes.plot(angles, measured, ".", ms=2.0, color="0.45", label="measured")
        axes.plot(angles, fit.calculated, "-", lw=1.0, color="C3", label="calculated")
        axes.plot(angles, fit.background, "--", lw=0.8, color="C0", label="background")
        axes.plot(angles, difference + shift, "-", lw=0.7, color="C2", label="difference")
        axes.set_title(
            f"{figure_text(title)}    R_wp {fit.r_wp:.1f} %, strain {100 * fit.strain:+.2f} %, "
            f"zero shift {fit.zero:+.3f}°",
            fontsize=9,
            loc="left",
        )
        axes.set(ylabel="intensity", xlim=(angles[0], angles[-1]))
        axes.set_yticks([])
    panels[0].legend(fontsize=7, ncols=4, loc="upper right")
    panels[-1].set_xlabel("2θ (°)")
    return figure


def write_fit(path: Path, pattern: Pattern, name: str, fit: Agreement) -> None:
    """Write 2θ, measured, calculated, background and difference as columns of text."""
    table = np.column_stack(
        [
            pattern.two_theta,
            pattern.intensity,
            fit.calculated,
            fit.background,
            pattern.intensity - fit.calculated,
        ]
    )
    head = (
        f"{name}, R_wp {fit.r_wp:.2f} %\n2theta_degrees measured calculated background difference"
    )
    np.savetxt(path, table, fmt="%.5g", header=head, encoding="utf-8")


def write_pattern(path: Path, crystal: Crystal, *, title: str) -> None:
    """Write the calculated Cu Kα pattern from 5 to 90° as two columns, its maximum being 100.

    An empty pattern takes its place where an element has no X-ray form factor.
    """
    from nucleate.powder import calculated_pattern, radiation

    try:
        intensity = calculated_pattern(crystal, radiation("CuKa"), two_theta=ANGLES)
    except InputError as error:
        path.write_text(f"# {title}: {error}\n", encoding="utf-8")
        return
    head = f"# {title}, Cu Ka, FWHM 0.1 degrees\n# 2theta_degrees intensity\n"
    path.write_text(head + _two_columns() % tuple(intensity.tolist()), encoding="utf-8")


@cache
def _two_columns() -> str:
    """Return the angles of a written pattern, each with a place for an intensity."""
    return "".join(f"{angle:.2f} %.4f\n" for angle in ANGLES.tolist())
