"""The pace of what is drawn again and again while something is in progress."""

from __future__ import annotations

import time
from typing import Self


class Paced:
    """A context that says when it is time to draw again; base of all displays."""

    def __init__(self) -> None:
        self._last_s = float("-inf")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Leave what is shown."""

    def _is_due(self, every_s: float) -> bool:
        """Return whether the last drawing is long ago, and take note of this one if so."""
        now = time.monotonic()
        if now - self._last_s < every_s:
            return False
        self._last_s = now
        return True
