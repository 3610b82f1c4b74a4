"""Ordered approximants of a crystal whose sites are partly occupied or shared."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nucleate.crystal.crystal import Crystal
from nucleate.crystal.formats.archives import decoded, read_bytes
from nucleate.crystal.formats.cif_cell import SAME_ATOM, SAME_SITE, orbit
from nucleate.crystal.formats.cif_reader import disordered_block
from nucleate.crystal.symmetry import standardised
from nucleate.errors import InputError
from nucleate.library.orderings import VACANT, MixedSites, Ordering, orderings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

LARGEST_INDEX = 10
"""Primitive cells of a supercell at most, where the amounts are whole in none of up to four."""

LARGEST_TOTAL = 1.02
"""Occupancies of a site that add up to 1 to this are taken as rounded, and divided by their sum."""

_SMALL_INDEX = 4
_LARGEST_ERROR = 0.05
_SITES_PER_ATOM = 4  # of a supercell of several cells, for the time
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


def read_disordered_cif(path: str | Path, name: str = "") -> DisorderedCrystal:
    """Read a block of a CIF file with occupancies.

    Species on one site, and split positions nearer than 0.3 Å, share a site.

    Parameters
    ----------
    path
        The file.
    name
        Of the block, where several have sites.

    Raises
    ------
    InputError
        If it cannot be read.
    """
    source = Path(path)
    try:
        cell, sites, symmetry = disordered_block(decoded(read_bytes(source)), name)
    except InputError as error:
        raise InputError(f"{source}: {error}") from error
    points: list[NDArray[np.float64]] = []
    mixtures: list[dict[int, float]] = []
    for site in (site for site in sites if site.occupancy > 0.0):
        place = _place(site.scaled, points, cell)
        if place is None:
            place = len(points)
            points.append(orbit(site.scaled, symmetry, cell))
            mixtures.append({})
        n_images = len(orbit(site.scaled, symmetry, cell, within=SAME_ATOM))
        share = site.occupancy * n_images / len(points[place])
        mixtures[place][site.number] = mixtures[place].get(site.number, 0.0) + share
    counts = [len(images) for images in points]
    return DisorderedCrystal(
        cell,
        np.concatenate([np.zeros((0, 3)), *points]),
        tuple(mixture for mixture, n in zip(mixtures, counts, strict=True) for _ in range(n)),
    )


def _place(
    scaled: NDArray[np.float64], points: Sequence[NDArray[np.float64]], cell: NDArray[np.float64]
) -> int | None:
    """Return which orbit a site belongs to; None if it is another one."""
    for place, images in enumerate(points):
        gaps = images - scaled
        gaps -= np.rint(gaps)
        if np.linalg.norm(gaps @ cell, axis=1).min() < SAME_SITE:
            return place
    return None


def ordered_approximants(
    disordered: DisorderedCrystal, *, max_atoms: int, most: int = 50
) -> list[Ordering]:
    """Return ordered crystals for a disordered one, small and symmetric ones first.

    The crystal is reduced to its primitive cell. All sites with the same occupancies share their
    species. Of the supercells of up to four cells those are used in which the amounts of all
    species are whole; where they are in none, the smallest of up to ten; where they are in none
    of these either, the amounts are rounded in the largest of up to four.

    Parameters
    ----------
    disordered
        The crystal with occupancies.
    max_atoms
        Maximum number of atoms in a supercell; empty sites do not count.
    most
        Number of approximants.

    Raises
    ------
    InputError
        If occupancies of a site are negative or add up to more than 1.02, or the primitive cell has
        more atoms than ``max_atoms``.
    """
    mixtures = [_mixture(k, site) for k, site in enumerate(disordered.occupancies)]
    cell, scaled, mixtures = _primitive(disordered, mixtures)
    numbers = np.array([max(mixture, key=mixture.__getitem__) for mixture in mixtures])
    numbers[numbers == VACANT] = 1
    parent = Crystal(numbers, cell, scaled)
    groups: dict[tuple[tuple[int, float], ...], list[int]] = {}
    for site, mixture in enumerate(mixtures):
        if len(mixture) > 1 or VACANT in mixture:
            groups.setdefault(tuple(sorted(mixture.items())), []).append(site)
    shares = [(dict(key), sites) for key, sites in groups.items()]
    atoms = sum(1.0 - mixture.get(VACANT, 0.0) for mixture in mixtures)
    most_cells = (max_atoms + _LARGEST_ERROR) / max(atoms, len(mixtures) / _SITES_PER_ATOM, 1e-3)
    index = _common_index(shares, most_cells)
    mixed = [_whole(mixture, sites, index) for mixture, sites in shares]
    atoms = len(mixtures) - sum(group.amounts.get(VACANT, 0.0) for group in mixed)
    if atoms * index > max_atoms + _LARGEST_ERROR:
        raise InputError(
            f"the disordered cell has {atoms:.4g} atoms, more than max_atoms = {max_atoms}. "
            "Raise max_atoms, or give a smaller cell."
        )
    return orderings(
        parent,
        mixed,
        max_atoms=max_atoms,
        most=most,
        least_index=index,
        largest_index=max(index, min(_SMALL_INDEX, int(most_cells))),
    )


def _mixture(site: int, occupancies: Mapping[int, float]) -> dict[int, float]:
    """Return the species of a site with the empty share, which add up to 1."""
    total = sum(occupancies.values())
    if min(occupancies.values(), default=-1.0) < 0.0 or total > LARGEST_TOTAL + 1e-6:
        raise InputError(
            f"site {site}: the occupancies {dict(occupancies)} must be positive and add up to at "
            "most 1. Correct them in the file."
        )
    whole = max(total, 1.0)
    mixture = {int(z): round(float(x) / whole, 6) for z, x in occupancies.items() if x > 1e-6}
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


def _common_index(shares: Sequence[tuple[dict[int, float], list[int]]], most: float) -> int:
    """Return the least number of cells that meets all amounts; the largest small one if none does.

    Parameters
    ----------
    shares
        Mixtures, and the sites that have them.
    most
        Cells whose atoms are not too many.
    """
    for index in range(1, min(LARGEST_INDEX, int(most)) + 1):
        amounts = (x * len(sites) * index for mixture, sites in shares for x in mixture.values())
        if all(abs(amount - round(amount)) < _LARGEST_ERROR for amount in amounts):
            return index
    return max(1, min(_SMALL_INDEX, int(most)))


def _whole(mixture: dict[int, float], sites: list[int], index: int) -> MixedSites:
    """Return the amounts of one cell nearest to a mixture that are whole in ``index`` cells."""
    exact = {z: x * len(sites) * index for z, x in mixture.items()}
    whole = {z: int(a) for z, a in exact.items()}
    missing = len(sites) * index - sum(whole.values())
    for z in sorted(exact, key=lambda z: whole[z] - exact[z])[:missing]:
        whole[z] += 1
    return MixedSites(tuple(sites), {z: n / index for z, n in whole.items()})
