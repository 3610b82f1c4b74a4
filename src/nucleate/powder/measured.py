"""Measured powder patterns: two or three columns of text.

Angle 2θ in degrees, intensity, and perhaps the standard deviation of the intensity, separated by
blanks, tabs, commas or semicolons (``.xy``, ``.xye``, ``.dat``, ``.csv``, ``.txt``, ``.asc``).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nucleate.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nucleate.powder.radiation import Radiation

FEWEST_POINTS = 100
NARROWEST_RANGE = 10.0
"""Degrees of 2θ that a pattern must span."""

WIDEST_GAP = 5.0
"""Steps of the pattern; a wider one is a gap."""

LARGEST_FILE = 64 * 1024**2

SIGMA_FLOOR = 0.01
"""Where no standard deviations are given: the variance is at least this share of the maximum."""

_WAVELENGTH = re.compile(r"(?:wave\s*length|lambda|λ)[^0-9]{0,24}([0-3]?\.\d+)", re.IGNORECASE)
_REMEDY = "Export it as text with two columns, 2θ in degrees and intensity (.xy)."


@dataclass(frozen=True, slots=True)
class Pattern:
    """A measured pattern.

    Attributes
    ----------
    two_theta : ndarray, shape (n_points,)
        Angles 2θ in degrees, increasing.
    intensity : ndarray, shape (n_points,)
        Measured intensity in the unit of the file.
    sigma : ndarray, shape (n_points,)
        Standard deviation of the intensity: of the file, or of counting statistics.
    name : str
        Name of the file.
    """

    two_theta: NDArray[np.float64]
    intensity: NDArray[np.float64]
    sigma: NDArray[np.float64]
    name: str = ""


def read_pattern(path: str | Path, radiation: Radiation) -> Pattern:
    """Read a measured powder pattern.

    Parameters
    ----------
    path
        Text file with two or three columns.
    radiation
        What it was measured with; a wavelength in the head of the file must agree with it.

    Raises
    ------
    InputError
        If the file is in another format, of another wavelength, has a gap or angles that do not
        increase; the message gives the line.
    """
    path = Path(path)
    rows = _numbers(path, _text(path), radiation)
    lines = np.array([number for number, _ in rows])
    width = min(len(values) for _, values in rows)
    table = np.array([values[:width] for _, values in rows])
    _check_angles(path, table[:, 0], lines)
    intensity = table[:, 1]
    if not intensity.max() > 0.0:
        raise InputError(f"{path}: no intensity is above zero. {_REMEDY}")
    sigma = table[:, 2] if width > 2 else None
    if sigma is not None and not (sigma > 0.0).all():
        place = int(np.flatnonzero(sigma <= 0.0)[0])
        raise InputError(
            f"{path}, line {lines[place]}: the standard deviation {sigma[place]:g} in the third "
            "column is not above zero. Remove the column or the line."
        )
    if sigma is None:
        sigma = np.sqrt(np.maximum(intensity, SIGMA_FLOOR * intensity.max()))
    return Pattern(table[:, 0], intensity, sigma, path.name)


def _text(path: Path) -> str:
    try:
        size = path.stat().st_size
        raw = path.read_bytes() if size <= LARGEST_FILE else b""
    except OSError as error:
        raise InputError(f"The pattern {path} cannot be read: {error.strerror}.") from error
    if size > LARGEST_FILE:
        raise InputError(f"{path} has {size / 1e6:.0f} MB; a powder pattern has at most 64 MB.")
    head = raw[:512].lstrip(b"\xef\xbb\xbf \r\n\t")
    if b"\0" in raw or head.startswith(b"PK"):
        raise InputError(f"{path} is a binary file. {_REMEDY}")
    if head.startswith(b"<"):
        raise InputError(f"{path} is an XML file (XRDML or the like). {_REMEDY}")
    return raw.decode("utf-8-sig", errors="replace")


def _numbers(path: Path, text: str, radiation: Radiation) -> list[tuple[int, tuple[float, ...]]]:
    """Return the line number and the two or three numbers of every line of data."""
    rows: list[tuple[int, tuple[float, ...]]] = []
    for number, line in enumerate(text.splitlines(), start=1):
        values = _values(line)
        if values is not None:
            if not np.isfinite(values).all():
                raise InputError(f"{path}, line {number}: {line.strip()[:40]!r} is not finite.")
            rows.append((number, values))
        elif rows and line.strip() and not line.lstrip().startswith(("#", "!", ";", "'", "/")):
            raise InputError(
                f"{path}, line {number}: {line.strip()[:40]!r} is not two or three numbers. "
                f"{_REMEDY}"
            )
        elif not rows:
            _check_wavelength(path, number, line, radiation)
    if len(rows) < FEWEST_POINTS:
        raise InputError(
            f"{path} has {len(rows)} lines with two or three numbers; a powder pattern has at "
            f"least {FEWEST_POINTS}. {_REMEDY}"
        )
    return rows


def _values(line: str) -> tuple[float, ...] | None:
    fields = re.split(r"[\s,;]+", line.strip().strip(",;"))
    if not 2 <= len(fields) <= 3:
        return None
    try:
        return tuple(float(field) for field in fields)
    except ValueError:
        return None


def _check_wavelength(path: Path, number: int, line: str, radiation: Radiation) -> None:
    found = _WAVELENGTH.search(line)
    if found is None:
        return
    given = float(found.group(1))
    if all(abs(given / length - 1.0) > 2e-3 for length in _lengths(radiation)):
        raise InputError(
            f"{path}, line {number}: the file says a wavelength of {given} Å, but "
            f"wavelength = {radiation.name} is {radiation.wavelength:.5f} Å. "
            f"Give --wavelength {given}."
        )


def _lengths(radiation: Radiation) -> tuple[float, ...]:
    return (radiation.wavelength, *(length for length, _ in radiation.lines))


def _check_angles(path: Path, angles: NDArray[np.float64], lines: NDArray[np.int64]) -> None:
    steps = np.diff(angles)
    if (steps <= 0.0).any():
        place = int(np.flatnonzero(steps <= 0.0)[0])
        raise InputError(
            f"{path}, line {lines[place + 1]}: the angle {angles[place + 1]:g} is not larger than "
            f"{angles[place]:g} in line {lines[place]}. Angles must increase: sort the lines and "
            "give one scan per file."
        )
    if angles[0] <= 0.0 or angles[-1] >= 180.0 or angles[-1] - angles[0] < NARROWEST_RANGE:
        raise InputError(
            f"{path}: the first column runs from {angles[0]:g} to {angles[-1]:g}; 2θ in degrees "
            f"lies between 0 and 180 and spans at least {NARROWEST_RANGE:g}. {_REMEDY}"
        )
    step = float(np.median(steps))
    if steps.max() > WIDEST_GAP * step:
        place = int(np.argmax(steps))
        raise InputError(
            f"{path}, line {lines[place + 1]}: a gap from {angles[place]:g}° to "
            f"{angles[place + 1]:g}° in a pattern with steps of {step:g}°. Give the ranges as "
            "files of their own."
        )
