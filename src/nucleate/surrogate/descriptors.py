"""What the linear model of the surrogate sees of a crystal: its columns, and rows of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from nucleate.crystal.elements import element, symbols_of
from nucleate.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from nucleate.crystal.crystal import Crystal

CUTOFF_ANG = 6.0
"""Å, where the splines of pairs end."""

OWN_CHANNELS = 3
"""Elements up to which each has a channel of its own; more of them share channels."""

FORMAT = 1
"""Version of the form of the energy: raised whenever weights change their meaning."""


@dataclass(frozen=True)
class Layout:
    """The columns of the model of some elements.

    They are the number of atoms of each element; 16 splines of every unordered pair; and for each
    element as a centre, for every pair c <= e of products, four degrees of the cosine.

    Attributes
    ----------
    elements : tuple of int
        Atomic numbers, ascending.

    Raises
    ------
    InputError
        If there is no element, or one that is not known.

    Examples
    --------
    >>> Layout((20, 22, 8)).n_columns
    1035
    """

    elements: tuple[int, ...]

    def __post_init__(self) -> None:
        numbers = sorted({int(z) for z in self.elements})
        if not numbers:
            raise InputError("elements = []: a surrogate needs at least one element. Name them.")
        for number in numbers:
            element(number)
        object.__setattr__(self, "elements", tuple(numbers))

    @classmethod
    def of(cls, numbers: Iterable[int]) -> Layout:
        """Return the layout of the elements of some atoms."""
        return cls(tuple({int(z) for z in numbers}))

    @property
    def n_elements(self) -> int:
        """Number of elements."""
        return len(self.elements)

    @property
    def n_pairs(self) -> int:
        """Number of unordered pairs of elements."""
        return self.n_elements * (self.n_elements + 1) // 2

    @property
    def n_products(self) -> int:
        """Number of moments of a centre that are multiplied with each other."""
        from nucleate.surrogate.kernels import N_RADIAL

        return self.embedding.shape[1] * N_RADIAL

    @property
    def n_features(self) -> int:
        """Number of three-body columns of one element as a centre."""
        from nucleate.surrogate.kernels import N_DEGREES

        return self.n_products * (self.n_products + 1) // 2 * N_DEGREES

    @property
    def three_body(self) -> int:
        """First of the three-body columns."""
        from nucleate.surrogate.kernels import N_PAIR

        return self.n_elements + self.n_pairs * N_PAIR

    @property
    def n_columns(self) -> int:
        """Number of weights."""
        return self.three_body + self.n_elements * self.n_features

    @cached_property
    def pair(self) -> NDArray[np.int64]:
        """Number of each unordered pair, shape (n_elements, n_elements)."""
        table = np.zeros((self.n_elements,) * 2, np.int64)
        first, second = np.triu_indices(self.n_elements)
        table[first, second] = table[second, first] = np.arange(self.n_pairs)
        return table

    @cached_property
    def embedding(self) -> NDArray[np.float64]:
        """Share of an element in each channel of neighbours, shape (n_elements, n_channels).

        Up to three elements have a channel each. Four share three channels and more share two:
        all neighbours, and neighbours weighted with what sets the elements of this composition
        apart, their electronegativities and then their radii (standardised, made orthogonal).
        """
        return _embedding(self.elements)

    def kinds(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the place of each atom's element.

        Raises
        ------
        InputError
            If an element is not in the layout.
        """
        strangers = sorted(set(numbers.tolist()) - set(self.elements))
        if strangers:
            raise InputError(
                f"the surrogate was made for {', '.join(symbols_of(self.elements))} and not for "
                f"{', '.join(symbols_of(strangers))}. Fit one for the elements of this crystal."
            )
        return np.searchsorted(np.array(self.elements), numbers)

    def rows(self, crystal: Crystal, atoms: NDArray[np.int64] | None = None) -> NDArray[np.float64]:
        """Return energy, forces and virial of a crystal by column, (3 n_atoms + 7, n_columns).

        Rows are the energy (eV), forces (eV/Å), virial xx, yy, zz, yz, xz, xy
        (eV, derivative of the energy by strain), each for a weight of 1.

        Parameters
        ----------
        crystal
            A crystal of these elements.
        atoms
            Ascending places of the atoms whose forces are wanted; default: all.
        """
        atoms = np.arange(crystal.n_atoms) if atoms is None else atoms
        force_row = np.zeros(crystal.n_atoms, np.int64)
        force_row[atoms] = 1 + 3 * np.arange(len(atoms))
        return self._design(crystal, force_row)

    def energy_row(self, crystal: Crystal) -> NDArray[np.float64]:
        """Return the energy of a crystal by column, shape (n_columns,)."""
        return self._design(crystal, np.zeros(0, np.int64))[0]

    def _design(self, crystal: Crystal, force_row: NDArray[np.int64]) -> NDArray[np.float64]:
        from nucleate.potentials.kernels import neighbours
        from nucleate.surrogate.rows import design

        kinds, cell = self.kinds(crystal.numbers), np.array(crystal.cell)
        positions = crystal.positions
        near = neighbours(positions, cell, CUTOFF_ANG)
        return design(positions, cell, kinds, *near, self.pair, self.embedding, force_row)


def _embedding(elements: tuple[int, ...]) -> NDArray[np.float64]:
    count = len(elements)
    if count <= OWN_CHANNELS:
        return np.eye(count)
    known = [element(z) for z in elements]
    properties = [
        np.array([item.electronegativity or 1.0 for item in known]),
        np.array([item.covalent_radius for item in known]),
    ]
    channels = [np.ones(count)]
    for values in properties[: 2 if count == 4 else 1]:
        rest = values - values.mean()
        for channel in channels[1:]:
            rest = rest - (rest @ channel) / (channel @ channel) * channel
        size = np.sqrt((rest**2).mean())
        channels.append(rest / size if size > 1e-6 else np.linspace(-1.0, 1.0, count))
    return np.stack(channels, axis=1)
