"""Sizes of the network that writes crystals."""

from __future__ import annotations

from dataclasses import dataclass

COARSE = 120
"""Bins of a free coordinate; their centres are at multiples of 1/120."""

FINE = 9
"""Parts of a bin, for the offset from its centre."""

ELEMENTS = 104
"""Atomic numbers are below this."""

MOST_POSITIONS = 27
"""Wyckoff positions of a space group, at most."""

MOST_SLOTS = 16
"""Places of elements in their order that are told apart."""

N_SYSTEMS = 6
"""Crystal systems."""

WAVES = (1, 2, 3, 4, 6, 8)
"""Frequencies in which periodic coordinates are described."""

LEAST_LOG_SCALE, MOST_LOG_SCALE = -4.5, 2.0
"""Logarithms of the widths of the cell's Gaussians."""


@dataclass(frozen=True, slots=True)
class LanguageSettings:
    """Sizes of the network.

    Attributes
    ----------
    width : int
        Numbers that describe a token.
    layers, heads : int
        Of the transformer.
    components : int
        Of the mixtures of the cell's parameters.
    most_atoms, most_orbits : int
        Largest sentences in the training.
    """

    width: int = 128
    layers: int = 4
    heads: int = 4
    components: int = 8
    most_atoms: int = 52
    most_orbits: int = 40

    def __post_init__(self) -> None:
        for name in self.__slots__:
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or not 0 < value <= 4096:
                raise ValueError(f"{name} = {value!r} is not a positive size")
        if self.width % self.heads:
            raise ValueError(f"width = {self.width} is no multiple of heads = {self.heads}")
