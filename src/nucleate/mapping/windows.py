"""Windows of a field: limits of atomic and molar fractions, such as ``0.1 < x(Li) < 0.4``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nucleate.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_NUMBER = r"(\d+(?:\.\d*)?|\.\d+)"
_SIGN = r"(<=|>=|<|>)"
_WINDOW = re.compile(rf"(?:{_NUMBER}{_SIGN})?x\(([A-Za-z0-9()\[\]]+)\)(?:{_SIGN}{_NUMBER})?")
_TOLERANCE = 1e-9
_EXAMPLE = "Write it like '0.1 < x(Li) < 0.4' or 'x(Li) <= 0.5'."


@dataclass(frozen=True, slots=True)
class Window:
    """Limits of one fraction.

    Attributes
    ----------
    name : str
        Element or end member.
    low, high : float
    low_included, high_included : bool
        Whether the limits themselves are inside.
    """

    name: str
    low: float
    high: float
    low_included: bool
    high_included: bool

    def contains(self, fractions: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Return which fractions are inside."""
        slack_low = _TOLERANCE if self.low_included else -_TOLERANCE
        slack_high = _TOLERANCE if self.high_included else -_TOLERANCE
        return (fractions >= self.low - slack_low) & (fractions <= self.high + slack_high)


def read_window(text: str) -> Window:
    """Read a window.

    Raises
    ------
    InputError
        If it cannot be read, or nothing can be inside.

    Examples
    --------
    >>> read_window("0.1 < x(Li) <= 0.4")
    Window(name='Li', low=0.1, high=0.4, low_included=False, high_included=True)
    """
    match = _WINDOW.fullmatch("".join(text.split()))
    if match is None or not (match[2] or match[4]):
        raise _bad(text, "it cannot be read")
    low, high = (0.0, True), (1.0, True)
    for number, sign, is_left in ((match[1], match[2], True), (match[5], match[4], False)):
        if sign is None:
            continue
        limit = float(number), sign.endswith("=")
        if (sign[0] == "<") == is_left:
            low = _tighter(low, limit, text, of_low=True)
        else:
            high = _tighter(high, limit, text, of_low=False)
    if low[0] > high[0] or (low[0] == high[0] and not (low[1] and high[1])):
        raise _bad(text, "no fraction is inside")
    return Window(match[3], low[0], high[0], low[1], high[1])


def _tighter(
    old: tuple[float, bool], new: tuple[float, bool], text: str, *, of_low: bool
) -> tuple[float, bool]:
    if not 0.0 <= new[0] <= 1.0:
        raise _bad(text, f"{new[0]:g} is not a fraction from 0 to 1")
    if new[0] == old[0]:
        return new[0], new[1] and old[1]
    return max(old, new) if of_low else min(old, new)


def _bad(text: str, problem: str) -> InputError:
    return InputError(f"field.windows: {text[:80]!r}: {problem}. {_EXAMPLE}")
