"""The atoms of many sentences at a time, placed without short contacts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nucleate.crystal.lattice import reduce_lattice
from nucleate.generate.symmetric_cells import cell_of
from nucleate.generate.wyckoff import orbits, primitive_vectors
from nucleate.generate.wyckoff_language.contacts import first_clear
from nucleate.generate.wyckoff_language.tokens import unscaled_cell

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(slots=True, eq=False)
class Rows:
    """What is known of the sentences of a batch, one row each.

    Attributes
    ----------
    group : ndarray of int64, shape (n,)
        Space groups.
    kinds, rows : list of ndarray of int64
        Element of each orbit, and its position as a row of all positions.
    movable : list of ndarray of int64
        The orbits with free coordinates.
    start : ndarray of int64, shape (n,)
        Row of the first position of the group.
    length : ndarray of int64, shape (n,)
        Tokens up to the last orbit.
    free : ndarray of float64, shape (n, most_orbits, 3)
        Free coordinates.
    density : ndarray of float64, shape (n,)
        Log-density of what is drawn so far.
    given : ndarray of float64, shape (n,)
        The share of what is given in it.
    image : ndarray of int64, shape (n,)
        Which description of a kept part stands in the sentence.
    alive : ndarray of bool, shape (n,)
        Whether no contact is too short so far.
    """

    group: NDArray[np.int64]
    kinds: list[NDArray[np.int64]]
    rows: list[NDArray[np.int64]]
    movable: list[NDArray[np.int64]]
    start: NDArray[np.int64]
    length: NDArray[np.int64]
    free: NDArray[np.float64]
    density: NDArray[np.float64]
    given: NDArray[np.float64]
    image: NDArray[np.int64]
    alive: NDArray[np.bool_]

    def repeated(self, copies: NDArray[np.int64]) -> Rows:
        """Return the rows of these places, which may come more than once."""
        return Rows(
            self.group[copies],
            [self.kinds[k] for k in copies],
            [self.rows[k] for k in copies],
            [self.movable[k] for k in copies],
            self.start[copies],
            self.length[copies],
            self.free[copies].copy(),
            self.density[copies].copy(),
            self.given[copies].copy(),
            self.image[copies],
            self.alive[copies].copy(),
        )


class Packing:
    """The atoms of all rows as far as they are placed.

    Parameters
    ----------
    limits : ndarray of float64, shape (n_elements, n_elements)
        Minimum distances in Å.
    volume : float
        Expected volume of the primitive cell in Å³.
    atoms : int
        In the primitive cell.
    rows : Rows
        The sentences.
    cell : ndarray of float32, shape (n, 6)
        Their cells.
    """

    def __init__(
        self,
        limits: NDArray[np.float64],
        volume: float,
        atoms: int,
        rows: Rows,
        cell: NDArray[np.float32],
    ) -> None:
        n = rows.group.size
        self._limits = limits
        self._cells = np.tile(np.eye(3) * 100.0, (n, 1, 1))
        self._inverse, self._change = np.tile(np.eye(3), (n, 1, 1)), np.tile(np.eye(3), (n, 1, 1))
        for r in np.flatnonzero(rows.alive):
            group = int(rows.group[r])
            stretch, shape = unscaled_cell(group, cell[r])
            made = primitive_vectors(group) @ cell_of(group, shape)
            made *= (volume * np.exp(stretch) / abs(np.linalg.det(made))) ** (1.0 / 3.0)
            self._cells[r], self._change[r] = reduce_lattice(np.ascontiguousarray(made))
            self._inverse[r] = np.rint(np.linalg.inv(self._change[r]))
        self._scaled = np.zeros((n, atoms, 3))
        self._species = np.zeros((n, atoms), np.int64)
        self._filled = np.zeros(n, np.int64)

    def place_fixed(self, rows: Rows) -> None:
        """Place the orbits without free coordinates; rows with a short contact are not alive."""
        fixed = [
            np.setdiff1d(np.arange(k.size), m)
            for k, m in zip(rows.kinds, rows.movable, strict=True)
        ]
        for step in range(max(f.size for f in fixed)):
            has = np.array([r for r, f in enumerate(fixed) if f.size > step])
            orbit = np.array([fixed[r][step] for r in has])
            rows.alive[has] &= self._put(rows, has, orbit, np.zeros((has.size, 1, 3))) >= 0

    def place(
        self, rows: Rows, orbit: NDArray[np.int64], tries: NDArray[np.float64], active: int
    ) -> NDArray[np.int64]:
        """Place an orbit in each of the first rows; return which try was taken."""
        return self._put(rows, np.arange(active), orbit, tries)

    def _put(
        self,
        rows: Rows,
        has: NDArray[np.int64],
        orbit: NDArray[np.int64],
        tries: NDArray[np.float64],
    ) -> NDArray[np.int64]:
        taken = np.full(has.size, -1, np.int64)
        live = np.flatnonzero(rows.alive[has])
        if not live.size:
            return taken
        has, orbit, tries = has[live], orbit[live], tries[live]
        parts = [
            orbits(int(rows.group[r]))[rows.rows[r][o] - rows.start[r]]
            for r, o in zip(has, orbit, strict=True)
        ]
        most = max(len(part.rotations) for part in parts)
        rotations, translations = np.zeros((has.size, most, 3, 3)), np.zeros((has.size, most, 3))
        origin, directions = np.zeros((has.size, 3)), np.zeros((has.size, 3, 3))
        for k, part in enumerate(parts):
            rotations[k, : len(part.rotations)] = part.rotations
            translations[k, : len(part.rotations)] = part.translations
            origin[k] = part.origin
            directions[k, : len(part.directions)] = part.directions
        change, inverse = self._change[has], self._inverse[has]
        kind = np.array([rows.kinds[r][o] for r, o in zip(has, orbit, strict=True)])
        scaled, species, filled = self._scaled[has], self._species[has], self._filled[has]
        taken[live] = first_clear(
            self._cells[has],
            scaled,
            species,
            filled,
            kind,
            np.einsum("ni,nij->nj", origin, inverse),
            directions @ inverse,
            change[:, None] @ rotations @ inverse[:, None],
            translations @ inverse,
            self._limits,
            np.ascontiguousarray(tries),
        )
        self._scaled[has], self._species[has], self._filled[has] = scaled, species, filled
        return taken
