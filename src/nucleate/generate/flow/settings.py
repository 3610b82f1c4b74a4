"""Sizes of the network that moves atoms and cell."""

from __future__ import annotations

from dataclasses import dataclass

ELEMENTS = 104
"""Atomic numbers are below this."""


@dataclass(frozen=True, slots=True)
class FlowSettings:
    """Sizes of the network.

    Attributes
    ----------
    width : int
        Numbers that describe an atom.
    layers : int
        Rounds of messages.
    radial : int
        Gaussians in the distance, relative to the usual shortest contact of two elements.
    waves : int
        Sines and cosines of each difference of fractional coordinates.
    cutoff : float
        Å; images beyond it are not seen.
    most_atoms : int
        Largest cells in the training.
    """

    width: int = 128
    layers: int = 4
    radial: int = 10
    waves: int = 3
    cutoff: float = 5.5
    most_atoms: int = 12

    def __post_init__(self) -> None:
        for name in self.__slots__:
            value = getattr(self, name)
            if name == "cutoff":
                if not isinstance(value, float) or not 1.0 <= value <= 20.0:
                    raise ValueError(f"cutoff = {value!r} is not a length of 1 to 20 Å")
            elif not isinstance(value, int) or isinstance(value, bool) or not 0 < value <= 4096:
                raise ValueError(f"{name} = {value!r} is not a positive size")
