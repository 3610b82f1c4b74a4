"""Random crystals in space groups 2 to 230, built from Wyckoff positions in primitive cells."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nucleate.crystal.candidate import Candidate, Origin
from nucleate.crystal.symmetry import space_group_symbol
from nucleate.generate.generator import Generator
from nucleate.generate.layouts import Effort, build, layout_of
from nucleate.generate.symmetric_prior import SymmetricPrior, load_prior, positions

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nucleate.crystal.crystal import Crystal
    from nucleate.crystal.space import SearchSpace
    from nucleate.generate.layouts import Layout

ATTEMPTS = 400
"""Assignments tried in a draw."""

ATTEMPTS_AT_ONE_SIZE = 40
"""Assignments tried before the number of formula units is drawn again."""

CELLS = 4
"""Cells tried for an assignment; each one is asked for shorter contacts."""

PLACES = 60
"""Sets of free coordinates tried for an orbit."""

MOST_PAIRS = 100_000_000
"""Pairs of atoms compared in a draw: some seconds of one core. Only cells of many hundred atoms
come near it before the attempts end. It is no time, so a slow machine draws the same crystals."""

CONTACT_RANGE = (0.80, 1.00)
"""First minimum distance asked for, relative to the usual shortest contact of the pair."""

CONTACT_SHRINK = 0.93
"""Factor on the minimum distances from one cell to the next."""

LOG_VOLUME = (0.02, 0.10)
"""Mean and standard deviation of the logarithm of the volume relative to the expected one."""

LOG_VOLUME_LIMIT = 0.25

FRESH_PER_FREEDOM = 4.0
"""An assignment with f free coordinates and cell parameters is drawn this often to the power f
before it becomes less likely."""


@dataclass(frozen=True, slots=True, eq=False)
class _Content:
    """The atoms of one cell and their chances.

    Attributes
    ----------
    counts : ndarray of int64, shape (n_elements,)
    weights : ndarray of float64, shape (n_elements, n_positions)
        Of an orbit of each element on each position of all groups.
    shares, flat_shares : ndarray of float64, shape (231,)
        Probability of each space group: by the prior, and the same for all that fit.
    """

    counts: NDArray[np.int64]
    weights: NDArray[np.float64]
    shares: NDArray[np.float64]
    flat_shares: NDArray[np.float64]


class SymmetricGenerator(Generator):
    """Random crystals with the symmetry, the sites and the cell shapes that real ones have.

    The number of formula units is drawn first, then a space group among those that can hold the
    atoms in their primitive cell, then an assignment of the elements to Wyckoff positions by exact
    weighted sampling, so that no draw is incompatible. All three follow a prior fitted on known
    structures (:mod:`nucleate.generate.symmetric_prior`). A cell of a usual shape and about the
    expected volume and one set of free coordinates for each orbit complete the crystal; contacts
    are checked orbit by orbit, first against the usual contacts of the elements, then against
    shorter ones, and never below the minimum distances of the space. The primitive cell has exactly
    the atoms drawn, and the space group is the one drawn or a supergroup.

    An assignment with few free parameters is soon exhausted: a cubic crystal on fixed positions is
    always the same. Each time such a crystal is taken (:meth:`note`), its assignment becomes less
    likely.

    Parameters
    ----------
    space : SearchSpace
        What is allowed.
    exploration : float
        Share of draws that leave the prior: all space groups that fit are then equally likely,
        and so are all assignments within one.
    prior : SymmetricPrior or None
        None takes the one that is shipped.
    """

    name = "symmetric"

    def __init__(
        self,
        space: SearchSpace,
        *,
        exploration: float = 0.1,
        prior: SymmetricPrior | None = None,
    ) -> None:
        self.space = space
        self.exploration = exploration
        self._prior = prior or load_prior()
        composition = space.composition
        self._numbers = np.array(composition.elements, dtype=np.int64)
        self._per_unit = np.array(list(composition.counts.values()), dtype=np.int64)
        pairs = np.ix_(self._numbers, self._numbers)
        self._limits = np.ascontiguousarray(space.min_distances[pairs])
        self._usual = np.maximum(self._prior.usual_contacts[pairs], self._limits)
        self._content: dict[int, _Content] = {}
        self._taken: Counter[tuple[int, str]] = Counter()

    def generate(
        self, *, rng: np.random.Generator, max_formula_units: int | None = None
    ) -> Candidate | None:
        """Return a random crystal, or None if none was found within the attempts of a draw.

        Parameters
        ----------
        rng
            The only source of randomness.
        max_formula_units
            Upper limit of formula units for this draw; None means the space's own limit.
        """
        allowed = tuple(
            units
            for units in self.space.formula_units
            if max_formula_units is None or units <= max_formula_units
        )
        if not allowed:
            return None
        shares = self._prior.formula_unit_shares(self.space.composition.n_atoms, allowed)
        effort = Effort()
        units = allowed[0]
        for attempt in range(ATTEMPTS):
            if attempt % ATTEMPTS_AT_ONE_SIZE == 0:
                units = allowed[rng.choice(len(allowed), p=shares)]
            candidate = self.attempt(units, rng=rng, effort=effort)
            if candidate is not None:
                return candidate
            if effort.pairs > MOST_PAIRS:
                return None
        return None

    def attempt(
        self, formula_units: int, *, rng: np.random.Generator, effort: Effort | None = None
    ) -> Candidate | None:
        """Draw one assignment with this number of formula units; None if no cell holds it.

        ``effort`` is increased by the pairs of atoms that were compared.
        """
        content = self.content(formula_units)
        explore = bool(rng.random() < self.exploration)
        shares = content.flat_shares if explore else content.shares
        if shares.sum() == 0.0:
            return None
        group = int(rng.choice(shares.size, p=shares))
        occupied = self.draw_assignment(content, group, explore=explore, rng=rng)
        layout = self.layout(group, occupied)
        if rng.random() >= self._freshness(layout):
            return None
        strictness = rng.uniform(*CONTACT_RANGE)
        for _ in range(CELLS):
            limits = np.maximum(strictness * self._usual, self._limits)
            crystal = self._build(layout, limits, rng=rng, effort=effort)
            if crystal is not None:
                detail: dict[str, str | int | float] = {
                    "space_group": space_group_symbol(group),
                    "space_group_number": group,
                    "wyckoff": layout.words,
                    "formula_units": formula_units,
                }
                return Candidate(crystal, Origin(self.name, detail=detail))
            strictness *= CONTACT_SHRINK
        return None

    def note(self, origin: Origin) -> None:
        """Count a candidate that was taken: soon exhausted assignments become less likely."""
        detail = origin.detail
        if detail.get("source", origin.source) == self.name and "wyckoff" in detail:
            self._taken[int(detail["space_group_number"]), str(detail["wyckoff"])] += 1

    def content(self, formula_units: int) -> _Content:
        """Return the chances of all space groups for a number of formula units."""
        found = self._content.get(formula_units)
        if found is None:
            counts = self._per_unit * formula_units
            weights = self._prior.orbit_weights(self._numbers, counts)
            shares = self._prior.group_shares(self._numbers, counts, weights)
            shares = self._restricted(shares)
            fits = (shares > 0.0).astype(np.float64)
            found = _Content(counts, weights, shares, fits / max(fits.sum(), 1.0))
            self._content[formula_units] = found
        return found

    def _restricted(self, shares: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the shares of the groups that the space asks for, which again sum to 1."""
        wanted = self.space.space_groups
        if wanted is None:
            return shares
        kept = np.where(np.isin(np.arange(shares.size), sorted(wanted)), shares, 0.0)
        return kept / kept.sum() if kept.any() else kept

    def draw_assignment(
        self, content: _Content, group: int, *, explore: bool, rng: np.random.Generator
    ) -> NDArray[np.int64]:
        """Return the number of orbits of each element on each position of a group."""
        from nucleate.generate.wyckoff_counting import draw

        places = positions()
        part = places.of(group)
        weights = np.ascontiguousarray(content.weights[:, part])
        if explore:
            weights = np.ones_like(weights)
        size = weights.size + content.counts.size + int(content.counts.sum())
        return draw(
            content.counts,
            places.multiplicity[part],
            places.fixed[part],
            weights,
            rng.random(size),
        )

    def layout(self, group: int, occupied: NDArray[np.int64]) -> Layout:
        """Return the layout of an assignment that :meth:`draw_assignment` drew."""
        return layout_of(group, occupied, self._numbers, np.diag(self._limits))

    def _build(
        self,
        layout: Layout,
        limits: NDArray[np.float64],
        *,
        rng: np.random.Generator,
        effort: Effort | None,
    ) -> Crystal | None:
        shape = self._prior.cells.draw_shape(layout.group, layout.n_atoms, rng=rng)
        if shape is None:
            return None
        volume = layout.n_atoms * self.space.composition.volume_per_atom * self._stretch(rng)
        rolls = rng.random((len(layout.parts), PLACES, 3))
        built = build(layout, shape, volume, limits, rolls, effort=effort)
        if built is None or self.space.rejection(built.crystal) is not None:
            return None
        return built.crystal

    def _stretch(self, rng: np.random.Generator) -> float:
        mean, spread = LOG_VOLUME
        log = np.clip(rng.normal(mean, spread), -LOG_VOLUME_LIMIT, LOG_VOLUME_LIMIT)
        return float(np.clip(np.exp(log), *self.space.volume_window))

    def _freshness(self, layout: Layout) -> float:
        """Return the probability to accept an assignment, given how often it came before."""
        free = int(layout.freedom.sum()) + layout.shape_size
        enough = FRESH_PER_FREEDOM ** min(free, 20)
        return min(1.0, enough / (self._taken[layout.group, layout.words] + 1.0)) ** 2
