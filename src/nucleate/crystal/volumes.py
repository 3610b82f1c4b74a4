"""Expected volume of a composition from per-element volumes fitted on real structures."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from nucleate.crystal.elements import data_rows, element

if TYPE_CHECKING:
    from collections.abc import Mapping

_FAMILY_ELEMENTS = {
    "fluoride": ("F",),
    "oxide": ("O",),
    "halide": ("Cl", "Br", "I"),
    "nitride": ("N",),
    "chalcogenide": ("S", "Se", "Te"),
    "metalloid": ("P", "As", "Sb", "Bi", "C", "B", "Si", "Ge", "H"),
}
FAMILIES = (*_FAMILY_ELEMENTS, "metal")
_SMALLEST_FRACTION = 0.1


def family(counts: Mapping[str, int]) -> str:
    """Return the family of a compound: that of its most electronegative main component.

    The first of fluoride, oxide, halide, nitride, chalcogenide and metalloid (pnictide, carbide,
    boride, silicide, germanide, hydride) of which an element makes up a tenth of the atoms, else
    ``metal``.

    Examples
    --------
    >>> family({"Ca": 3, "Ti": 2, "O": 7}), family({"Co": 1, "As": 2}), family({"Mn": 1})
    ('oxide', 'metalloid', 'metal')
    """
    least = _SMALLEST_FRACTION * sum(counts.values())
    for name, symbols in _FAMILY_ELEMENTS.items():
        if any(counts.get(symbol, 0) >= least for symbol in symbols):
            return name
    return "metal"


def expected_volume(counts: Mapping[str, int]) -> float:
    """Return the expected volume in Å³ of given numbers of atoms of each element.

    The mean error on held-out structures is 7 % (header of ``data/volumes.csv``).

    Parameters
    ----------
    counts
        Atoms of each element, for example ``{"Ca": 3, "Ti": 2, "O": 7}``.
    """
    name = family(counts)
    return sum(_volume(symbol, name) * count for symbol, count in counts.items())


def _volume(symbol: str, family_name: str) -> float:
    volumes = _volumes()[element(symbol).symbol]
    return volumes.get(family_name, volumes["any"])


@cache
def _volumes() -> dict[str, dict[str, float]]:
    return {
        row["symbol"]: {name: float(row[name]) for name in ("any", *FAMILIES) if row[name]}
        for row in data_rows("volumes.csv")
    }
