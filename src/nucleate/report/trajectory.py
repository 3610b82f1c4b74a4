"""The energy trajectory of a run, in the manner of Fig. 7 of the FUSE2 paper."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nucleate.report.history import Trajectory

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from nucleate.report.figure import ShownFigure
    from nucleate.search.record import Record, SearchUpdate

WINDOW_EV_PER_ATOM = 0.6
"""Structures further above the best than this are drawn at the upper edge."""

LEVEL_EV_PER_ATOM = 1e-3
"""No walk is drawn that stays so close to the best."""


def trajectory_figure(
    told: Sequence[tuple[Record, SearchUpdate]], tier: str, *, title: str
) -> ShownFigure:
    """Draw enthalpy against the number of structures.

    Points are the structures of one tier, coloured by where they came from; lines are the
    structure a walk stands on and the best so far; melted phases are shaded.

    Parameters
    ----------
    told
        Records and search updates in the order in which the search received them.
    tier
        The tier whose enthalpies are drawn.
    title
        Title of the figure.
    """
    return figure_of(Trajectory.of_told(told, tier), tier, title=title)


def figure_of(found: Trajectory, tier: str, *, title: str) -> ShownFigure:
    """Draw a trajectory of a tier as :func:`trajectory_figure` does."""
    from nucleate.report.figure import ShownFigure, figure_text

    shown = figure_text(tier)

    figure = ShownFigure(figsize=(8.0, 4.5), layout="constrained")
    axes = figure.add_subplot()
    axes.set(xlabel="structure", title=figure_text(title))
    finite = found.enthalpies[np.isfinite(found.enthalpies)]
    if not finite.size:
        axes.text(0.5, 0.5, f"no structure has been relaxed by {shown} yet", ha="center")
        return figure
    lowest, top = range_of(found)
    is_ev = found.unit == "eV"
    _draw_points(axes, found, top)
    steps = np.arange(len(found.enthalpies))
    best = np.fmin.accumulate(found.enthalpies)
    walk = np.minimum(found.current, top)
    same = np.allclose(found.current, best, rtol=0.0, atol=LEVEL_EV_PER_ATOM, equal_nan=True)
    if np.isfinite(found.current).any() and not same:
        axes.step(steps, walk, where="post", color="0.35", lw=1.0, label="walk")
    axes.step(steps, best, where="post", color="crimson", lw=1.8, label="best")
    _shade_melted(axes, found.melted)
    margin = 0.04 * (top - lowest)
    axes.set_ylim(lowest - 2 * margin, top + margin)
    axes.set_ylabel(f"enthalpy ({'eV' if is_ev else 'arbitrary units'}/atom), {shown}")
    axes.legend(loc="upper right", fontsize=8, ncols=2)
    return figure


def range_of(found: Trajectory) -> tuple[float, float]:
    """Return the lowest enthalpy per atom, and the one at whose height higher ones are drawn."""
    finite = found.enthalpies[np.isfinite(found.enthalpies)]
    if not finite.size:
        return 0.0, 1.0
    lowest, highest = float(finite.min()), float(finite.max())
    is_ev = found.unit == "eV"
    top = lowest + WINDOW_EV_PER_ATOM if is_ev else float(np.percentile(finite, 95))
    return lowest, min(top, highest) if highest > lowest and top > lowest else lowest + 0.01


def _draw_points(axes: Axes, found: Trajectory, top: float) -> None:
    from nucleate.report.figure import figure_text

    names, kinds = np.unique(found.families, return_inverse=True)
    has_energy = np.isfinite(found.enthalpies)
    for kind, name in enumerate(names.tolist()):
        places = np.flatnonzero(has_energy & (kinds == kind))
        if places.size:
            values = np.minimum(found.enthalpies[places], top)
            axes.scatter(places, values, s=11, alpha=0.7, label=figure_text(name), linewidths=0)


def _shade_melted(axes: Axes, melted: NDArray[np.bool_]) -> None:
    edges = np.flatnonzero(np.diff(np.concatenate([[False], melted, [False]]).astype(np.int8)))
    for first, end in edges.reshape(-1, 2).tolist():
        axes.axvspan(first - 0.5, end - 0.5, color="orange", alpha=0.12, lw=0)
