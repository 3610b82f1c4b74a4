"""Which elements of a composition have open d or f shells, and what a DFT input needs for them.

Oxidation states are the usual ones of the composition. Where there are none, as in an alloy, the
metals that are magnetic as elements count as open.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nucleate.crystal.elements import element
from nucleate.crystal.oxidation import guess_oxidation_states

if TYPE_CHECKING:
    from collections.abc import Mapping

MAGNETIC_METALS = {"Cr": 5.0, "Mn": 5.0, "Fe": 5.0, "Co": 5.0, "Ni": 5.0, "Eu": 7.0, "Gd": 7.0}
"""Initial moments in Bohr magnetons where no oxidation state is known. They are large on purpose:
a moment often falls during the calculation, but rarely rises."""

OTHERS = 0.6
"""Initial moment of the other atoms of a magnetic crystal, in Bohr magnetons."""

MP_HUBBARD_U = {
    "Co": 3.32, "Cr": 3.7, "Fe": 5.3, "Mn": 3.9, "Mo": 4.38, "Ni": 6.2, "V": 3.25, "W": 6.2,
}  # fmt: skip
"""U - J in eV for oxides and fluorides as in the Materials Project: Wang, Maxisch and Ceder, Phys.
Rev. B 73, 195107 (2006); Jain et al., Phys. Rev. B 84, 045115 (2011)."""

D_ROWS = ((21, 30), (39, 48), (72, 80))
F_ROWS = ((57, 71), (89, 103))


def initial_moments(counts: Mapping[str, int]) -> dict[str, float]:
    """Return the initial moment of each element in Bohr magnetons; empty if no shell is open.

    Parameters
    ----------
    counts
        Atoms of each element.

    Examples
    --------
    >>> initial_moments({"Fe": 2, "O": 3})
    {'Fe': 5, 'O': 0.6}
    >>> initial_moments({"Sr": 1, "Ti": 1, "O": 3})
    {}
    """
    states = guess_oxidation_states(tuple(counts.items()))
    if states is None:
        open_shells = {name: MAGNETIC_METALS.get(name, 0.0) for name in counts}
    else:
        open_shells = {name: unpaired(name, states[name]) for name in counts}
    if not any(open_shells.values()):
        return {}
    return {name: value or OTHERS for name, value in open_shells.items()}


def unpaired(symbol: str, state: float) -> float:
    """Return the number of unpaired d or f electrons of a high-spin ion.

    Examples
    --------
    >>> [unpaired(*ion) for ion in (("Fe", 3), ("Ni", 2), ("Ti", 4), ("Zn", 2), ("Gd", 3))]
    [5, 2, 0.0, 0.0, 7]
    """
    number = element(symbol).number
    for rows, size in ((D_ROWS, 10), (F_ROWS, 14)):
        for first, last in rows:
            if first <= number <= last:
                return _high_spin(number - first + 3 - state, size)
    return 0.0


def hubbard_u(counts: Mapping[str, int], choice: str | Mapping[str, float]) -> dict[str, float]:
    """Return U - J in eV for each element that has one.

    Parameters
    ----------
    counts
        Atoms of each element.
    choice
        ``none``; ``mp``: the values of the Materials Project, for oxides and fluorides only; or
        values by element.
    """
    if choice == "none":
        return {}
    if choice == "mp":
        given = MP_HUBBARD_U if {"O", "F"} & set(counts) else {}
        return {name: given[name] for name in counts if name in given}
    assert not isinstance(choice, str)
    return {name: float(choice[name]) for name in counts if choice.get(name, 0.0) > 0.0}


def is_f_element(symbol: str) -> bool:
    """Return whether an element is a lanthanide or an actinide."""
    return any(first <= element(symbol).number <= last for first, last in F_ROWS)


def _high_spin(electrons: float, size: int) -> float:
    if not 0.0 < electrons < size:
        return 0.0
    return min(electrons, size - electrons)
