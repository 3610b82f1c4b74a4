"""How much crystals shrink under a pressure, by the energy model itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nucleate.units import GPA_PER_EV_A3

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from nucleate.crystal.crystal import Crystal

    Energies = Callable[[Sequence[Crystal]], NDArray[np.float64]]

RATIO = 0.93
"""Between neighbouring volumes of a scan."""

SMALLEST, LARGEST = 0.1, 3.0
"""Ends of a scan, relative to the volume of the crystal as given."""

STRONGEST, WIDEST = 0.3, 1.3
"""Compression that is assumed where the model has no bound, under pressure and under tension."""

NO_BOUND = "the model has no bound at this pressure"


@dataclass(frozen=True, slots=True)
class Compression:
    """The volume that crystals take under a pressure, relative to that at 0 GPa.

    Attributes
    ----------
    factor : float
        Volume ratio.
    note : str
        Why it is a guess, else empty.
    model : str
        Whose energies it comes from; empty where it was given or is none.
    """

    factor: float = 1.0
    note: str = ""
    model: str = ""


def compression(
    energies: Energies, crystals: Sequence[Crystal], pressure_gpa: float
) -> Compression:
    """Return the compression of some crystals under uniform scaling of the cell.

    Each crystal is scaled through a grid of volumes. Its volume at 0 GPa is the minimum of the
    energy E that lies downhill from the volume given, and its volume under the pressure p the first
    minimum of E + pV from there on, downwards for p > 0: beyond its training data a model may fall
    without end, and what lies further down is no crystal. The result is the median.

    Parameters
    ----------
    energies
        Of crystals, in eV/atom without the term of the pressure; NaN where there is none.
    crystals
        A few of one composition, each near its volume at 0 GPa.
    pressure_gpa
        External pressure; below 0 is tension.

    Examples
    --------
    >>> from nucleate.crystal.crystal import Crystal
    >>> import numpy as np
    >>> cube = Crystal(np.array([29]), 2.3 * np.eye(3), np.zeros((1, 3)))
    >>> def harmonic(crystals):  # E = 10 (V/V0 - 1)^2 eV per atom
    ...     return np.array([10 * (c.volume / cube.volume - 1) ** 2 for c in crystals])
    >>> round(compression(harmonic, [cube], 100.0).factor, 2)
    0.62
    """
    if not crystals or pressure_gpa == 0.0:
        return Compression()
    shares = _grid()
    scaled = [crystal.with_volume(crystal.volume * x) for crystal in crystals for x in shares]
    scans = energies(scaled).reshape(len(crystals), len(shares))
    found = [
        factor
        for crystal, scan in zip(crystals, scans, strict=True)
        if (factor := _factor(shares, scan, crystal.volume_per_atom, pressure_gpa)) is not None
    ]
    if found:
        return Compression(float(np.median(found)))
    return Compression(STRONGEST if pressure_gpa > 0.0 else WIDEST, NO_BOUND)


def _grid() -> NDArray[np.float64]:
    """Return ascending volume ratios, 1 among them."""
    step = -np.log(RATIO)
    down, up = int(np.log(1.0 / SMALLEST) / step), int(np.log(LARGEST) / step)
    return np.exp(step * np.arange(-down, up + 1))


def _factor(
    shares: NDArray[np.float64], scan: NDArray[np.float64], volume: float, pressure_gpa: float
) -> float | None:
    """Return the compression by one scan of eV/atom; None where it has no bound."""
    given = int(np.abs(shares - 1.0).argmin())
    downwards = scan[given - 1] < scan[given]
    at_rest = _first_minimum(scan, given, -1 if downwards else 1)
    if at_rest is None:
        return None
    enthalpies = scan + pressure_gpa / GPA_PER_EV_A3 * volume * shares
    pressed = _first_minimum(enthalpies, at_rest, -1 if pressure_gpa > 0.0 else 1)
    if pressed is None:
        return None
    logs = np.log(shares)
    return float(np.exp(_vertex(logs, enthalpies, pressed) - _vertex(logs, scan, at_rest)))


def _first_minimum(values: NDArray[np.float64], start: int, step: int) -> int | None:
    """Return the first place downhill from ``start`` that is no lower further on, or None."""
    place = start
    while 0 < place < len(values) - 1:
        if not np.isfinite(values[place - 1 : place + 2]).all():
            return None
        if values[place + step] >= values[place]:
            return place
        place += step
    return None


def _vertex(x: NDArray[np.float64], y: NDArray[np.float64], place: int) -> float:
    """Return where the parabola through three neighbouring points has its minimum."""
    low, here, high = y[place - 1 : place + 2]
    bend = low - 2.0 * here + high
    shift = 0.5 * (low - high) / bend if bend > 0.0 else 0.0
    return float(x[place] + np.clip(shift, -1.0, 1.0) * (x[1] - x[0]))
