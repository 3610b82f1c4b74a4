"""A crystal as orbits in the standard setting of its space group, and back.

Positions are kept as one point of each orbit in the conventional standard cell (unique axis b,
cell choice 1, hexagonal axes, origin choice 2), so that symmetry rebuilds the rest.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from nucleate.crystal.cells import cell_from_parameters
from nucleate.crystal.elements import element
from nucleate.crystal.symmetry import symmetry_dataset
from nucleate.library.labels import Protostructure, automorphisms, canonical, mirror_image

if TYPE_CHECKING:
    from collections.abc import Sequence

    from moyopy import MoyoDataset
    from numpy.typing import NDArray

    from nucleate.crystal.crystal import Crystal

LABEL_LADDER = (0.1, 0.01, 0.001)
"""Tolerances in Å at which a structure is given a label; the first that works is used."""

NAMING_LADDER = (0.1, 0.03, 0.01)
"""Tolerances in Å at which a crystal is compared with the library."""

_SAME_POINT = 1e-4
_PRIMITIVE = {
    "P": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "A": ((1, 0, 0), (0, 1 / 2, 1 / 2), (0, -1 / 2, 1 / 2)),
    "C": ((1 / 2, 1 / 2, 0), (-1 / 2, 1 / 2, 0), (0, 0, 1)),
    "F": ((0, 1 / 2, 1 / 2), (1 / 2, 0, 1 / 2), (1 / 2, 1 / 2, 0)),
    "I": ((-1 / 2, 1 / 2, 1 / 2), (1 / 2, -1 / 2, 1 / 2), (1 / 2, 1 / 2, -1 / 2)),
    "R": ((2 / 3, 1 / 3, 1 / 3), (-1 / 3, 1 / 3, 1 / 3), (-1 / 3, -2 / 3, 1 / 3)),
}


@dataclass(frozen=True, slots=True, eq=False)
class Description:
    """A crystal in the standard setting, its slots in the order of its protostructure.

    Attributes
    ----------
    proto : Protostructure
    elements : tuple of int
        Atomic number in each slot.
    cell : ndarray of float64, shape (6,)
        a, b, c in Å and alpha, beta, gamma in degrees of the conventional cell.
    points : ndarray of float64, shape (n_orbits, 3)
        A point of each orbit in fractional coordinates of that cell; orbits slot by slot, in the
        order of the multiplicities of the protostructure. Of the colourings that another origin
        or other axes give, the one with the least elements is taken.
    """

    proto: Protostructure
    elements: tuple[int, ...]
    cell: NDArray[np.float64]
    points: NDArray[np.float64]


def describe(crystal: Crystal, ladder: Sequence[float] = LABEL_LADDER) -> Description | None:
    """Return the standard description at the first tolerance (Å) that gives one, or None.

    A crystal with atoms on top of each other has none.
    """
    for symprec in ladder:
        dataset = symmetry_dataset(crystal, symprec)
        if dataset is not None:
            found = _description(crystal, dataset)
            if found is not None:
                return found
    return None


def describe_hands(crystal: Crystal, symprec: float) -> tuple[Description, ...]:
    """Return the description of a crystal and, in a space group with a hand, of its mirror image.

    The 22 enantiomorphic space groups have a hand: a crystal in one of them and its mirror image,
    which have the same energy, have different labels. Empty where there is no description.
    """
    found = describe(crystal, (symprec,))
    if found is None or mirror_image(found.proto.label) == found.proto.label:
        return () if found is None else (found,)
    mirrored = describe(crystal.replace(scaled=-crystal.scaled), (symprec,))
    return (found,) if mirrored is None else (found, mirrored)


def expand(
    number: int, cell: NDArray[np.float64], points: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """Return the primitive cell that a space group makes of the points of its orbits.

    Parameters
    ----------
    number
        Space-group number.
    cell
        Conventional a, b, c in Å and angles in degrees, shape (6,).
    points
        Conventional fractional coordinates of a point of each orbit, shape (n_orbits, 3). A point
        within 1e-4 of a special position is put on it.

    Returns
    -------
    cell : ndarray of float64, shape (3, 3)
        Rows are the primitive vectors in Å.
    scaled : ndarray of float64, shape (n_atoms, 3)
        Fractional coordinates in the primitive cell.
    orbit_of : ndarray of int64, shape (n_atoms,)
        Which point each atom comes from.
    """
    vectors = primitive_vectors(number)
    rotations, shifts = operations(number)
    images = np.einsum("oi,gij->ogj", points @ np.linalg.inv(vectors), rotations) + shifts
    # images that fall on the first are its site symmetry: their mean lies on the position
    gap = images - images[:, :1]
    gap -= np.rint(gap)
    site = np.all(np.abs(gap) < _SAME_POINT, axis=2)
    mean = np.einsum("og,ogj->oj", site / site.sum(axis=1, keepdims=True), gap)
    images = np.einsum("oi,gij->ogj", images[:, 0] + mean, rotations) + shifts
    distinct = _distinct(images)
    box = vectors @ cell_from_parameters(cell[:3], cell[3:])
    scaled = images[distinct]
    return box, scaled - np.floor(scaled), np.nonzero(distinct)[0]


@cache
def primitive_vectors(number: int) -> NDArray[np.float64]:
    """Return the primitive vectors in units of the conventional ones, shape (3, 3)."""
    from moyopy import SpaceGroupType

    return np.array(_PRIMITIVE[SpaceGroupType(number).hm_short[0]], dtype=np.float64)


@cache
def operations(number: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the operations modulo the translations of the primitive cell, the identity first.

    A row ``x`` of primitive fractional coordinates goes to ``x @ rotations[k] + shifts[k]``;
    shapes (order, 3, 3) and (order, 3).
    """
    from moyopy import Setting, operations_from_number

    found = operations_from_number(number, setting=Setting.standard())
    primitive = primitive_vectors(number)
    inverse = np.linalg.inv(primitive)
    unique: dict[tuple[int, ...], tuple[np.ndarray, np.ndarray]] = {}
    for rotation, translation in zip(found.rotations, found.translations, strict=True):
        turned = np.rint(primitive @ np.array(rotation, dtype=np.float64).T @ inverse)
        shift = np.array(translation) @ inverse
        unique.setdefault(tuple(int(v) for v in turned.ravel()), (turned, shift))
    pairs = sorted(unique.values(), key=lambda pair: not np.array_equal(pair[0], np.eye(3)))
    return np.array([pair[0] for pair in pairs]), np.array([pair[1] for pair in pairs])


