"""The atoms of a whole cell from the sites of a CIF and its symmetry."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nucleate.crystal.crystal import Crystal
from nucleate.crystal.formats.structures import MOST_ATOMS
from nucleate.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nucleate.crystal.formats.cif_sites import CifSite
    from nucleate.crystal.formats.cif_symmetry import Symmetry

SAME_SITE = 0.3
"""Å; images of one site nearer than this are one atom on a special position."""

SAME_ATOM = 0.1
"""Å; atoms of one element from two sites nearer than this are one atom given twice."""

NO_BOND = 0.5
"""Å; no two atoms of a crystal with symmetry are nearer than this."""


def whole_cell(
    sites: list[CifSite], symmetry: Symmetry, cell: NDArray[np.float64]
) -> tuple[Crystal, list[str], str | None]:
    """Return all atoms of the cell, notes, and a contradiction of multiplicities or None.

    Images that coincide are one atom; so are atoms of one element that two sites give.

    Raises
    ------
    InputError
        If atoms of different elements coincide, or images are too near to be two atoms.
    """
    if len(sites) * symmetry.order > 10 * MOST_ATOMS:
        raise InputError(
            f"its {len(sites)} sites and {symmetry.order} operations are too many atoms to be read."
        )
    numbers, points, owners = [], [], []
    problem = None
    for index, site in enumerate(sites):
        images = orbit(site.scaled, symmetry, cell)
        stated = site.multiplicity
        if problem is None and stated is not None and symmetry.order > 1 and stated != len(images):
            problem = (
                f"site {site.label} gives {len(images)} atoms in the cell, its multiplicity says "
                f"{stated}"
            )
        numbers += [site.number] * len(images)
        owners += [index] * len(images)
        points.append(images)
    crystal = Crystal(np.array(numbers), cell, np.concatenate(points))
    kept, note = _without_doubles(crystal, np.array(owners), sites, symmetry)
    return kept, [note] if note else [], None if note else problem


def is_invariant(crystal: Crystal, symmetry: Symmetry) -> bool:
    """Return whether every operation maps a crystal onto itself, within 0.1 Å."""
    from scipy.spatial import KDTree

    if crystal.n_atoms * symmetry.order > 10 * MOST_ATOMS:
        return False
    places, source = _with_borders(crystal.scaled, crystal.cell, SAME_ATOM)
    tree = KDTree(places)
    for rotation, translation in zip(symmetry.rotations, symmetry.translations, strict=True):
        image = crystal.scaled @ rotation.T + translation
        image -= np.floor(image)
        distances, nearest = tree.query(image @ crystal.cell)
        if distances.max() > SAME_ATOM:
            return False
        if not np.array_equal(crystal.numbers[source[nearest]], crystal.numbers):
            return False
    return True


def orbit(
    site: NDArray[np.float64],
    symmetry: Symmetry,
    cell: NDArray[np.float64],
    *,
    within: float = SAME_SITE,
) -> NDArray[np.float64]:
    """Return the images of a site; those nearer than ``within`` Å are averaged."""
    if symmetry.order == 1:
        return site[None, :]
    images = symmetry.rotations @ site + symmetry.translations
    images -= np.floor(images)
    left = np.arange(len(images))
    points = []
    while left.size:
        gaps = images[left] - images[left[0]]
        gaps -= np.rint(gaps)
        near = np.linalg.norm(gaps @ cell, axis=1) < within
        points.append(images[left[0]] + gaps[near].mean(axis=0))
        left = left[~near]
    return np.array(points)


def _without_doubles(
    crystal: Crystal, owners: NDArray[np.int64], sites: list[CifSite], symmetry: Symmetry
) -> tuple[Crystal, str]:
    """Return the crystal with each atom once, and a note if some were given twice."""
    pairs, gaps = _near_pairs(crystal, NO_BOND if symmetry.order > 1 else SAME_ATOM / 2)
    keep = np.ones(crystal.n_atoms, dtype=bool)
    doubled = set()
    for (first, second), gap in zip(pairs.tolist(), gaps.tolist(), strict=True):
        one, other = sites[owners[first]], sites[owners[second]]
        if one.symbol != other.symbol:
            raise InputError(
                f"sites {one.label} ({one.symbol}) and {other.label} ({other.symbol}) lie "
                f"{gap:.2f} Å apart in the whole cell. Give each atom a place of its own; a mixed "
                "site must be ordered first."
            )
        if gap > SAME_ATOM or one is other:
            raise InputError(
                f"sites {one.label} and {other.label} have images {gap:.2f} Å apart, too near to "
                "be two atoms and too far to be one. Check coordinates and space group."
            )
        if keep[first] and keep[second]:
            keep[second] = False
            doubled.add(other.label)
    if keep.all():
        return crystal, ""
    kept = crystal.replace(numbers=crystal.numbers[keep], scaled=crystal.scaled[keep])
    lost = crystal.n_atoms - kept.n_atoms
    return kept, (
        f"{lost} images coincide with atoms that are listed too and are taken once (the file "
        f"lists equivalent atoms and symmetry): {kept.n_atoms} atoms are left"
    )


def _near_pairs(crystal: Crystal, cutoff: float) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return pairs of different atoms nearer than a cutoff (Å) and their distances."""
    from scipy.spatial import KDTree

    places, source = _with_borders(crystal.scaled, crystal.cell, cutoff)
    tree = KDTree(places)
    if tree.count_neighbors(tree, cutoff) > 400 * len(places):
        raise InputError("many of its atoms lie on top of each other. Check the coordinates.")
    pairs = tree.query_pairs(cutoff, output_type="ndarray")
    gaps = np.linalg.norm(places[pairs[:, 0]] - places[pairs[:, 1]], axis=1)
    ends = np.sort(source[pairs], axis=1)
    different = ends[:, 0] != ends[:, 1]
    ends, gaps = ends[different], gaps[different]
    order = np.lexsort((gaps, ends[:, 1], ends[:, 0]))
    return ends[order], gaps[order]


def _with_borders(
    scaled: NDArray[np.float64], cell: NDArray[np.float64], margin: float
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return Cartesian places in the cell and a margin (Å) around it, and their atoms."""
    heights = abs(np.linalg.det(cell)) / np.array(
        [np.linalg.norm(np.cross(cell[k - 2], cell[k - 1])) for k in range(3)]
    )
    widths = np.minimum(margin / heights, 1.0)
    points = scaled - np.floor(scaled)
    source = np.arange(len(points))
    for axis in range(3):
        low = points[:, axis] <= widths[axis]
        high = points[:, axis] >= 1.0 - widths[axis]
        step = np.eye(3)[axis]
        points = np.concatenate([points, points[low] + step, points[high] - step])
        source = np.concatenate([source, source[low], source[high]])
    return points @ cell, source
