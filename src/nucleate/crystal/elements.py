"""Element data: symbols, radii, coordination, electronegativity, oxidation states."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import dropwhile
from math import floor

from nucleate.errors import InputError

MAX_NUMBER = 103
"""Largest atomic number with data; arrays indexed by atomic number have one entry more."""


@dataclass(frozen=True, slots=True)
class Element:
    """What is known of one element; the sources are in the header of ``data/elements.csv``.

    Attributes
    ----------
    number : int
        Atomic number.
    symbol : str
        Chemical symbol.
    atomic_radius : float
        Radius of the neutral atom in Å, which sets the size of a sub-module.
    cn_min, cn_max : int
        Usual range of coordination numbers.
    covalent_radius : float
        Å.
    electronegativity : float or None
        Pauling scale.
    oxidation_states : tuple of int
        Common states, the most usual first.
    """

    number: int
    symbol: str
    atomic_radius: float
    cn_min: int
    cn_max: int
    covalent_radius: float
    electronegativity: float | None
    oxidation_states: tuple[int, ...]


def element(key: str | int) -> Element:
    """Return the data of an element given by symbol or atomic number.

    Raises
    ------
    InputError
        If there is no such element, or no data for it (beyond lawrencium).

    Examples
    --------
    >>> element("Ti").number, element(22).atomic_radius
    (22, 1.47)
    """
    table = _by_symbol() if isinstance(key, str) else _by_number()
    if key not in table:
        raise InputError(
            f"element {key!r} is not known. Use a symbol from H to Lr, spelt as in the periodic "
            "table (first letter large, second small)."
        )
    return table[key]  # type: ignore[index]


def is_element(symbol: str) -> bool:
    """Return whether ``symbol`` is the symbol of an element with data."""
    return symbol in _by_symbol()


def symbols_of(numbers: object) -> list[str]:
    """Return the symbols of a sequence of atomic numbers."""
    return [element(int(number)).symbol for number in numbers]  # type: ignore[attr-defined]


def ionic_radius(symbol: str, oxidation_state: float) -> float:
    """Return the mean Shannon radius of an ion in Å.

    A mean charge, of mixed valence, has the radius interpolated between the whole charges.

    Where the table lacks the state, the radius of the nearest tabulated state of the same sign
    is used; where there is none, the covalent radius less 0.3 Å for cations, plus 0.6 Å for
    anions.

    Raises
    ------
    InputError
        If the element is not known or the state is 0.
    """
    covalent = element(symbol).covalent_radius
    if oxidation_state == 0:
        raise InputError(f"oxidation state of {symbol} is 0: it has no ionic radius.")
    below = floor(oxidation_state)
    if oxidation_state - below > 0.0 and below not in (-1, 0):
        share = oxidation_state - below
        return (1.0 - share) * ionic_radius(symbol, below) + share * ionic_radius(symbol, below + 1)
    states = _ionic_radii().get(symbol, {})
    same_sign = [state for state in states if state * oxidation_state > 0]
    if same_sign:
        return states[min(same_sign, key=lambda state: (abs(state - oxidation_state), state))]
    return covalent - 0.3 if oxidation_state > 0 else covalent + 0.6


def data_rows(name: str) -> list[dict[str, str]]:
    """Return the rows of a package data file (CSV below a header of ``#`` lines)."""
    lines = (files("nucleate.crystal") / "data" / name).read_text(encoding="utf-8").splitlines()
    return list(csv.DictReader(dropwhile(lambda line: line.startswith("#"), lines)))


@cache
def _by_symbol() -> dict[str, Element]:
    return {row["symbol"]: _element_from(row) for row in data_rows("elements.csv")}


@cache
def _by_number() -> dict[int, Element]:
    return {item.number: item for item in _by_symbol().values()}


@cache
def _ionic_radii() -> dict[str, dict[int, float]]:
    table: dict[str, dict[int, float]] = {}
    for row in data_rows("ionic_radii.csv"):
        states = table.setdefault(row["symbol"], {})
        states[int(row["oxidation_state"])] = float(row["radius_A"])
    return table


def _element_from(row: dict[str, str]) -> Element:
    return Element(
        number=int(row["number"]),
        symbol=row["symbol"],
        atomic_radius=float(row["atomic_radius_A"]),
        cn_min=int(row["cn_min"]),
        cn_max=int(row["cn_max"]),
        covalent_radius=float(row["covalent_radius_A"]),
        electronegativity=float(row["electronegativity"]) if row["electronegativity"] else None,
        oxidation_states=tuple(int(state) for state in row["oxidation_states"].split()),
    )
