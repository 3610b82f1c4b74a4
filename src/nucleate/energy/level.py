"""What computed an energy."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LevelOfTheory:
    """What computed an energy; energies of different levels are never compared.

    Attributes
    ----------
    code, version : str
        Program that computed it.
    model : str
        Model or functional, for example ``CHGNet-0.3.0`` or ``PBE``.
    checkpoint : str
        Hash of the weights or force-field file, empty where there is none.
    settings : str
        Hash of the settings that change energies.
    unit : str
        ``eV``, or ``arbitrary`` for proxy potentials.
    """

    code: str
    version: str
    model: str
    checkpoint: str = ""
    settings: str = ""
    unit: str = "eV"
