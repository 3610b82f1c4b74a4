"""Chemical potentials: where a phase is stable, and hulls in contact with one element.

Potentials are relative to the corners of the field, in eV/atom: 0 is equilibrium with the lowest
phase of the corner.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nucleate.mapping.hull import Hull
from nucleate.units import BOLTZMANN_EV_PER_K, EV_PER_KJ_MOL

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SHOMATE = (
    (700.0, (31.32234, -20.23531, 57.86644, -36.50624, -0.007374, -8.903471, 246.7945)),
    (2000.0, (30.03235, 8.772972, -3.988133, 0.788313, -0.741599, -11.32468, 236.1663)),
)
"""Upper limit in K and coefficients A to G of the Shomate equation of O2 (NIST WebBook)."""

_ENTHALPY_TO_298_K = 8.683
"""kJ/mol; of O2, from 0 K to 298.15 K (JANAF)."""


def region_of(hull: Hull, place: int) -> NDArray[np.float64]:
    """Return the corners of the region of chemical potentials in which a phase is stable.

    One for each facet of the hull that contains the phase. A phase that lacks a component is
    stable at all lower potentials of that one as well.

    Parameters
    ----------
    hull
        The hull.
    place
        Of the phase.

    Returns
    -------
    ndarray of float64, shape (n_corners_of_region, n_members)
        eV/atom; empty for a phase that is not stable.
    """
    value = hull.potentials @ hull.shares[place]
    return hull.potentials[np.abs(value - hull.formation[place]) < 1e-9]


def open_hull(hull: Hull, symbol: str, potential: float) -> Hull:
    """Return the hull of a field in contact with a reservoir of one of its elements.

    Energies are grand potentials ``(e - x mu) / (1 - x)`` for an atom of the other elements, with
    formation energies e and the atomic fraction x of the open element (Ong et al., Chem. Mater.
    20, 1798, 2008).

    Parameters
    ----------
    hull
        Of a field of elements.
    symbol
        The open element.
    potential
        Of the reservoir relative to the element, eV/atom.

    Raises
    ------
    ValueError
        If the corners are end members, the element is none of them, or a corner is missing.
    """
    if not np.array_equal(hull.members, np.eye(len(hull.members))):
        raise ValueError("an open element needs a field whose corners are elements")
    if symbol not in hull.member_names:
        raise ValueError(f"{symbol} is not an element of {'-'.join(hull.member_names)}")
    if hull.missing:
        raise ValueError(f"there is no hull without {', '.join(hull.missing)}")
    place = hull.member_names.index(symbol)
    others = [k for k in range(len(hull.members)) if k != place]
    share = hull.shares[:, place]
    kept = np.flatnonzero(share < 1.0 - 1e-9)
    return Hull.build(
        np.eye(len(others), dtype=np.int64),
        [hull.member_names[k] for k in others],
        hull.counts[kept][:, others],
        (hull.formation[kept] - share[kept] * potential) / (1.0 - share[kept]),
        [hull.names[k] for k in kept],
    )


def oxygen_potential(temperature_k: float, pressure_bar: float = 1.0) -> float:
    """Return the chemical potential of oxygen in its gas relative to half a molecule at 0 K.

    From the enthalpy and entropy of O2 (Shomate equation, NIST WebBook) as an ideal gas.

    Parameters
    ----------
    temperature_k
        From 100 to 2000 K.
    pressure_bar
        Partial pressure of O2.

    Returns
    -------
    float
        eV/atom.

    Raises
    ------
    ValueError
        If the temperature or the pressure is outside these limits.

    Examples
    --------
    >>> round(oxygen_potential(1000.0), 2)
    -1.1
    """
    if not 100.0 <= temperature_k <= 2000.0 or not pressure_bar > 0.0:
        raise ValueError(
            f"{temperature_k:g} K and {pressure_bar:g} bar: give 100 to 2000 K and a pressure "
            "above 0"
        )
    a, b, c, d, e, f, g = next(row for limit, row in _SHOMATE if temperature_k <= limit)
    t = temperature_k / 1000.0
    enthalpy = a * t + b * t**2 / 2 + c * t**3 / 3 + d * t**4 / 4 - e / t + f + _ENTHALPY_TO_298_K
    entropy = a * np.log(t) + b * t + c * t**2 / 2 + d * t**3 / 3 - e / (2 * t**2) + g
    gibbs = (enthalpy - temperature_k * entropy / 1000.0) * EV_PER_KJ_MOL
    return float(gibbs + BOLTZMANN_EV_PER_K * temperature_k * np.log(pressure_bar)) / 2.0
