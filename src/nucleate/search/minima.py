"""When two relaxed crystals are the same minimum."""

from __future__ import annotations

from nucleate.crystal.fingerprint import DUPLICATE_DISTANCE

SAME_ENTHALPY = 0.02
"""eV/atom; structures further apart are different whatever their fingerprints say."""

NEAR_DISTANCE = 0.1
"""Still the same if the enthalpies agree; polytypes such as fcc and hcp are 0.26 apart."""

EQUAL_ENTHALPY = 0.001
"""eV/atom; structures as near as this in enthalpy are the same up to `NEAR_DISTANCE`."""


def is_same_minimum(distance: float, enthalpy_difference: float) -> bool:
    """Return whether two relaxed crystals are the same minimum.

    Relaxations end a little off the minimum, which costs soft crystals more than the threshold of
    the fingerprint by itself; enthalpies that agree make up for it.

    Parameters
    ----------
    distance
        Of their fingerprints.
    enthalpy_difference
        eV/atom, of one tier.
    """
    gap = abs(enthalpy_difference)
    if distance < DUPLICATE_DISTANCE:
        return gap < SAME_ENTHALPY
    return distance < NEAR_DISTANCE and gap < EQUAL_ENTHALPY
