"""Random layered structures built from sub-modules: the FUSE method's own generator."""

from __future__ import annotations

from math import ceil, floor
from typing import TYPE_CHECKING

import numpy as np

from nucleate.blocks.blocks import grid_indices
from nucleate.blocks.lattices import Shape, draw_shape, draw_stacking
from nucleate.blocks.motifs import SITES
from nucleate.crystal.candidate import Candidate, Origin
from nucleate.crystal.crystal import Crystal
from nucleate.generate.generator import Generator

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nucleate.crystal.space import SearchSpace

SITES_PER_MODULE = len(SITES)
VOLUME_SPREAD = (0.9, 1.25)
ATOMS_PER_MODULE = (0.8, 4.0)
MOST_CROWDED = 0.5
ATTEMPTS_AT_ONE_SIZE = 50
SIZES_TRIED = 5


class BlocksGenerator(Generator):
    """Stacks of flat square or hexagonal nets with random occupations.

    The generator of the FUSE method (doi 10.1039/d4fd00094c) in another order: the number of
    formula units comes first (uniform), then a lattice, a grid of sub-modules that can hold the
    atoms, and a volume near the expected one, to which the sub-modules are stretched. Atoms are
    then placed one after the other on the motif sites, each on a random site that keeps the minimum
    distances. Where the composition has oxidation states, cations come first, on the origin sites
    of the sub-modules as far as there are enough, then the anions; without them the order is
    random. A sub-module gets atoms elsewhere only once its origin is occupied, so each holds one
    of the eight motifs or nothing.

    Parameters
    ----------
    space : SearchSpace
        What is allowed.
    rattle : float
        Standard deviation in Å of a random displacement of every atom, which lets a relaxation
        leave the flat layers.
    """

    name = "blocks"

    def __init__(self, space: SearchSpace, *, rattle: float = 0.05) -> None:
        self.space = space
        self.rattle = rattle
        composition = space.composition
        states = composition.oxidation_states
        self._counts = np.array(list(composition.counts.values()))
        self._elements = np.array(composition.elements)
        self._limits = space.min_distances[np.ix_(self._elements, self._elements)]
        self._volume_per_atom = composition.volume_per_atom
        self._size = composition.submodule_size
        self._cations = (
            None if states is None else np.array([states[s] > 0 for s in composition.counts])
        )

    def generate(
        self, *, rng: np.random.Generator, max_formula_units: int | None = None
    ) -> Candidate | None:
        """Return a new candidate, or None if every attempt broke the space's limits.

        Parameters
        ----------
        rng
            The only source of randomness.
        max_formula_units
            Upper limit of formula units for this draw; None means the space's own limit.
        """
        allowed = [
            units
            for units in self.space.formula_units
            if max_formula_units is None or units <= max_formula_units
        ]
        if not allowed:
            return None
        for _ in range(SIZES_TRIED):
            units = allowed[rng.integers(len(allowed))]
            for _ in range(ATTEMPTS_AT_ONE_SIZE):
                candidate = self.attempt(units, rng=rng)
                if candidate is not None:
                    return candidate
        return None

    def attempt(self, formula_units: int, *, rng: np.random.Generator) -> Candidate | None:
        """Try once to build a crystal of this many formula units; None if it breaks a limit."""
        n_atoms = formula_units * self.space.composition.n_atoms
        fewest, most = ATOMS_PER_MODULE
        sizes = range(ceil(n_atoms / most), max(floor(n_atoms / fewest), 2) + 1)
        shape = draw_shape(sizes, rng=rng)
        if shape is None:
            return None
        low, high = np.clip(VOLUME_SPREAD, *self.space.volume_window)
        volume = n_atoms * self._volume_per_atom * rng.uniform(low, high)
        cell = shape.cell(volume)
        crystal = self._occupy(stacked_sites(shape, rng=rng), cell, formula_units, rng=rng)
        if crystal is None or self.space.rejection(crystal) is not None:
            return None
        detail: dict[str, str | int | float] = {
            "lattice": shape.lattice,
            "grid": "x".join(map(str, shape.grid)),
            "formula_units": formula_units,
            "stretch": round(float(np.linalg.norm(cell[0]) / (shape.grid[0] * self._size)), 3),
        }
        return Candidate(crystal, Origin(self.name, detail=detail))

    def _occupy(
        self,
        sites: NDArray[np.float64],
        cell: NDArray[np.float64],
        formula_units: int,
        *,
        rng: np.random.Generator,
    ) -> Crystal | None:
        from nucleate.blocks.placement import SiteBoard
        from nucleate.blocks.repulsion import push_apart

        is_origin = np.arange(len(sites)) % SITES_PER_MODULE == 0
        needs = np.arange(len(sites)) // SITES_PER_MODULE * SITES_PER_MODULE
        kinds = rng.permutation(
            np.repeat(np.arange(self._counts.size), formula_units * self._counts)
        )
        rank = np.zeros((self._counts.size, len(sites)), dtype=np.int64)
        if self._cations is not None:
            kinds = kinds[np.argsort(~self._cations[kinds], kind="stable")]
            rank[np.ix_(self._cations, ~is_origin)] = 1
        board = SiteBoard(sites, cell, self._limits)
        chosen = board.fill(kinds, rng=rng, rank=rank, needs=needs, floor=MOST_CROWDED)
        if chosen is None:
            return None
        order = np.argsort(self._elements[kinds], kind="stable")
        kinds = kinds[order]
        displacement = rng.normal(0.0, self.rattle, (kinds.size, 3))
        start = sites[chosen[order]] + displacement @ np.linalg.inv(cell)
        scaled = push_apart(start, cell, kinds, self._limits)
        return None if scaled is None else Crystal(self._elements[kinds], cell, scaled)


def stacked_sites(shape: Shape, *, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return the fractional coordinates of all motif sites, four for each sub-module.

    Shape (4 * n_modules, 3), wrapped, in the order of :func:`grid_indices`. The layers are
    stacked at random as the lattice prescribes.
    """
    corners = grid_indices(shape.grid).astype(np.float64)
    shifts = draw_stacking(shape.grid[2], shape.angles[2], rng=rng)
    corners[:, :2] += shifts[corners[:, 2].astype(np.int64)]
    sites = (corners[:, None, :] + SITES) / shape.grid
    return sites.reshape(-1, 3) % 1.0
