"""What is stable while the potential of one element is set from outside, such as that of oxygen."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING

from nucleate.errors import InputError
from nucleate.mapping.gases import COLDEST_K, GASES, potential
from nucleate.mapping.potentials import stability_windows

if TYPE_CHECKING:
    from nucleate.mapping.reading import MapState

AIR = {"O": 0.21, "N": 0.78}
"""bar; partial pressures in air. Other gases have 1 bar."""

MOST_GAS_GPA = 0.01
"""Pressure of a map up to which its elements are those that potentials of gases refer to; at
0.1 GPa the volume of a condensed gas already counts 10 meV per atom."""


@dataclass(frozen=True, slots=True)
class OpenRange:
    """Chemical potentials of the open element at which a phase is stable.

    Attributes
    ----------
    formula : str
    low : float or None
        eV per atom relative to the element; None where the phase is stable at any lower potential,
        as it does not contain the element.
    high : float
        As ``low``.
    hottest_k, coldest_k : float or None
        Temperatures in K at which the gas has these potentials at ``pressure_bar``; None outside
        of the data, and where there is no lowest potential.
    pressure_bar : float
    """

    formula: str
    low: float | None
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


def has_gas(state: MapState) -> bool:
    """Return whether potentials of gases apply: the elements of the map are not compressed."""
    return abs(state.options.pressure_gpa) <= MOST_GAS_GPA


def open_ranges(state: MapState, symbol: str) -> list[OpenRange]:
    """Return what is stable at which chemical potential of an open element.

    The limits are exact: those of :func:`nucleate.mapping.potentials.stability_windows`.

    Parameters
    ----------
    state
        The map.
    symbol
        The open element.

    Raises
    ------
    InputError
        If the field has no such element, or it has no energy.
    """
    hull = state.energies.hull()
    if symbol not in state.field.elements or hull.missing:
        raise InputError(f"open element = {symbol!r} has no energy in this map.")
    corner = state.field.elements.index(symbol)
    gas = symbol if has_gas(state) else ""
    pressure = AIR.get(symbol, 1.0)
    ranges = [
        _range(window.name, window.low[corner], window.high[corner], gas, pressure)
        for window in stability_windows(hull)
        if window.name != symbol
    ]
    return sorted(ranges, key=lambda item: (-item.high, item.formula))


def _range(formula: str, low: float, high: float, gas: str, pressure_bar: float) -> OpenRange:
    is_bounded = isfinite(low)
    return OpenRange(
        formula,
        low if is_bounded else None,
        high,
        _temperature(gas, low, pressure_bar) if is_bounded else None,
        _temperature(gas, high, pressure_bar),
        pressure_bar,
    )


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
