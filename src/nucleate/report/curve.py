"""The best energy of a run against the number of structures, as lines of text."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

LEVELS = " ▁▂▃▄▅▆▇█"
ASCII_LEVELS = " .:-=+*#@"


def curve(
    values: Sequence[float] | NDArray[np.float64],
    *,
    width: int,
    height: int,
    window: float,
    plain: bool = False,
) -> list[str]:
    """Return the running minimum of some energies as bars, the first energy on the left.

    Parameters
    ----------
    values
        Energies in the order of the search; NaN where there is none.
    width, height
        Characters and lines.
    window
        Energies further above the lowest than this fill the whole height.
    plain
        Use ASCII only.
    """
    best = np.fmin.accumulate(np.asarray(values, dtype=float))
    if not np.isfinite(best).any():
        return [" " * width for _ in range(height)]
    places = np.linspace(0, len(best) - 1, width).round().astype(int)
    above = np.clip((best[places] - np.nanmin(best)) / window, 0.0, 1.0)
    steps = len(LEVELS) - 1
    filled = np.where(np.isfinite(above), np.ceil(above * height * steps), 0).astype(int)
    marks = ASCII_LEVELS if plain else LEVELS
    return [
        "".join(marks[int(np.clip(count - line * steps, 0, steps))] for count in filled.tolist())
        for line in reversed(range(height))
    ]
