"""Decorations of supercells: those of small cells, and the lowest that proofs have found."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from nucleate.crystal.crystal import Crystal
from nucleate.crystal.elements import element
from nucleate.exact.superlattices import (
    parent_operations,
    site_permutations,
    supercell_sites,
    superlattices,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from nucleate.exact.certificate import Proof, RelaxedRecord
    from nucleate.exact.relaxing import Relax

MAX_STRAIN = 0.15
MAX_SHIFT = 0.3
IDENTITY = np.eye(3, dtype=np.int64)[None], np.zeros((1, 3))


@dataclass(frozen=True, slots=True, eq=False)
class Decoration:
    """Elements on the sites of a supercell.

    Attributes
    ----------
    form : ndarray of int64, shape (3, 3)
        Rows of the supercell in the vectors of the parent.
    colours : tuple of int
        Index of the element on each site.
    """

    form: NDArray[np.int64]
    colours: tuple[int, ...]

    @property
    def key(self) -> str:
        """Name of the decoration."""
        cell = ",".join(str(int(x)) for x in self.form[np.tril_indices(3)])
        return f"{cell}:{''.join(str(c) for c in self.colours)}"

    def is_primitive(self, parent: Crystal) -> bool:
        """Return whether no shift by a lattice vector of the parent leaves it as it is."""
        row = np.array(self.colours)
        shifts = site_permutations(parent, self.form, IDENTITY)[1:]
        return not any(np.array_equal(row[shift], row) for shift in shifts)

    def crystal(self, parent: Crystal, elements: Sequence[str], volume: float) -> Crystal:
        """Return the decoration with this volume per site in Å^3, not relaxed."""
        sites, _ = supercell_sites(parent, self.form)
        numbers = np.array([element(elements[c]).number for c in self.colours])
        crystal = Crystal(numbers, sites.cell, sites.fractions)
        scale = (volume / crystal.volume_per_atom) ** (1.0 / 3.0)
        return crystal.replace(cell=crystal.cell * scale)


def decorations(parent: Crystal, kinds: int, most: int) -> list[Decoration]:
    """Return the smallest decorations of a lattice, all compositions, no two the same crystal.

    Parameters
    ----------
    parent
        Primitive cell whose atoms are the sites.
    kinds
        Number of elements.
    most
        How many to return at least where a size is begun; all of a size are taken.
    """
    found: list[Decoration] = []
    index = 0
    while len(found) < most:
        index += 1
        for form in superlattices(parent_operations(parent)[0], index):
            found += _primitive(parent, form, kinds)
    return found


def _primitive(parent: Crystal, form: NDArray[np.int64], kinds: int) -> Iterator[Decoration]:
    """Yield the decorations of a supercell that have no smaller cell, one of each class."""
    images = site_permutations(parent, form, parent_operations(parent))
    seen: set[bytes] = set()
    for colours in product(range(kinds), repeat=images.shape[1]):
        row = np.array(colours)
        if row.tobytes() in seen:
            continue
        seen.update(image.tobytes() for image in np.unique(row[images], axis=0))
        decoration = Decoration(form, tuple(int(c) for c in colours))
        if decoration.is_primitive(parent):
            yield decoration


def stays_on_lattice(start: Crystal, end: Crystal) -> bool:
    """Return whether a relaxed decoration is one still: strain and displacements are small."""
    change = np.linalg.solve(start.cell, end.cell)
    stretch = np.linalg.svd(change, compute_uv=False)
    if np.abs(stretch / np.prod(stretch) ** (1.0 / 3.0) - 1.0).max() > MAX_STRAIN:
        return False
    moves = end.scaled - start.scaled
    moves -= np.rint(moves)
    moves -= moves.mean(axis=0)
    shift = np.linalg.norm(moves @ end.cell, axis=1).max()
    return bool(shift <= MAX_SHIFT * end.volume_per_atom ** (1.0 / 3.0))


@dataclass(frozen=True, slots=True, eq=False)
class Lowest:
    """A decoration that a proof has found.

    Attributes
    ----------
    proof, rank : int
        Where it is: the proof, and its place among those found.
    energy : float
        Per atom: what is known of it after relaxation, else that of the proof.
    decoration : Decoration
    """

    proof: int
    rank: int
    energy: float
    decoration: Decoration


def lowest(
    proofs: Sequence[Proof], parent: Crystal, known: Mapping[str, float | None]
) -> Iterator[Lowest]:
    """Yield what proofs have found, lowest energy first, without what has a smaller cell.

    Parameters
    ----------
    proofs
        Of decorations of the parent.
    parent
        Primitive cell whose atoms are the sites.
    known
        Energies per atom after relaxation by the key of the decoration.
    """
    found = []
    for p, proof in enumerate(proofs):
        atoms = sum(proof.counts.values())
        for f, item in enumerate(proof.found):
            decoration = decoration_of(proof, item.places, parent)
            relaxed = known.get(decoration.key)
            energy = item.energy / atoms if relaxed is None else relaxed
            found.append(Lowest(p, f, energy, decoration))
    found.sort(key=lambda item: (round(item.energy, 7), item.decoration.key))
    return (item for item in found if item.decoration.is_primitive(parent))


def decoration_of(proof: Proof, places: Mapping[str, Sequence[int]], parent: Crystal) -> Decoration:
    """Return an arrangement of a proof as a decoration; colours are in the order of Z."""
    form = np.rint(np.array(proof.cell) @ np.linalg.inv(parent.cell)).astype(np.int64)
    symbols = sorted(places, key=lambda symbol: element(symbol).number)
    colours = np.zeros(len(proof.sites or ()), dtype=np.int64)
    for kind, symbol in enumerate(symbols):
        colours[list(places[symbol])] = kind
    return Decoration(form, tuple(int(c) for c in colours))


def relax_lowest(
    proofs: Sequence[Proof],
    parent: Crystal,
    relax: Relax,
    *,
    known: Mapping[str, float | None],
    seed: int,
    most: int = 10,
) -> tuple[list[Proof], list[RelaxedRecord]]:
    """Return the proofs with their lowest decorations relaxed, and these, lowest first."""
    from nucleate.exact.scan import arrangement

    rng = np.random.default_rng([seed, 1])
    result, ends = list(proofs), []
    for item, _ in zip(lowest(proofs, parent, known), range(most), strict=False):
        proof = result[item.proof]
        found = list(proof.found)
        end = relax(arrangement(proof.points, found[item.rank].places), rng=rng)
        if end is not None:
            ends.append(end)
            found[item.rank] = found[item.rank].model_copy(update={"relaxed": end})
            result[item.proof] = proof.model_copy(update={"found": found})
    return result, sorted(ends, key=lambda end: end.energy / len(end.symbols))
