"""The evaluations of relaxations, kept for those that a surrogate learns from."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import numpy as np

from nucleate.errors import InputError
from nucleate.units import GPA_PER_EV_A3

if TYPE_CHECKING:
    from nucleate.relax.judge import Point


class Traces:
    """Keeps the evaluations of the relaxations that it is to.

    A relaxer that has ``traces`` notes every evaluation in them; of one that has none, the end of
    a relaxation alone is known.
    """

    def __init__(self) -> None:
        self._wanted: dict[int, int] = {}
        self._points: dict[int, list[Point]] = {}

    def want(self, key: int, number: int) -> None:
        """Keep ``number`` evaluations of the relaxation with this key."""
        self._wanted[key] = number

    def wants(self, key: int) -> bool:
        """Return whether evaluations of a relaxation are kept."""
        return key in self._wanted

    def note(self, key: int, point: Point) -> None:
        """Keep an evaluation, if those of its relaxation are wanted."""
        if key in self._wanted:
            self._points.setdefault(key, []).append(point)

    def take(self, key: int) -> bytes:
        """Return the packed frames of a relaxation that has ended; empty where there are none."""
        from nucleate.surrogate.frames import Frame, thin
        from nucleate.surrogate.packing import pack

        wanted, points = self._wanted.pop(key, 0), self._points.pop(key, [])
        frames = []
        for point in points:
            if np.isfinite(point.energy):
                with suppress(InputError):  # a frame with NaN teaches nothing
                    stress = point.stress * GPA_PER_EV_A3
                    frames.append(Frame(point.crystal, point.energy, point.forces, stress))
        return pack(thin(frames, wanted)) if frames and wanted else b""
