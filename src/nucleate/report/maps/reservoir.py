"""What is stable while the potential of one element is set from outside, such as that of oxygen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nucleate.errors import InputError
from nucleate.mapping.gases import COLDEST_K, GASES, potential
from nucleate.mapping.potentials import open_hull

if TYPE_CHECKING:
    from nucleate.mapping.reading import MapState

STEPS = 80
BEYOND_EV = 0.2
AIR = {"O": 0.21, "N": 0.78}
"""bar; partial pressures in air. Other gases have 1 bar."""


@dataclass(frozen=True, slots=True)
class OpenRange:
    """Chemical potentials of the open element at which a phase is stable.

    Attributes
    ----------
    formula : str
    low, high : float
        eV per atom relative to the element; the first is the lowest that was looked at where the
        phase stays stable below it.
    hottest_k, coldest_k : float or None
        Temperatures in K at which the gas has these potentials at ``pressure_bar``; None outside
        of the data.
    pressure_bar : float
    """

    formula: str
    low: float
    high: float
    hottest_k: float | None
    coldest_k: float | None
    pressure_bar: float


def open_elements_of(state: MapState) -> list[str]:
    """Return the elements that can be open, gases first; none of two elements or end members."""
    if state.field.has_end_members or len(state.field.elements) < 3:
        return []
    gases = [symbol for symbol in GASES if symbol in state.field.elements]
    return [*gases, *(symbol for symbol in state.field.elements if symbol not in gases)]


def open_ranges(state: MapState, symbol: str, lowest: float | None = None) -> list[OpenRange]:
    """Return what is stable at which chemical potential of an open element.

    Parameters
    ----------
    state
        The map.
    symbol
        The open element.
    lowest
        Chemical potential in eV per atom down to which it is looked at, in steps of 1/80 of it;
        default: a little below the lowest at which anything changes.

    Raises
    ------
    InputError
        If the field has no such element, or it has no energy.
    """
    hull = state.energies.hull()
    if symbol not in state.field.elements or hull.missing:
        raise InputError(f"open element = {symbol!r} has no energy in this map.")
    if lowest is None:
        corner = state.field.elements.index(symbol)
        lowest = float(min(hull.potentials[:, corner].min(), -0.1)) - BEYOND_EV
    grid = np.linspace(0.0, lowest, STEPS + 1)
    stable: dict[str, list[float]] = {}
    for mu in grid.tolist():
        found = open_hull(hull, state.field.elements, symbol, mu)
        if found.missing:
            raise InputError(f"{', '.join(found.missing)} has no energy in this map yet.")
        for place in found.vertices:
            stable.setdefault(found.names[place], []).append(mu)
    pressure = AIR.get(symbol, 1.0)
    ranges = [
        OpenRange(
            formula,
            min(mus),
            max(mus),
            _temperature(symbol, min(mus), pressure),
            _temperature(symbol, max(mus), pressure),
            pressure,
        )
        for formula, mus in stable.items()
    ]
    return sorted(ranges, key=lambda item: (-item.high, item.formula))


def _temperature(symbol: str, mu: float, pressure_bar: float) -> float | None:
    """Return the temperature at which a gas has a chemical potential."""
    from scipy.optimize import brentq

    if symbol not in GASES:
        return None
    low, high = COLDEST_K[symbol], GASES[symbol].ranges[-1][0]
    values = [potential(symbol, t, pressure_bar) - mu for t in (low, high)]
    if values[0] <= 0.0 or values[1] >= 0.0:
        return None
    return float(brentq(lambda t: potential(symbol, t, pressure_bar) - mu, low, high, xtol=0.5))  # type: ignore[arg-type]
