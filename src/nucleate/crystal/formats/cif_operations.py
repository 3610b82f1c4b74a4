"""Symmetry operations in words, such as ``x+1/2, -y, z``."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from nucleate.crystal.formats.structures import shortened
from nucleate.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

_TERM = re.compile(r"([+-]?)(?:(\d{1,9}(?:\.\d{0,15})?|\.\d{1,15})(?:/(\d{1,9}))?)?\*?([xyz])?")


def parse_operation(text: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return rotation and translation of an operation such as ``x+1/2, -y, z``.

    Raises
    ------
    InputError
        If it cannot be read.
    """
    rotation, translation = np.zeros((3, 3)), np.zeros(3)
    parts = re.sub(r"\s", "", text.lower()).split(",")
    if len(parts) != 3:
        raise InputError(f"symmetry operation {shortened(text)} does not have three parts.")
    for row, part in enumerate(parts):
        position = 0
        while position < len(part):
            match = _TERM.match(part, position)
            assert match is not None
            sign, number, divisor, axis = match.groups()
            joined = position > 0 and not sign
            if match.end() == position or joined or not (number or axis):
                raise _bad_operation(text)
            value = _coefficient(number, divisor, text) * (-1.0 if sign == "-" else 1.0)
            if axis:
                rotation[row, "xyz".index(axis)] += value
            else:
                translation[row] += value
            position = match.end()
    whole = np.abs(rotation - np.rint(rotation)).max() < 1e-6
    if not whole or abs(abs(np.linalg.det(rotation)) - 1.0) > 1e-6:
        raise _bad_operation(text)
    return np.rint(rotation), translation


def _coefficient(number: str | None, divisor: str | None, text: str) -> float:
    if divisor is not None and ("." in (number or "") or int(divisor) == 0):
        raise _bad_operation(text)
    return float(Fraction(number or "1") / int(divisor or 1))


def _bad_operation(text: str) -> InputError:
    return InputError(
        f"symmetry operation {shortened(text)} cannot be read. Write it like 'x+1/2, -y, z'."
    )
