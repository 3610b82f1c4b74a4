"""X-ray wavelengths by name.

Wavelengths of Deslattes et al., Rev. Mod. Phys. 75, 35 (2003), as the International Tables list
them; the mean of a doublet weights its two lines 2 to 1.
"""

from __future__ import annotations

from dataclasses import dataclass

from nucleate.errors import InputError

DOUBLETS = {
    "Cr": (2.289726, 2.293651),
    "Fe": (1.936041, 1.939973),
    "Co": (1.788996, 1.792835),
    "Cu": (1.540593, 1.544427),
    "Mo": (0.709317, 0.713607),
    "Ag": (0.559422, 0.563813),
}
"""Kα1 and Kα2 of the usual anodes in Å."""

SHORTEST, LONGEST = 0.1, 4.0
"""Bounds of a wavelength given as a number, in Å."""


@dataclass(frozen=True, slots=True)
class Radiation:
    """The X-rays of a diffractometer.

    Attributes
    ----------
    name : str
        As it was given, for example ``CuKa`` or ``0.82500``.
    lines : tuple of (float, float)
        Wavelength in Å and share of each line; the shares add up to 1.
    """

    name: str
    lines: tuple[tuple[float, float], ...]

    @property
    def wavelength(self) -> float:
        """Mean wavelength in Å."""
        return sum(length * share for length, share in self.lines)


def radiation(given: str | float) -> Radiation:
    """Return the radiation of a name or of a wavelength.

    Parameters
    ----------
    given
        ``CuKa`` (both lines), ``CuKa1`` or ``CuKa2``, likewise Cr, Fe, Co, Mo and Ag; or a
        wavelength in Å.

    Raises
    ------
    InputError
        If the name is unknown or the wavelength is not between 0.1 and 4 Å.
    """
    text = str(given).strip()
    try:
        length = float(text)
    except ValueError:
        return _named(text)
    if not SHORTEST <= length <= LONGEST:
        raise InputError(
            f"wavelength = {text} is not between {SHORTEST} and {LONGEST} Å. Give it in Å "
            "(1.5406, not 0.15406 nm or 154 pm)."
        )
    return Radiation(text, ((length, 1.0),))


def _named(text: str) -> Radiation:
    plain = text.lower().replace("α", "a").replace("-", "").replace("_", "").replace("alpha", "a")
    for anode, (first, second) in DOUBLETS.items():
        key = f"{anode.lower()}ka"
        if plain == key:
            return Radiation(f"{anode}Ka", ((first, 2 / 3), (second, 1 / 3)))
        if plain in (f"{key}1", f"{key}2"):
            length = first if plain.endswith("1") else second
            return Radiation(f"{anode}Ka{plain[-1]}", ((length, 1.0),))
    known = ", ".join(f"{anode}Ka" for anode in DOUBLETS)
    raise InputError(
        f"wavelength = {text!r} is not known. Give one of {known} (with 1 or 2 for a single line), "
        "or a number in Å."
    )
