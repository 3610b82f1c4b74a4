"""Heredity: slabs of two parents together, and the repair of the composition."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nucleate.blocks.placement import SiteBoard
from nucleate.crystal.crystal import Crystal
from nucleate.crystal.distances import is_solid_cell, nearest_neighbour_distances
from nucleate.moves.move import Child, first_allowed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nucleate.moves.move import MoveContext

AXIS_NAMES = "abc"

SHARE = (0.5, 0.15)
"""Mean and standard deviation of the part of the first parent."""

SHARE_LIMITS = (0.2, 0.8)

MOST_SLABS = 2
"""Slabs of each parent along the axis."""

RANDOM_SITES = 64
"""Random places that a repair may use besides those of the parents' other atoms."""

CROWDED = 0.5
"""Part of the minimum distances that a repair keeps where it finds no better place; atoms are
pushed apart afterwards."""


def heredity(
    first: Crystal,
    second: Crystal,
    context: MoveContext,
    *,
    formula_units: int,
    rng: np.random.Generator,
) -> Child | None:
    """Return a child of slabs of two parents, or None if none is allowed.

    Both parents are shifted at random and cut along one lattice direction; the axes of the second
    are exchanged at random first. The metric tensor of the child is the mean of the parents',
    weighted by their shares, scaled to the mean volume per atom. Operator after A. R. Oganov and
    C. W. Glass, J. Chem. Phys. 124, 244704 (2006).

    Parameters
    ----------
    first, second
        Parents of one composition, in reduced cells of any size.
    context
        Limits.
    formula_units
        Of the child.
    rng
        The only source of randomness.
    """
    wanted = context.space.composition.numbers(formula_units)
    elements, amounts = np.unique(wanted, return_counts=True)
    counts = dict(zip(elements.tolist(), amounts.tolist(), strict=True))

    def draw() -> Child | None:
        axis = int(rng.integers(3))
        slabs = int(rng.integers(1, MOST_SLABS + 1))
        share = float(np.clip(rng.normal(*SHARE), *SHARE_LIMITS))
        one = _shifted(first, rng)
        other = _shifted(_turned(second, rng), rng)
        inside = [(part.scaled[:, axis] * slabs) % 1.0 < share for part in (one, other)]
        kept = [(one, inside[0]), (other, ~inside[1])]
        spare = [(one, ~inside[0]), (other, inside[1])]
        cell = mean_cell(one, other, share, sum(counts.values()))
        if cell is None:
            return None
        whole = repaired(_atoms(kept), _atoms(spare), counts, cell, context, rng=rng)
        detail = {
            "axis": AXIS_NAMES[axis],
            "slabs": slabs,
            "share": round(share, 3),
            "formula_units": formula_units,
        }
        return None if whole is None else Child(whole, detail)

    return first_allowed(draw, first, context)


def mean_cell(
    first: Crystal, second: Crystal, share: float, n_atoms: int
) -> NDArray[np.float64] | None:
    """Return the cell whose metric tensor is the weighted mean of two, each at unit volume.

    Parameters
    ----------
    first, second
        Crystals.
    share
        Weight of the first.
    n_atoms
        Atoms of the child, whose volume per atom is the weighted mean too.
    """
    metric = np.zeros((3, 3))
    for crystal, weight in ((first, share), (second, 1.0 - share)):
        unit = crystal.cell / crystal.volume ** (1.0 / 3.0)
        metric += weight * unit @ unit.T
    cell = np.linalg.cholesky(metric)
    per_atom = share * first.volume_per_atom + (1.0 - share) * second.volume_per_atom
    cell = cell * (per_atom * n_atoms / np.linalg.det(cell)) ** (1.0 / 3.0)
    return cell if is_solid_cell(cell) else None


Atoms = tuple["NDArray[np.int64]", "NDArray[np.float64]"]
"""Atomic numbers, and fractional coordinates of shape (n, 3)."""


def repaired(
    kept: Atoms,
    spare: Atoms,
    counts: dict[int, int],
    cell: NDArray[np.float64],
    context: MoveContext,
    *,
    rng: np.random.Generator,
) -> Crystal | None:
    """Return a crystal of exactly a composition, made of atoms that are kept and spare ones.

    Of an element in excess the atoms with the nearest neighbours are left out. Missing atoms go to
    places of spare atoms, of their own element first, else to random places, as far as there are
    some that keep the minimum distances.

    Parameters
    ----------
    kept, spare
        Atoms to keep where possible, and atoms whose places may be used.
    counts
        Atoms of each element in the child, by atomic number.
    cell
        Rows are the lattice vectors in Å.
    context
        Limits.
    rng
        The only source of randomness.
    """
    numbers, scaled = _without_excess(*kept, counts, cell)
    missing = [z for z, count in counts.items() for _ in range(count - int((numbers == z).sum()))]
    if not missing:
        return Crystal(numbers, cell, scaled)
    order = rng.permutation(len(spare[0]))
    places = np.concatenate([scaled, spare[1][order], rng.random((RANDOM_SITES, 3))])
    elements = np.array(sorted(counts), dtype=np.int64)
    board = SiteBoard(places, cell, context.least_distances(elements))
    board.occupy(np.arange(len(numbers)), np.searchsorted(elements, numbers))
    rank = np.full((len(elements), len(places)), 2)
    rank[:, len(numbers) : len(numbers) + len(order)] = np.where(
        elements[:, None] == spare[0][order][None, :], 0, 1
    )
    wanted = rng.permutation(np.array(missing, dtype=np.int64))
    kinds = np.searchsorted(elements, wanted)
    sites = board.fill(kinds, rng=rng, rank=rank)
    if sites is None:
        board = SiteBoard(places, cell, CROWDED * context.least_distances(elements))
        board.occupy(np.arange(len(numbers)), np.searchsorted(elements, numbers))
        sites = board.fill(kinds, rng=rng, rank=rank)
    if sites is None:
        return None
    return Crystal(np.concatenate([numbers, wanted]), cell, np.concatenate([scaled, places[sites]]))


def _without_excess(
    numbers: NDArray[np.int64],
    scaled: NDArray[np.float64],
    counts: dict[int, int],
    cell: NDArray[np.float64],
) -> Atoms:
    """Leave out the most crowded atoms of every element in excess, one after the other."""
    for z, count in counts.items():
        while int((numbers == z).sum()) > count:
            nearest = nearest_neighbour_distances(Crystal(numbers, cell, scaled))
            worst = int(np.argmin(np.where(numbers == z, nearest, np.inf)))
            numbers, scaled = np.delete(numbers, worst), np.delete(scaled, worst, axis=0)
    return numbers, scaled


def _shifted(crystal: Crystal, rng: np.random.Generator) -> Crystal:
    return crystal.replace(scaled=crystal.scaled + rng.random(3)).wrapped()


def _turned(crystal: Crystal, rng: np.random.Generator) -> Crystal:
    order = rng.permutation(3)
    return crystal.replace(cell=crystal.cell[order], scaled=crystal.scaled[:, order])


def _atoms(parts: list[tuple[Crystal, NDArray[np.bool_]]]) -> Atoms:
    return (
        np.concatenate([crystal.numbers[chosen] for crystal, chosen in parts]),
        np.concatenate([crystal.scaled[chosen] for crystal, chosen in parts]),
    )