def slot_order(elements: Sequence[int], counts: Sequence[int]) -> list[int]:
    """Return the order of elements by count, then electronegativity, then atomic number.

    Atomic number 0, which stands for any element, comes first among equal counts.
    """

    def key(k: int) -> tuple[float, float, int]:
        z = int(elements[k])
        return counts[k], (element(z).electronegativity or 1.2) if z else 0.0, z

    return sorted(range(len(elements)), key=key)


def _description(crystal: Crystal, dataset: MoyoDataset) -> Description | None:
    prim = dataset.prim_std_cell
    to_conventional = np.array(prim.basis) @ np.linalg.inv(np.array(dataset.std_cell.basis))
    points = np.array(prim.positions) @ to_conventional
    orbits = _primitive_orbits(crystal, dataset)
    if orbits is None:
        return None
    kinds = sorted({z for z, _, _ in orbits})
    atoms = [sum(len(m) for z, _, m in orbits if z == kind) for kind in kinds]
    counts = [n // int(np.gcd.reduce(atoms)) for n in atoms]
    letters = ["".join(sorted(w for z, w, _ in orbits if z == kind)) for kind in kinds]
    first = slot_order(kinds, counts)
    proto, order = canonical(dataset.number, [(counts[k], letters[k]) for k in first])
    elements = [kinds[first[k]] for k in order]
    ours = [[k for k, (z, _, _) in enumerate(orbits) if z == kind] for kind in elements]
    best = min(automorphisms(proto), key=lambda auto: [elements[k] for k in auto])
    rows = []
    for slot, sizes in zip(best, proto.multiplicities, strict=True):
        rest = list(ours[slot])
        for size in sizes:  # as the letters of the label, so that orbit and multiplicity agree
            row = next(row for row in rest if len(orbits[row][2]) == size)
            rest.remove(row)
            rows += [row]
    places = [orbits[row][2][0] for row in rows]
    colours = tuple(elements[k] for k in best)
    return Description(proto, colours, _parameters(dataset), points[places])


def _primitive_orbits(
    crystal: Crystal, dataset: MoyoDataset
) -> list[tuple[int, str, list[int]]] | None:
    """Return element, Wyckoff letter and primitive atoms of each orbit."""
    to_primitive, letters = dataset.mapping_std_prim, dataset.wyckoffs
    if not _one_atom_per_site(crystal, dataset):
        return None
    merged: dict[int, int] = {}

    def root(atom: int) -> int:
        while merged.setdefault(atom, atom) != atom:
            atom = merged[atom]
        return atom

    for atom, orbit in enumerate(dataset.orbits):
        merged[root(to_primitive[atom])] = root(to_primitive[orbit])
    groups: dict[int, tuple[int, str, list[int]]] = {}
    for atom, place in enumerate(to_primitive):
        z = int(crystal.numbers[atom])
        _, letter, members = groups.setdefault(root(place), (z, letters[atom], []))
        if letter != letters[atom]:
            return None
        if place not in members:
            members.append(place)
    n_found = sum(len(members) for _, _, members in groups.values())
    return list(groups.values()) if n_found == len(dataset.prim_std_cell.numbers) else None


def _one_atom_per_site(crystal: Crystal, dataset: MoyoDataset) -> bool:
    """Whether no atoms coincide: the symmetry search keeps one of those on the same site."""
    volume = abs(np.linalg.det(np.array(dataset.prim_std_cell.basis)))
    n_cells = round(abs(float(np.linalg.det(crystal.cell))) / volume)
    return bool(np.all(np.bincount(dataset.mapping_std_prim) == n_cells))


def _parameters(dataset: MoyoDataset) -> NDArray[np.float64]:
    basis = np.array(dataset.std_cell.basis)
    lengths = np.linalg.norm(basis, axis=1)
    unit = basis / lengths[:, None]
    cosines = np.array([unit[1] @ unit[2], unit[0] @ unit[2], unit[0] @ unit[1]])
    return np.concatenate([lengths, np.degrees(np.arccos(np.clip(cosines, -1.0, 1.0)))])


def _distinct(images: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which images of each orbit, shape (n, order, 3), repeat none before them."""
    gap = images[:, :, None] - images[:, None]
    gap -= np.rint(gap)
    same = np.all(np.abs(gap) < _SAME_POINT, axis=3)
    return ~np.any(np.tril(same, -1), axis=2)
