"""Figures of a hull: a line, a triangle, or the faces and a projection of a tetrahedron."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from nucleate.errors import InputError
from nucleate.mapping.judged import JUDGED, judged_heights
from nucleate.report.figure import ShownFigure
from nucleate.report.maps.edges import tie_lines
from nucleate.report.maps.rows import NEAR_EV, UNLISTED
from nucleate.report.maps.status import without_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from nucleate.mapping.hull import Hull
    from nucleate.mapping.reading import MapState

APART = (0.09, 0.03)
"""Distances along and across at which two formulas can both be read."""

TRIANGLE = np.array([[0.0, 0.0], [1.0, 0.0], [0.5, np.sqrt(0.75)]])
TETRAHEDRON = np.array([[0.0, 0.0], [1.0, 0.0], [0.62, 0.38], [0.46, np.sqrt(0.75) + 0.08]])
"""Corners of a tetrahedron as it is seen from above and one side."""


def hull_figure(state: MapState) -> Figure:
    """Return a figure of the hull of a map.

    Parameters
    ----------
    state
        The map.

    Raises
    ------
    InputError
        If a corner has no energy yet, or the field has more than four corners.
    """
    hull = state.energies.hull()
    if hull.missing:
        raise InputError(
            f"{state.folder}: {', '.join(hull.missing)} has no energy yet, so there is no hull. "
            "Continue the map."
        )
    if lack := without_figure(state):
        raise InputError(f"{lack}.")
    known = [phase.reference is not None for phase in state.energies.phases()]
    figure = ShownFigure(figsize=(7.2, 5.6), layout="constrained")
    axes = figure.add_subplot()
    if len(hull.members) == 2:
        _draw_second_opinions(axes, hull, state)
        _draw_line(axes, hull, known)
    else:
        corners = TRIANGLE if len(hull.members) == 3 else TETRAHEDRON
        _draw_simplex(axes, hull, known, corners)
    axes.set_title(f"{state.field.system}, {state.tiers[-1]}", pad=14)
    return figure


def _draw_line(axes: Any, hull: Hull, known: list[bool]) -> None:
    x, stable = hull.shares[:, 1], list(hull.vertices)
    order = sorted(stable, key=lambda place: x[place])
    axes.plot(x[order], hull.formation[order], color="#57606a", zorder=1)
    _scatter(axes, np.column_stack([x, hull.formation]), hull, known)
    for place in stable:
        axes.annotate(
            hull.names[place], (x[place], hull.formation[place]), xytext=(3, -11),
            textcoords="offset points", fontsize=8,
        )  # fmt: skip
    axes.set_xlabel(f"share of the atoms in {hull.member_names[1]}")
    axes.set_ylabel("formation energy (eV/atom)")


def _draw_second_opinions(axes: Any, hull: Hull, state: MapState) -> None:
    """Draw a bar from each phase that a second model has judged to its height by that model.

    Both heights are above the hull of their own model.
    """
    judged = judged_heights(state.energies, state.meta.get(JUDGED))
    formulas = [phase.composition.formula for phase in state.energies.phases()]
    seconds = np.array([judged.get(formula, np.nan) for formula in formulas])
    has_both = np.isfinite(seconds)
    apart = (seconds - hull.above_hull)[has_both]
    ends = np.array([np.maximum(-apart, 0.0), np.maximum(apart, 0.0)])
    if has_both.any():
        axes.errorbar(
            hull.shares[has_both, 1], hull.formation[has_both], ends, fmt="none", ecolor="#57606a",
            elinewidth=0.9, capsize=2.5, zorder=1, label="by the second model",
        )  # fmt: skip


def _draw_simplex(axes: Any, hull: Hull, known: list[bool], corners: NDArray[np.float64]) -> None:
    places = hull.shares @ corners
    for a, b in tie_lines(hull):
        axes.plot(*places[[a, b]].T, color="#8c959f", linewidth=0.8, zorder=1)
    _scatter(axes, places, hull, known)
    for name, corner in zip(hull.member_names, corners, strict=True):
        away = corner - corners.mean(axis=0)
        axes.annotate(
            name, corner, xytext=tuple(14.0 * away / np.linalg.norm(away)), fontsize=11,
            textcoords="offset points", ha="center", va="center",
        )  # fmt: skip
    for place in _labelled(hull, places):
        axes.annotate(
            hull.names[place],
            places[place],
            xytext=(4, 4),
            fontsize=7,
            textcoords="offset points",
        )
    axes.set_aspect("equal")
    axes.axis("off")


def _labelled(hull: Hull, places: NDArray[np.float64]) -> list[int]:
    """Return the stable phases whose formula has room, those of the fewest atoms first."""
    chosen: list[int] = []
    inner = [place for place in hull.vertices if hull.shares[place].max() < 1.0 - 1e-9]
    for place in sorted(inner, key=lambda k: hull.counts[k].sum()):
        gaps = np.abs(places[chosen] - places[place]) if chosen else np.empty((0, 2))
        if not ((gaps[:, 0] < APART[0]) & (gaps[:, 1] < APART[1])).any():
            chosen.append(place)
    return chosen


def _scatter(axes: Any, places: NDArray[np.float64], hull: Hull, known: list[bool]) -> None:
    """Draw the phases: what is stable is filled, what is not in the library is a diamond."""
    stable = np.zeros(len(places), dtype=bool)
    stable[list(hull.vertices)] = True
    is_known = np.array(known)
    near = ~stable & (hull.above_hull <= NEAR_EV)
    for mask, style in (
        (~stable & ~near, {"marker": ".", "s": 10, "color": "#b0b8c0", "label": "above the hull"}),
        (near, {"marker": "o", "s": 22, "facecolors": "none", "edgecolors": "#56B4E9",
                "label": f"within {1000 * NEAR_EV:.0f} meV/atom"}),
        (stable & is_known, {"marker": "o", "s": 34, "color": "#0072B2",
                             "label": "stable, in the library"}),
        (stable & ~is_known, {"marker": "D", "s": 34, "color": "#D55E00",
                              "label": f"stable, {UNLISTED}"}),
    ):  # fmt: skip
        if mask.any():
            axes.scatter(*places[mask].T, zorder=2, **style)
    axes.figure.legend(fontsize=8, loc="outside lower center", ncols=4, frameon=False)
