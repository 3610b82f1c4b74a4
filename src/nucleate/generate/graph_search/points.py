"""The search space: points that stand for crystals, drawn from the symmetric prior."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from nucleate.generate.layouts import Layout, build, layout_of
from nucleate.generate.symmetric import (
    CELLS,
    CONTACT_RANGE,
    CONTACT_SHRINK,
    LOG_VOLUME,
    LOG_VOLUME_LIMIT,
    SymmetricGenerator,
)
from nucleate.generate.symmetric_prior import load_prior

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nucleate.crystal.crystal import Crystal
    from nucleate.crystal.space import SearchSpace

Symmetry = Literal["all", "triclinic"]

TRICLINIC_SHARE = 0.02
"""Share of P1 where all space groups are searched; the prior knows groups 2 to 230."""

PLACES = 40
"""Sets of free coordinates tried for an orbit."""

LAYOUT_TRIES = 20
_TRICLINIC = 1


@dataclass(frozen=True, slots=True, eq=False)
class Proposal:
    """What to try: a layout with a cell, and where its orbits may go.

    Attributes
    ----------
    layout : Layout
        Space group and occupied Wyckoff positions.
    shape : ndarray of float64
        Of the conventional cell, see :func:`~nucleate.generate.symmetric_cells.shape_of`.
    log_volume : float
        Logarithm of the volume relative to the expected one.
    free : ndarray of float64, shape (n_orbits, 3), or None
        Free coordinates around which places are tried; None for anywhere.
    spread : float
        Standard deviation of the tries around ``free``; the first try is ``free`` itself.
    """

    layout: Layout
    shape: NDArray[np.float64]
    log_volume: float
    free: NDArray[np.float64] | None = None
    spread: float = 0.05


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """A valid crystal with what it was built from.

    Attributes
    ----------
    layout, shape, log_volume
        As in :class:`Proposal`.
    free : ndarray of float64, shape (n_orbits, 3)
        Free coordinates taken.
    crystal : Crystal
        The crystal.
    orbit : ndarray of int64, shape (n_atoms,)
        First atom of the orbit of each atom.
    energy : float
        Formation energy in eV/atom by the network; NaN before it is evaluated.
    """

    layout: Layout
    shape: NDArray[np.float64]
    log_volume: float
    free: NDArray[np.float64]
    crystal: Crystal
    orbit: NDArray[np.int64]
    energy: float = float("nan")

    @property
    def key(self) -> tuple[int, str]:
        """What distinguishes layouts."""
        return self.layout.group, self.layout.words

    @property
    def vector(self) -> NDArray[np.float64]:
        """Shape, logarithm of the volume and free coordinates in one row."""
        return np.concatenate([self.shape, [self.log_volume], self.free.ravel()])


class PointSpace:
    """Crystals of one composition and number of formula units.

    Lattice, space group and Wyckoff positions with one set of coordinates for each orbit, drawn
    by the prior of :class:`~nucleate.generate.symmetric.SymmetricGenerator`; or P1 alone, as in
    the FUSE2 paper (doi 10.1039/d4fd00094c).

    Parameters
    ----------
    space : SearchSpace
        What is allowed.
    formula_units : int
        Formula units in the cell.
    symmetry : {"all", "triclinic"}
        Space groups 1 to 230, or P1 alone.
    exploration : float
        Share of layouts that leave the prior.
    """

    def __init__(
        self,
        space: SearchSpace,
        formula_units: int,
        *,
        symmetry: Symmetry = "all",
        exploration: float = 0.1,
    ) -> None:
        self.space = space
        self.formula_units = formula_units
        self.symmetry: Symmetry = symmetry
        self.exploration = exploration
        self._prior = load_prior()
        self._symmetric = SymmetricGenerator(space, prior=self._prior)
        composition = space.composition
        self._numbers = np.array(composition.elements, dtype=np.int64)
        self._counts = np.array(list(composition.counts.values()), np.int64) * formula_units
        pairs = np.ix_(self._numbers, self._numbers)
        self._limits = np.ascontiguousarray(space.min_distances[pairs])
        self._usual = np.maximum(self._prior.usual_contacts[pairs], self._limits)
        self._content = None if symmetry == "triclinic" else self._symmetric.content(formula_units)
        self._triclinic = layout_of(
            _TRICLINIC, self._counts[:, None], self._numbers, np.diag(self._limits)
        )

    @property
    def n_atoms(self) -> int:
        """Atoms in the cell."""
        return int(self._counts.sum())

    def draw_layout(self, *, rng: np.random.Generator) -> Layout:
        """Return a random layout."""
        content = self._content
        if content is None or content.shares.sum() == 0.0 or rng.random() < TRICLINIC_SHARE:
            return self._triclinic
        explore = bool(rng.random() < self.exploration)
        shares = content.flat_shares if explore else content.shares
        group = int(rng.choice(shares.size, p=shares))
        occupied = self._symmetric.draw_assignment(content, group, explore=explore, rng=rng)
        return self._symmetric.layout(group, occupied)

    def draw_shape(self, layout: Layout, *, rng: np.random.Generator) -> NDArray[np.float64]:
        """Return the shape of a random cell for a layout."""
        for _ in range(LAYOUT_TRIES):
            shape = self._prior.cells.draw_shape(layout.group, layout.n_atoms, rng=rng)
            if shape is not None:
                return shape
        return np.zeros(layout.shape_size)

    def draw_log_volume(self, *, rng: np.random.Generator) -> float:
        """Return a random logarithm of the volume relative to the expected one."""
        return self.clipped_log_volume(float(rng.normal(*LOG_VOLUME)))

    def clipped_log_volume(self, log_volume: float) -> float:
        """Return the nearest logarithm that the volume window allows."""
        low, high = np.log(np.maximum(self.space.volume_window, 1e-6))
        return float(
            np.clip(log_volume, max(low, -LOG_VOLUME_LIMIT), min(high, 2.0 * LOG_VOLUME_LIMIT))
        )

    def draw(self, *, rng: np.random.Generator) -> Proposal:
        """Return a random proposal."""
        layout = self.draw_layout(rng=rng)
        return Proposal(layout, self.draw_shape(layout, rng=rng), self.draw_log_volume(rng=rng))

    def realise(self, proposal: Proposal, *, rng: np.random.Generator) -> Sample | None:
        """Build the crystal of a proposal; None if no try keeps the space's limits.

        Contacts are first checked against the usual ones of the elements, then against shorter
        ones, but never below the minimum distances of the space.
        """
        layout = proposal.layout
        volume = self.n_atoms * self.space.composition.volume_per_atom * np.exp(proposal.log_volume)
        strictness = rng.uniform(*CONTACT_RANGE)
        for _ in range(CELLS):
            limits = np.maximum(strictness * self._usual, self._limits)
            built = build(layout, proposal.shape, volume, limits, _rolls(proposal, rng))
            if built is not None and self.space.rejection(built.crystal) is None:
                return Sample(
                    layout,
                    proposal.shape,
                    proposal.log_volume,
                    built.free,
                    built.crystal,
                    built.orbit,
                )
            strictness *= CONTACT_SHRINK
        return None


def _rolls(proposal: Proposal, rng: np.random.Generator) -> NDArray[np.float64]:
    size = (len(proposal.layout.parts), PLACES, 3)
    if proposal.free is None:
        return rng.random(size)
    spread = proposal.spread * np.linspace(0.0, 2.0, PLACES)[:, None]
    return (proposal.free[:, None] + spread * rng.standard_normal(size)) % 1.0
