"""X-ray powder patterns of crystals and their agreement with a measured one."""

from __future__ import annotations

from nucleate.powder.agreement import Agreement, Bounds, agreement, calculated_pattern
from nucleate.powder.measured import Pattern, read_pattern
from nucleate.powder.peaks import Lines, lines_of
from nucleate.powder.radiation import Radiation, radiation

__all__ = [
    "Agreement",
    "Bounds",
    "Lines",
    "Pattern",
    "Radiation",
    "agreement",
    "calculated_pattern",
    "lines_of",
    "radiation",
    "read_pattern",
]
