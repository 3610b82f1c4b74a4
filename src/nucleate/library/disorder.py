"""Ordered approximants of a crystal whose sites are partly occupied or shared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np

from nucleate.crystal.crystal import Crystal
from nucleate.crystal.symmetry import standardised
from nucleate.errors import InputError
from nucleate.library.orderings import VACANT, MixedSites, Ordering, orderings

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ase import Atoms
    from numpy.typing import NDArray

_LARGEST_ERROR = 0.05
_SYMPREC = 0.03


@dataclass(frozen=True, slots=True, eq=False)
class DisorderedCrystal:
    """A crystal with occupancies.

    Attributes
    ----------
    cell : ndarray of float64, shape (3, 3)
        Rows are the lattice vectors in Å.
    scaled : ndarray of float64, shape (n_sites, 3)
        Fractional coordinates.
    occupancies : tuple of dict
        For each site the occupancy of each atomic number; what is missing to 1 is empty.
    """

    cell: NDArray[np.float64]
    scaled: NDArray[np.float64]
    occupancies: tuple[Mapping[int, float], ...]


def read_disordered_cif(path: str | Path) -> DisorderedCrystal:
    """Read a CIF file with occupancies.

    Raises
    ------
    InputError
        If it cannot be read.
    """
    from ase.io import read

    try:
        atoms = cast("Atoms", read(path, format="cif", fractional_occupancies=True))
    except Exception as error:  # ase raises many kinds
        raise InputError(f"{path}: is not valid CIF ({error}).") from error
    kinds = atoms.arrays.get("spacegroup_kinds", np.arange(len(atoms)))
    table = atoms.info.get("occupancy", {})
    occupancies = []
    for kind, number in zip(kinds, atoms.numbers, strict=True):
        found = table.get(str(int(kind)), table.get(int(kind)))
        occupancies.append(_by_number(found) if found else {int(number): 1.0})
    return DisorderedCrystal(
        atoms.cell.array, atoms.get_scaled_positions(wrap=True), tuple(occupancies)
    )


def ordered_approximants(
    disordered: DisorderedCrystal, *, max_atoms: int, most: int = 50
) -> list[Ordering]:
    """Return ordered crystals for a disordered one, small and symmetric ones first.

    The crystal is reduced to its primitive cell. All sites with the same occupancies share their
    species. Of the supercells of up to four cells those are used in which the amounts are whole;
    where they are in none, they are rounded to whole amounts in the largest that fits.

    Parameters
    ----------
    disordered
        The crystal with occupancies.
    max_atoms
        Most sites of a supercell.
    most
        Number of approximants.

    Raises
    ------
    InputError
        If occupancies of a site are negative or add up to more than 1, or the primitive cell has
        more sites than ``max_atoms``.
    """
    mixtures = [_mixture(k, site) for k, site in enumerate(disordered.occupancies)]
    cell, scaled, mixtures = _primitive(disordered, mixtures)
    if len(mixtures) > max_atoms:
        raise InputError(
            f"the disordered cell has {len(mixtures)} sites, more than max_atoms = {max_atoms}. "
            "Raise max_atoms, or give a smaller cell."
        )
    numbers = np.array([max(mixture, key=mixture.__getitem__) for mixture in mixtures])
    numbers[numbers == VACANT] = 1
    parent = Crystal(numbers, cell, scaled)
    groups: dict[tuple[tuple[int, float], ...], list[int]] = {}
    for site, mixture in enumerate(mixtures):
        if len(mixture) > 1:
            groups.setdefault(tuple(sorted(mixture.items())), []).append(site)
    largest = max(1, min(4, max_atoms // len(mixtures)))
    mixed = [_whole(dict(key), sites, largest) for key, sites in groups.items()]
    return orderings(parent, mixed, max_atoms=max_atoms, most=most, largest_index=largest)


def _mixture(site: int, occupancies: Mapping[int, float]) -> dict[int, float]:
    """Return the species of a site with the empty share, which add up to 1."""
    total = sum(occupancies.values())
    if min(occupancies.values(), default=-1.0) < 0.0 or total > 1.0 + 1e-3:
        raise InputError(
            f"site {site}: the occupancies {dict(occupancies)} must be positive and add up to at "
            "most 1."
        )
    mixture = {int(z): round(float(x), 6) for z, x in occupancies.items() if x > 1e-6}
    if total < 1.0 - 1e-3:
        mixture[VACANT] = round(1.0 - total, 6)
    return mixture


def _primitive(
    disordered: DisorderedCrystal, mixtures: list[dict[int, float]]
) -> tuple[NDArray[np.float64], NDArray[np.float64], list[dict[int, float]]]:
    """Return cell, sites and mixtures of the primitive cell; those given where it is not found."""
    kinds: dict[tuple[tuple[int, float], ...], int] = {}
    marks = [kinds.setdefault(tuple(sorted(m.items())), len(kinds) + 1) for m in mixtures]
    marked = Crystal(np.array(marks), disordered.cell, disordered.scaled)
    found = standardised(marked, _SYMPREC)
    if found is None:
        return disordered.cell, disordered.scaled, mixtures
    mixture_of = {mark: dict(key) for key, mark in kinds.items()}
    return found.cell, found.scaled, [mixture_of[int(mark)] for mark in found.numbers]


def _whole(mixture: dict[int, float], sites: list[int], largest: int) -> MixedSites:
    """Return amounts that some supercell of at most ``largest`` cells meets exactly."""
    for index in range(1, largest + 1):
        exact = {z: x * len(sites) * index for z, x in mixture.items()}
        if all(abs(a - round(a)) < _LARGEST_ERROR for a in exact.values()):
            return MixedSites(tuple(sites), {z: round(a) / index for z, a in exact.items()})
    exact = {z: x * len(sites) * largest for z, x in mixture.items()}
    whole = {z: int(a) for z, a in exact.items()}
    missing = len(sites) * largest - sum(whole.values())
    for z in sorted(exact, key=lambda z: whole[z] - exact[z])[:missing]:
        whole[z] += 1
    return MixedSites(tuple(sites), {z: n / largest for z, n in whole.items()})


def _by_number(occupancy: Mapping[str, float]) -> dict[int, float]:
    from nucleate.crystal.elements import element

    found: dict[int, float] = {}
    for symbol, share in occupancy.items():
        name = "".join(c for c in symbol if c.isalpha())
        z = element("H" if name == "D" else name).number
        found[z] = found.get(z, 0.0) + float(share)
    return found
