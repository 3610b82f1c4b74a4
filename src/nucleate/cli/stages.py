"""What is shown while a generator makes its pool."""

from __future__ import annotations

import sys
import time

EVERY_S = 10.0


class Stages:
    """Prints where a long preparation stands: now and then, and at the end of each stage.

    On a terminal one line is redrawn.
    """

    def __init__(self) -> None:
        self._stage = ""
        self._last_s = 0.0
        self._start_s = 0.0

    def __call__(self, stage: str, done: int, whole: int) -> None:
        """Show the progress of a stage."""
        now = time.monotonic()
        if stage != self._stage:
            self._stage, self._start_s, self._last_s = stage, now, now
        live = sys.stderr.isatty()
        ends = done >= whole
        if not ends and now - self._last_s < (0.2 if live else EVERY_S):
            return
        self._last_s = now
        left = (now - self._start_s) * (whole - done) / done if done else 0.0
        text = f"{stage}: {done:,} of {whole:,}" + (f", {left:.0f} s left" if left >= 1.0 else "")
        sys.stderr.write((f"\r{text:<70}" if live else text) + ("\n" if ends or not live else ""))
        sys.stderr.flush()
