"""Chemical potentials of the elements that are gases, at a temperature and a pressure.

Enthalpies and entropies are Shomate polynomials of the NIST Chemistry WebBook (M. W. Chase, NIST-
JANAF Thermochemical Tables, 4th ed., 1998). Energies are measured from the molecule at 0 K, which
is what a relaxed crystal of molecules or a molecule in a box stands for.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log

from nucleate.errors import InputError
from nucleate.units import BOLTZMANN_EV_PER_K, EV_PER_KJ_MOL

STANDARD_BAR = 1.0


@dataclass(frozen=True, slots=True)
class Gas:
    """A diatomic gas.

    Attributes
    ----------
    warm : float
        H(298.15 K) - H(0 K) in kJ/mol.
    ranges : tuple
        Upper temperature in K, and the coefficients A to G of the Shomate polynomial below it.
    """

    warm: float
    ranges: tuple[tuple[float, tuple[float, ...]], ...]


GASES = {
    "O": Gas(
        8.683,
        (
            (700.0, (31.32234, -20.23531, 57.86644, -36.50624, -0.007374, -8.903471, 246.7945)),
            (2000.0, (30.03235, 8.772972, -3.988133, 0.788313, -0.741599, -11.32468, 236.1663)),
        ),
    ),
    "N": Gas(
        8.670,
        (
            (500.0, (28.98641, 1.853978, -9.647459, 16.63537, 0.000117, -8.671914, 226.4168)),
            (2000.0, (19.50583, 19.88705, -8.598535, 1.369784, 0.527601, -4.935202, 212.3900)),
        ),
    ),
    "H": Gas(
        8.467,
        (
            (
                1000.0,
                (33.066178, -11.363417, 11.432816, -2.772874, -0.158558, -9.980797, 172.707974),
            ),
        ),
    ),
    "Cl": Gas(
        9.181,
        ((1000.0, (33.05060, 12.22940, -12.06510, 4.385330, -0.159494, -10.83480, 259.0290)),),
    ),
    "F": Gas(
        8.825,
        ((6000.0, (31.44510, 8.413831, -2.778850, 0.218104, -0.211175, -10.43260, 237.2770)),),
    ),
}
"""By the element; the molecule has two atoms."""

COLDEST_K = {"O": 100.0, "N": 100.0, "H": 298.0, "Cl": 298.0, "F": 298.0}


def entropy(symbol: str, temperature_k: float) -> float:
    """Return the standard entropy of the gas in J/(mol K); raises InputError as :func:`potential`.

    Examples
    --------
    >>> round(entropy("O", 298.15), 1)
    205.1
    """
    return _state(symbol, temperature_k)[1]


def potential(symbol: str, temperature_k: float, pressure_bar: float = STANDARD_BAR) -> float:
    """Return the chemical potential of an atom of a gas relative to its molecule at 0 K, in eV.

    Parameters
    ----------
    symbol
        Element: O, N, H, Cl or F.
    temperature_k
        Temperature.
    pressure_bar
        Partial pressure of the molecule.

    Raises
    ------
    InputError
        If there are no data for the element or the temperature, or the pressure is not positive.

    Examples
    --------
    >>> round(potential("O", 1000.0), 2)
    -1.1
    """
    if not 0.0 < pressure_bar < float("inf"):
        raise InputError(f"pressure = {pressure_bar:g} bar. Give a positive partial pressure.")
    enthalpy, standard = _state(symbol, temperature_k)
    free = (enthalpy - temperature_k * standard / 1000.0) * EV_PER_KJ_MOL
    return (free + BOLTZMANN_EV_PER_K * temperature_k * log(pressure_bar / STANDARD_BAR)) / 2.0


def _state(symbol: str, temperature_k: float) -> tuple[float, float]:
    """Return H(T) - H(0 K) in kJ/mol and S(T) in J/(mol K) of the molecule."""
    if symbol not in GASES:
        raise InputError(
            f"open element = {symbol!r}: there are data for {', '.join(GASES)}. Give its chemical "
            "potential in eV instead."
        )
    gas = GASES[symbol]
    coldest, hottest = COLDEST_K[symbol], gas.ranges[-1][0]
    if not coldest <= temperature_k <= hottest:
        raise InputError(
            f"temperature = {temperature_k:g} K: the data of {symbol}2 reach from {coldest:g} to "
            f"{hottest:g} K. Give a temperature in between."
        )
    a, b, c, d, e, f, g = next(row for top, row in gas.ranges if temperature_k <= top)
    t = temperature_k / 1000.0
    rise = a * t + b * t**2 / 2 + c * t**3 / 3 + d * t**4 / 4 - e / t + f
    standard = a * log(t) + b * t + c * t**2 / 2 + d * t**3 / 3 - e / (2 * t**2) + g
    return rise + gas.warm, standard
