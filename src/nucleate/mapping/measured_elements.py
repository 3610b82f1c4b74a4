"""Measured crystal structures of elements for which ASE has none, or not the stable one.

Each was checked against the space group, the density and the bond lengths in the literature. They
are starting geometries: a map relaxes them by its own tier.
"""

from __future__ import annotations

from dataclasses import dataclass

from nucleate.crystal.crystal import Crystal


@dataclass(frozen=True, slots=True)
class Measured:
    """A structure as a paper gives it.

    Attributes
    ----------
    name : str
        Such as ``alpha-Mn``.
    space_group : int
        Number.
    lengths : tuple of float
        Å; edges of the conventional cell.
    sites : tuple of tuple of float
        Fractional coordinates of one atom of each orbit, shape (n_orbits, 3).
    work : str
        Where it was determined.
    setting : int
        Origin choice, 1 or 2.
    """

    name: str
    space_group: int
    lengths: tuple[float, float, float]
    sites: tuple[tuple[float, float, float], ...]
    work: str
    setting: int = 1


MEASURED = {
    "B": Measured(
        "alpha-B",
        166,
        (4.908, 4.908, 12.567),
        ((0.1186, 0.8814, 0.8912), (0.1969, 0.8031, 0.0243)),
        "Decker and Kasper, Acta Cryst. 12, 503 (1959)",
    ),
    "C": Measured(
        "graphite",
        194,
        (2.464, 2.464, 6.711),
        ((0.0, 0.0, 0.25), (1.0 / 3.0, 2.0 / 3.0, 0.25)),
        "Trucano and Chen, Nature 258, 136 (1975)",
    ),
    "P": Measured(
        "black P",
        64,
        (3.3136, 10.478, 4.3763),
        ((0.0, 0.10168, 0.08056),),
        "Brown and Rundqvist, Acta Cryst. 19, 684 (1965)",
    ),
    "S": Measured(
        "alpha-S",
        70,
        (10.4646, 12.8660, 24.4860),
        (
            (0.8554, 0.9526, 0.9516),
            (0.7844, 0.0301, 0.0763),
            (0.7069, 0.9795, 0.0040),
            (0.7862, 0.9073, 0.1290),
        ),
        "Rettig and Trotter, Acta Cryst. C 43, 2260 (1987)",
        setting=2,
    ),
    "Mn": Measured(
        "alpha-Mn",
        217,
        (8.9125, 8.9125, 8.9125),
        (
            (0.0, 0.0, 0.0),
            (0.31765, 0.31765, 0.31765),
            (0.35711, 0.35711, 0.03470),
            (0.08958, 0.08958, 0.28194),
        ),
        "Oberteuffer and Ibers, Acta Cryst. B 26, 1499 (1970)",
    ),
    "Ga": Measured(
        "alpha-Ga",
        64,
        (4.5192, 7.6586, 4.5258),
        ((0.0, 0.1539, 0.0798),),
        "Sharma and Donohue, Z. Kristallogr. 117, 293 (1962)",
    ),
    "Se": Measured(
        "trigonal Se",
        152,
        (4.3662, 4.3662, 4.9536),
        ((0.2254, 0.0, 1.0 / 3.0),),
        "Cherin and Unger, Inorg. Chem. 6, 1589 (1967)",
    ),
    "Te": Measured(
        "trigonal Te",
        152,
        (4.4572, 4.4572, 5.9290),
        ((0.2633, 0.0, 1.0 / 3.0),),
        "Cherin and Unger, Acta Cryst. 23, 670 (1967)",
    ),
    "Br": Measured(
        "Br2",
        64,
        (6.67, 4.48, 8.72),
        ((0.0, 0.135, 0.110),),
        "Vonnegut and Warren, J. Am. Chem. Soc. 58, 2459 (1936)",
    ),
    "I": Measured(
        "I2",
        64,
        (7.136, 4.686, 9.784),
        ((0.0, 0.15434, 0.11741),),
        "van Bolhuis et al., Acta Cryst. 23, 90 (1967)",
    ),
}
"""By element."""

_HEXAGONAL_FROM, _HEXAGONAL_TO = 143, 194


def measured_crystal(symbol: str) -> tuple[str, Crystal] | None:
    """Return the primitive cell of a measured structure with its name; None where there is none.

    Parameters
    ----------
    symbol
        Such as ``Mn``.

    Examples
    --------
    >>> name, crystal = measured_crystal("Mn")
    >>> name, crystal.n_atoms
    ('alpha-Mn', 29)
    """
    from ase.spacegroup import crystal

    item = MEASURED.get(symbol)
    if item is None:
        return None
    gamma = 120.0 if _HEXAGONAL_FROM <= item.space_group <= _HEXAGONAL_TO else 90.0
    atoms = crystal(
        [symbol] * len(item.sites),
        item.sites,
        spacegroup=item.space_group,
        setting=item.setting,
        cellpar=[*item.lengths, 90.0, 90.0, gamma],
        primitive_cell=True,
    )
    return item.name, Crystal(atoms.numbers, atoms.cell.array, atoms.get_scaled_positions())
