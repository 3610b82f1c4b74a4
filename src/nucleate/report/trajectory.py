"""The energy trajectory of a run, in the manner of Fig. 7 of the FUSE2 paper."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from matplotlib.axes import Axes

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
    from nucleate.report.figure import ShownFigure

    figure = ShownFigure(figsize=(8.0, 4.5), layout="constrained")
    axes = figure.add_subplot()
    enthalpies = [record.enthalpies().get(tier, np.nan) for record, _ in told]
    by_number = {record.number: value for (record, _), value in zip(told, enthalpies, strict=True)}
    finite = [value for value in enthalpies if np.isfinite(value)]
    axes.set(xlabel="structure", title=title)
    if not finite:
        axes.text(0.5, 0.5, f"no structure has been relaxed by {tier} yet", ha="center")
        return figure
    unit = _unit(told, tier)
    lowest = min(finite)
    top = lowest + WINDOW_EV_PER_ATOM if unit == "eV" else float(np.percentile(finite, 95))
    top = min(top, max(finite)) if max(finite) > lowest else lowest + 0.01
    _draw_points(axes, told, enthalpies, top)
    steps = np.arange(len(told))
    current = np.array([by_number.get(_or(findings.current), np.nan) for _, findings in told])
    best = np.fmin.accumulate(np.array(enthalpies))
    if not np.allclose(current, best, rtol=0.0, atol=LEVEL_EV_PER_ATOM, equal_nan=True):
        axes.step(steps, np.minimum(current, top), where="post", color="0.35", lw=1.0, label="walk")
    axes.step(steps, best, where="post", color="crimson", lw=1.8, label="best")
    _shade_melted(axes, told)
    margin = 0.04 * (top - lowest)
    axes.set_ylim(lowest - 2 * margin, top + margin)
    axes.set_ylabel(f"enthalpy ({'eV' if unit == 'eV' else 'arbitrary units'}/atom), {tier}")
    axes.legend(loc="upper right", fontsize=8, ncols=2)
    return figure


def save_trajectory(
    path: Path, told: Sequence[tuple[Record, SearchUpdate]], tier: str, *, title: str
) -> None:
    """Write the trajectory as PNG, SVG or PDF, by the suffix of ``path``."""
    trajectory_figure(told, tier, title=title).savefig(path, dpi=150)


def family_of(record: Record) -> str:
    """Return the generator a structure comes from, or ``moves``."""
    source = record.candidate.origin.source
    return "moves" if source.startswith("move:") else source


def _draw_points(
    axes: Axes, told: Sequence[tuple[Record, SearchUpdate]], enthalpies: Sequence[float], top: float
) -> None:
    families: dict[str, list[int]] = {}
    for index, (record, _) in enumerate(told):
        if np.isfinite(enthalpies[index]):
            families.setdefault(family_of(record), []).append(index)
    for family, indices in sorted(families.items()):
        values = np.minimum([enthalpies[index] for index in indices], top)
        axes.scatter(indices, values, s=11, alpha=0.7, label=family, linewidths=0)


def _shade_melted(axes: Axes, told: Sequence[tuple[Record, SearchUpdate]]) -> None:
    for index, (_, findings) in enumerate(told):
        if findings.melted:
            axes.axvspan(index - 0.5, index + 0.5, color="orange", alpha=0.12, lw=0)


def _unit(told: Sequence[tuple[Record, SearchUpdate]], tier: str) -> str:
    for record, _ in told:
        for item in record.outcomes:
            level = getattr(item.outcome, "level", None)
            if item.tier == tier and level is not None:
                return level.unit
    return "eV"


def _or(number: int | None) -> int:
    return -1 if number is None else number
