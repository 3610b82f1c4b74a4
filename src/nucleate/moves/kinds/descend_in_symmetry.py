"""Displace all atoms along one irreducible pattern of the space group."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from nucleate.moves.move import Child, first_allowed
from nucleate.moves.settings import MoveSettings
from nucleate.moves.size import AXIS_NAMES, stacked
from nucleate.moves.symmetry import group_of, random_subgroup, symmetric_parent

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nucleate.crystal.crystal import Crystal
    from nucleate.moves.move import MoveContext
    from nucleate.moves.symmetry import Group

LARGEST_ANG = (0.15, 0.8)
"""Å; displacement of the atom that moves most."""

SAME = 1e-6
"""Relative difference of eigenvalues of one pattern."""


class DescendInSymmetry(MoveSettings):
    """Displace along one irreducible pattern, also of the doubled cell; a subgroup stays.

    The eigenspaces of a random matrix that commutes with all operations of the group are
    irreducible. One of them, other than the symmetric ones and the translations, is drawn, and in
    it a random direction, half of the time one that a random subgroup keeps.
    """

    keeps_symmetry: ClassVar[bool] = True

    def applies(self, parent: Crystal, context: MoveContext) -> bool:
        """Return whether there is more than one atom."""
        del context
        return parent.n_atoms >= 2

    def apply(
        self, parent: Crystal, context: MoveContext, *, rng: np.random.Generator
    ) -> Child | None:
        """Return a child whose space group is a subgroup of the parent's."""
        crystal = symmetric_parent(parent)
        if crystal is None:
            return None
        axis = "none"
        if context.fits(2, crystal) and rng.random() < 0.5:
            place = int(rng.integers(3))
            axis, crystal = AXIS_NAMES[place], stacked(crystal, place, 2)
        group = group_of(crystal)
        patterns = [] if group is None else irreducible_patterns(crystal, group, rng=rng)
        if group is None or not patterns:
            return None

        def draw() -> Child | None:
            pattern = patterns[int(rng.integers(len(patterns)))]
            steps = _direction(pattern, crystal, group, rng)
            largest = np.linalg.norm(steps, axis=1).max()
            if largest < SAME:
                return None
            size = float(rng.uniform(*LARGEST_ANG))
            moved = crystal.positions + steps * (size / largest)
            child = type(crystal).from_positions(crystal.numbers, crystal.cell, moved).wrapped()
            detail = {
                "doubled": axis,
                "dimension": pattern.shape[1],
                "largest_ang": round(size, 3),
            }
            return Child(child, detail)

        return first_allowed(draw, parent, context, push=False)


def irreducible_patterns(
    crystal: Crystal, group: Group, *, rng: np.random.Generator
) -> list[NDArray[np.float64]]:
    """Return patterns of displacement, each an orthonormal basis of an irreducible space.

    Parameters
    ----------
    crystal
        A symmetrised crystal.
    group
        Its operations.
    rng
        The only source of randomness: patterns of the same kind mix in a random way.

    Returns
    -------
    list of ndarray of float64, shape (3 * n_atoms, dimension)
        Cartesian displacements. Those that keep all of the group and the common translations are
        left out.
    """
    size = 3 * crystal.n_atoms
    matrix = rng.normal(size=(size, size))
    matrix = _averaged(matrix + matrix.T, crystal, group)
    values, vectors = np.linalg.eigh(matrix)
    breaks = np.flatnonzero(np.diff(values) > SAME * np.abs(values).max()) + 1
    inverse = np.linalg.inv(crystal.cell)
    found = []
    for space in np.split(vectors, breaks, axis=1):
        first = np.asarray(space[:, 0], dtype=np.float64).reshape(-1, 3)
        still = first - first.mean(axis=0)
        kept = group.symmetric(first @ inverse) @ crystal.cell
        if np.abs(still).max() > 1e-3 and np.abs(kept).max() < 1e-3:
            found.append(space)
    return found


def _averaged(matrix: NDArray[np.float64], crystal: Crystal, group: Group) -> NDArray[np.float64]:
    """Return the part of a matrix of Cartesian displacements that all operations leave."""
    n_atoms = crystal.n_atoms
    inverse = np.linalg.inv(crystal.cell)
    blocks = matrix.reshape(n_atoms, 3, n_atoms, 3).transpose(0, 2, 1, 3)
    total = np.zeros_like(blocks)
    for rotation, image in zip(group.rotations, group.images, strict=True):
        turned = inverse @ rotation @ crystal.cell
        total[np.ix_(image, image)] += turned.T @ blocks @ turned
    mean = total / group.order
    rows = np.full((n_atoms, n_atoms), 1.0 / n_atoms)
    still = np.eye(n_atoms) - rows  # common translations are left out
    whole = mean.transpose(0, 2, 1, 3).reshape(3 * n_atoms, 3 * n_atoms)
    projector = np.kron(still, np.eye(3))
    return projector @ whole @ projector


def _direction(
    pattern: NDArray[np.float64], crystal: Crystal, group: Group, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Return a displacement of the pattern in Å, shape (n_atoms, 3), of any length."""
    steps = (pattern @ rng.normal(size=pattern.shape[1])).reshape(-1, 3)
    if pattern.shape[1] == 1 or rng.random() < 0.5:
        return steps
    subgroup = random_subgroup(group, rng=rng)
    kept = subgroup.symmetric(steps @ np.linalg.inv(crystal.cell)) @ crystal.cell
    return kept if np.abs(kept).max() > 1e-3 * np.abs(steps).max() else steps
