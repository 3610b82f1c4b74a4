"""A crystal as a grid of sub-modules: slicing and its inverse."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from nucleate.crystal.composition import Composition
from nucleate.crystal.crystal import Crystal

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


class SubModule(NamedTuple):
    """The atoms in one box of the grid.

    Attributes
    ----------
    numbers : ndarray of int64, shape (k,)
        Atomic numbers.
    local : ndarray of float64, shape (k, 3)
        Positions as fractions of the edges of the sub-module.
    """

    numbers: NDArray[np.int64]
    local: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Blocks:
    """A crystal cut along its lattice vectors into equal boxes, the sub-modules.

    Sub-modules are counted with the first axis fastest and the third slowest. Everything is in
    fractional coordinates, so no cell is special.

    Attributes
    ----------
    grid : tuple of int
        Number of sub-modules along each lattice vector.
    cell : ndarray of float64, shape (3, 3)
        Rows are the lattice vectors of the whole crystal in Å.
    numbers : ndarray of int64, shape (n_atoms,)
        Atomic numbers, in the order of the crystal that was sliced.
    local : ndarray of float64, shape (n_atoms, 3)
        Positions as fractions of the edges of the sub-module; in [0, 1) after slicing.
    owner : ndarray of int64, shape (n_atoms,)
        The sub-module that each atom sits in.

    Raises
    ------
    ValueError
        If an owner lies outside the grid or the shapes do not fit each other.
    """

    grid: tuple[int, int, int]
    cell: NDArray[np.float64]
    numbers: NDArray[np.int64]
    local: NDArray[np.float64]
    owner: NDArray[np.int64]

    def __post_init__(self) -> None:
        for name in ("cell", "numbers", "local", "owner"):
            values = np.array(getattr(self, name))
            values.setflags(write=False)
            object.__setattr__(self, name, values)
        n_atoms = self.numbers.size
        if self.local.shape != (n_atoms, 3) or self.owner.shape != (n_atoms,):
            raise ValueError(
                f"numbers {self.numbers.shape}, local {self.local.shape} and owner "
                f"{self.owner.shape} must have the shapes (n,), (n, 3) and (n,)"
            )
        if n_atoms and not (self.owner.min() >= 0 and self.owner.max() < self.n_modules):
            raise ValueError(f"an owner lies outside the {self.n_modules} sub-modules")

    @property
    def n_modules(self) -> int:
        """Number of sub-modules, the empty ones included."""
        return self.grid[0] * self.grid[1] * self.grid[2]

    @property
    def occupancy(self) -> NDArray[np.int64]:
        """Number of atoms in each sub-module, shape (n_modules,)."""
        return np.bincount(self.owner, minlength=self.n_modules)

    @property
    def indices(self) -> NDArray[np.int64]:
        """Grid position of each sub-module, shape (n_modules, 3)."""
        return grid_indices(self.grid)

    @property
    def strides(self) -> NDArray[np.int64]:
        """What turns grid positions into sub-modules: ``indices @ strides``, shape (3,)."""
        return np.array([1, self.grid[0], self.grid[0] * self.grid[1]])

    @property
    def edges(self) -> NDArray[np.float64]:
        """Lengths of the three edges of a sub-module in Å, shape (3,)."""
        return np.linalg.norm(self.cell, axis=1) / self.grid

    @property
    def modules(self) -> tuple[SubModule, ...]:
        """The sub-modules in order."""
        return tuple(
            SubModule(self.numbers[self.owner == i], self.local[self.owner == i])
            for i in range(self.n_modules)
        )

    def moved(self, destination: ArrayLike) -> Blocks:
        """Return blocks whose sub-module ``i`` stands at ``destination[i]``.

        Parameters
        ----------
        destination : array_like of int, shape (n_modules,)
            A permutation of the sub-modules.

        Raises
        ------
        ValueError
            If it is not a permutation.
        """
        target = np.asarray(destination)
        if not np.array_equal(np.sort(target), np.arange(self.n_modules)):
            raise ValueError(f"destination must be a permutation of 0..{self.n_modules - 1}")
        return replace(self, owner=target[self.owner])

    def assemble(self) -> Crystal:
        """Return the crystal, atoms in the order in which they were sliced.

        Right after :func:`slice_into_blocks` this is the sliced crystal, wrapped into its cell.
        """
        scaled = (self.indices[self.owner] + self.local) / self.grid
        return Crystal(self.numbers, self.cell, scaled).wrapped()


def grid_indices(grid: tuple[int, int, int]) -> NDArray[np.int64]:
    """Return the position of every box of a grid, first axis fastest, shape (n, 3)."""
    na, nb, nc = grid
    flat = np.arange(na * nb * nc)
    return np.stack([flat % na, flat // na % nb, flat // (na * nb)], axis=1)


def grid_for(lengths: ArrayLike, size: float) -> tuple[int, int, int]:
    """Return the grid of a cell: a/size, b/size and 2c/size to the nearest integer, at least 1.

    Parameters
    ----------
    lengths : array_like of float, shape (3,)
        Lengths of the lattice vectors in Å.
    size : float
        Edge of a sub-module in Å; its third edge is half as long.
    """
    ratios = np.asarray(lengths, dtype=float) / [size, size, size / 2]
    na, nb, nc = np.maximum(np.floor(ratios + 0.5), 1).astype(int).tolist()
    return na, nb, nc


def slice_into_blocks(crystal: Crystal, size: float | None = None) -> Blocks:
    """Cut a crystal into sub-modules of about ``size`` x ``size`` x ``size / 2``.

    The faces of a box belong to the upper neighbour, so every atom is in exactly one sub-module.
    After Collins, Darling and co-workers (FUSE2, doi 10.1039/d4fd00094c).

    Parameters
    ----------
    crystal : Crystal
        Any cell; its lattice is kept as it is.
    size : float, optional
        Edge of a sub-module in Å; by default that of the crystal's own composition.

    Raises
    ------
    ValueError
        If the size is not positive.

    Examples
    --------
    >>> from nucleate.crystal.crystal import Crystal
    >>> crystal = Crystal([11, 17], [[5, 0, 0], [1, 4, 0], [0, 1, 6]], [[0, 0, 0], [0.5, 0.5, 0.7]])
    >>> blocks = slice_into_blocks(crystal, 4.0)
    >>> blocks.grid
    (1, 1, 3)
    >>> bool(abs(blocks.assemble().scaled - crystal.scaled).max() < 1e-12)
    True
    """
    if size is None:
        size = Composition.from_numbers(crystal.numbers).submodule_size
    if not size > 0:
        raise ValueError(f"the size of a sub-module must be positive, not {size} Å")
    grid = grid_for(crystal.lengths, size)
    stretched = crystal.wrapped().scaled * grid
    index = np.floor(stretched).astype(np.int64)
    local = stretched - index
    above = index >= grid
    index[above] = 0
    local[above] = 0.0
    owner = index @ np.array([1, grid[0], grid[0] * grid[1]])
    return Blocks(grid, crystal.cell, crystal.numbers, local, owner)
