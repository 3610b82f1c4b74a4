"""Random crystals of a rigid motif and the rest of the atoms."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial.transform import Rotation

from nucleate.crystal.candidate import Candidate, Origin
from nucleate.crystal.crystal import Crystal
from nucleate.generate.generator import Generator

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nucleate.crystal.motif import Motif
    from nucleate.crystal.space import SearchSpace

ATTEMPTS = 60
"""Cells that one draw tries."""

PLACES = 60
"""Places that are tried for a motif or an atom."""

EDGES, ANGLES_DEG = (0.6, 1.7), (70.0, 110.0)
"""Ratios of the edges of a cell, and its angles."""

LOG_VOLUME = (0.1, 0.12)
"""Mean and standard deviation of the logarithm of the volume relative to the expected one."""


class RigidGenerator(Generator):
    """Puts copies of a motif, turned at random, and then the other atoms into random cells.

    An atom or motif goes to the first of some random places that keeps the minimum distances. Half
    of the crystals with an even number of formula units have a centre of inversion.

    Parameters
    ----------
    space : SearchSpace
        What is allowed.
    motif : Motif
        What stays rigid.
    """

    name = "rigid"

    def __init__(self, space: SearchSpace, motif: Motif) -> None:
        self._space = space
        self._motif = motif
        counts = np.zeros(space.min_distances.shape[0], dtype=np.int64)
        for number, count in zip(
            space.composition.elements, space.composition.counts.values(), strict=True
        ):
            counts[number] = count
        np.subtract.at(counts, motif.numbers, motif.copies)
        self._rest = np.repeat(np.arange(counts.size), counts)

    def generate(
        self, *, rng: np.random.Generator, max_formula_units: int | None = None
    ) -> Candidate | None:
        """Return a random crystal that holds the motif, or None."""
        allowed = [
            units
            for units in self._space.formula_units
            if max_formula_units is None or units <= max_formula_units
        ]
        if not allowed:
            return None
        for _ in range(ATTEMPTS):
            units = int(rng.choice(allowed))
            inverted = units % 2 == 0 and rng.random() < 0.5
            crystal = self._attempt(units, inverted=inverted, rng=rng)
            if crystal is not None and self._space.rejection(crystal) is None:
                detail = {"formula_units": units, "inverted": int(inverted)}
                return Candidate(crystal, Origin(self.name, detail={**detail}))
        return None

    def _attempt(self, units: int, *, inverted: bool, rng: np.random.Generator) -> Crystal | None:
        size = units * self._space.composition.n_atoms
        volume = size * self._space.volume_per_atom * np.exp(rng.normal(*LOG_VOLUME))
        cell = _random_cell(float(volume), rng)
        board = _Board(cell, self._space.min_distances, inverted=inverted)
        own = units // 2 if inverted else units
        motif = self._motif
        for _ in range(own * motif.copies):
            if not board.place(motif.numbers, motif.positions, rng, turned=True):
                return None
        for number in rng.permutation(np.repeat(self._rest, own)):
            if not board.place(np.array([number]), np.zeros((1, 3)), rng, turned=False):
                return None
        return board.crystal()


class _Board:
    """A cell that is filled piece by piece."""

    def __init__(
        self, cell: NDArray[np.float64], limits: NDArray[np.float64], *, inverted: bool
    ) -> None:
        self._cell, self._inverse = cell, np.linalg.inv(cell)
        self._limits = limits
        self._inverted = inverted
        self._numbers = np.empty(0, dtype=np.int64)
        self._scaled = np.empty((0, 3))
        shifts = np.array(list(np.ndindex(3, 3, 3)), dtype=np.float64) - 1.0
        self._images = shifts @ cell

    def place(
        self,
        numbers: NDArray[np.int64],
        positions: NDArray[np.float64],
        rng: np.random.Generator,
        *,
        turned: bool,
    ) -> bool:
        """Put atoms with fixed distances somewhere; return False if no place was found."""
        for _ in range(PLACES):
            shape = positions
            if turned:
                shape = shape @ Rotation.from_quat(rng.normal(size=4)).as_matrix()
            scaled = rng.random(3) + shape @ self._inverse
            kinds = numbers
            if self._inverted:
                scaled, kinds = np.concatenate([scaled, -scaled]), np.tile(numbers, 2)
            if self._is_free(kinds, scaled, len(numbers)):
                self._numbers = np.concatenate([self._numbers, kinds])
                self._scaled = np.concatenate([self._scaled, scaled])
                return True
        return False

    def _is_free(self, kinds: NDArray[np.int64], scaled: NDArray[np.float64], piece: int) -> bool:
        """Return whether new atoms keep their distances; those of one piece need not."""
        every = np.concatenate([self._scaled, scaled])
        numbers = np.concatenate([self._numbers, kinds])
        gaps = (scaled[:, None] - every[None]) @ self._cell
        squares = ((gaps[:, :, None] + self._images) ** 2).sum(axis=3)
        own = np.arange(len(every)) - len(self._numbers)
        pieces = np.arange(len(kinds)) // piece
        same = (own >= 0) & (own // piece == pieces[:, None])
        squares[same, len(self._images) // 2] = np.inf
        limits = self._limits[np.ix_(kinds, numbers)]
        return bool((squares.min(axis=2) >= limits**2).all())

    def crystal(self) -> Crystal:
        order = np.argsort(self._numbers, kind="stable")
        return Crystal(self._numbers[order], self._cell, self._scaled[order]).wrapped()


def _random_cell(volume: float, rng: np.random.Generator) -> NDArray[np.float64]:
    from ase.geometry import cellpar_to_cell

    edges = np.exp(rng.uniform(*np.log(EDGES), size=3))
    cell = cellpar_to_cell([*edges, *rng.uniform(*ANGLES_DEG, size=3)])
    return cell * (volume / abs(np.linalg.det(cell))) ** (1.0 / 3.0)
