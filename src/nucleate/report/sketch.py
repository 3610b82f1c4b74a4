"""The trajectory of a run as a small SVG picture, which takes milliseconds.

Sources have the colours and shapes of the page.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import numpy as np

from nucleate.report.trajectory import range_of
from nucleate.text import label

if TYPE_CHECKING:
    from collections.abc import Callable

    from nucleate.report.history import Trajectory

    Place = Callable[[float, float], tuple[float, float]]

WIDTH, HEIGHT = 720, 360
LEFT, RIGHT, TOP, BOTTOM, LEGEND = 70, 140, 30, 42, 132
MOST_POINTS = 1500
LONGEST_NAME = 24

KNOWN = ("prototypes", "symmetric", "blocks", "moves", "graph-search", "seeds", "pool", "lattice")
"""Sources in the order of their colours, as on the page."""

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8A6D00", "#777777")
PATHS = (
    "M-3 0a3 3 0 1 0 6 0a3 3 0 1 0-6 0z", "M-3-3h6v6h-6z", "M0-4l4 7h-8z", "M0-4l4 4l-4 4l-4-4z",
    "M-3-3l6 6M-3 3l6-6", "M-4 0h8M0-4v8", "M0 4l4-7h-8z", "M-3 0a3 3 0 1 0 6 0a3 3 0 1 0-6 0",
)  # fmt: skip
OPEN = (4, 5, 7)
"""Shapes that are drawn as lines."""


def sketch(found: Trajectory, tier: str, *, title: str) -> str:
    """Return enthalpy against the number of structures as an SVG document.

    Parameters
    ----------
    found
        What is drawn.
    tier
        The tier whose enthalpies it holds.
    title
        Of the picture.
    """
    lowest, top = range_of(found)
    span = 1.08 * (top - lowest)
    number = max(len(found.enthalpies) - 1, 1)

    def place(index: float, value: float) -> tuple[float, float]:
        share = (min(value, top) - lowest + 0.04 * span) / span
        x = LEFT + (WIDTH - LEFT - RIGHT) * index / number
        return round(x, 1), round(HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * share, 1)

    parts = [*_frame(found, tier, title, (lowest, top), place), *_points(found, place)]
    best = np.fmin.accumulate(found.enthalpies)
    steps = [k for k in range(len(best)) if k and best[k] != best[k - 1] and np.isfinite(best[k])]
    line = ""
    for k in [*([0] if len(best) and np.isfinite(best[0]) else []), *steps]:
        x, y = place(k, best[k])
        line += f"H{x}V{y}" if line else f"M{x} {y}"
    line += f"H{WIDTH - RIGHT}" if line else ""
    parts.append(f'<path d="{line}" fill="none" stroke="#c00" stroke-width="1.8"/>')
    body = "".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" '
        f'height="{HEIGHT}" font-family="sans-serif" font-size="12">'
        f'<rect width="100%" height="100%" fill="#fff"/>{body}</svg>'
    )


def _frame(
    found: Trajectory, tier: str, title: str, limits: tuple[float, float], place: Place
) -> list[str]:
    """Return title, axes and their numbers."""
    unit = "eV" if found.unit == "eV" else "arbitrary units"
    bottom, left, right = HEIGHT - BOTTOM, LEFT, WIDTH - RIGHT
    parts = [
        _text(WIDTH / 2, 18, title, anchor="middle", extra=' font-weight="bold"'),
        _text(WIDTH / 2, HEIGHT - 8, "structure", anchor="middle"),
        f'<g transform="translate(14 {HEIGHT / 2}) rotate(-90)">'
        + _text(0, 0, f"enthalpy ({unit}/atom), {tier}", anchor="middle")
        + "</g>",
        f'<path d="M{left} {TOP}V{bottom}H{right}" fill="none" stroke="#888"/>',
    ]
    for value in np.linspace(*limits, 5):
        _, y = place(0, float(value))
        parts.append(_text(left - 5, y + 4, f"{value:.3f}", anchor="end"))
    last = len(found.enthalpies) - 1
    for index in sorted({0, last // 2, last} if last > 0 else {0}):
        x, _ = place(index, limits[0])
        parts.append(_text(x, bottom + 15, f"{index:,}", anchor="middle"))
    return parts


def _points(found: Trajectory, place: Place) -> list[str]:
    """Return a mark for each structure, or for a part of very many, and the legend."""
    names = sorted(set(found.families), key=lambda name: (name not in KNOWN, name))
    kinds = {name: KNOWN.index(name) if name in KNOWN else k % 8 for k, name in enumerate(names)}
    finite = np.flatnonzero(np.isfinite(found.enthalpies))
    every = max(-(-len(finite) // MOST_POINTS), 1)
    marks: dict[str, list[str]] = {name: [] for name in names}
    for index in finite[::every].tolist():
        x, y = place(index, float(found.enthalpies[index]))
        marks[found.families[index]].append(
            f'<use href="#s{kinds[found.families[index]]}" x="{x}" y="{y}"/>'
        )
    parts = ["<defs>"]
    for kind in sorted(set(kinds.values())):
        paint = "none" if kind in OPEN else COLOURS[kind]
        parts.append(
            f'<path id="s{kind}" d="{PATHS[kind]}" fill="{paint}" stroke="{COLOURS[kind]}" '
            'opacity="0.75"/>'
        )
    parts.append("</defs>")
    for k, name in enumerate(names):
        parts += marks[name]
        y = TOP + 8 + 16 * k
        parts.append(f'<use href="#s{kinds[name]}" x="{WIDTH - LEGEND + 12}" y="{y}"/>')
        parts.append(_text(WIDTH - LEGEND + 22, y + 4, label(name)[:LONGEST_NAME]))
    return parts


def _text(x: float, y: float, text: str, *, anchor: str = "start", extra: str = "") -> str:
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}"{extra}>{escape(label(text))}</text>'
