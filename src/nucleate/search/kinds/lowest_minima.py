"""Children of the lowest distinct minima, in cells of all sizes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from nucleate.moves.idle import idle_notes
from nucleate.search.drawn import DrawnSearch
from nucleate.search.lowest import Minima
from nucleate.search.proposals import Proposals
from nucleate.search.settings import MovingSettings

if TYPE_CHECKING:
    import numpy as np

    from nucleate.crystal.candidate import Candidate
    from nucleate.search.book import Noted
    from nucleate.search.context import SearchContext
    from nucleate.search.memo import Memo
    from nucleate.search.record import Record
    from nucleate.search.search import Trial


class LowestMinima(MovingSettings):
    """Moves start from the distinct minima found, low ones more often, at every size of the cell.

    Every child has an upper bound on its number of formula units, drawn uniformly from the allowed
    values, so that no size takes all the work. New structures have the sizes that their generators
    find likely.
    """

    def build(self, context: SearchContext) -> LowestMinimaSearch:
        """Return the search."""
        return LowestMinimaSearch(self, context)


class LowestMinimaSearch(DrawnSearch):
    """Asks for new structures and for children of the lowest minima.

    Parameters
    ----------
    settings : LowestMinima
        Seed, population, moves.
    context : SearchContext
        What the run gives.
    """

    def __init__(self, settings: LowestMinima, context: SearchContext) -> None:
        super().__init__(context, settings.seed)
        self.settings = settings
        self._units = context.space.formula_units
        self._proposals = Proposals(context, settings, settings.moves)
        self.guide = self._proposals.guide
        self._weights = self._proposals.weights(settings.moves)
        self._minima = Minima(context.tiers, context.space.composition.n_atoms)
        self._n_primitive = 0

    def notes(self, capacity: int) -> list[str]:
        """Return which moves were given a weight and can change nothing."""
        del capacity
        return idle_notes("search.moves", self.settings.moves, self.context.space)

    def begin(self, trial: Trial) -> None:
        """Count the children of each minimum."""
        for parent in trial.candidate.origin.parents:
            self._minima.note_child(parent)

    def learn(self, record: Record) -> bool:
        """Keep a new minimum."""
        self._n_primitive = self._minima.add(record, n_primitive=self.memo.n_primitive)
        return self._n_primitive > 0

    def accept(self, record: Record, noted: Noted) -> bool:
        """Return whether a record is a new minimum."""
        self._n_primitive = 0
        return super().accept(record, noted)

    def remember(self, memo: Memo) -> Memo:
        """Keep the size of the primitive cell too."""
        return replace(memo, n_primitive=self._n_primitive)

    def state(self) -> dict[str, Any]:
        """Return the lowest minimum."""
        return {"current": self._minima.lowest}

    def draw(self, number: int, rng: np.random.Generator) -> Candidate | None:
        """Return a new structure, or a child of one of the lowest minima."""
        settled = number >= self.settings.population and self._minima.lowest is not None
        if not settled or self._proposals.wants_new(rng):
            return self._proposals.new(None, rng=rng)
        most_units = int(rng.choice(self._units))
        parent = self._minima.pick(most_units, rng=rng)
        if parent is None:
            return self._proposals.new(None, rng=rng)
        return self._proposals.child(parent, self._weights, most_units, rng=rng, in_pairs=True)
