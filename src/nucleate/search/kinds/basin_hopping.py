"""Basin hopping: a Metropolis walk from minimum to minimum."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from pydantic import Field, field_validator

from nucleate.crystal.cells import reduced_cell
from nucleate.moves.table import AUTO
from nucleate.search.acceptance import Thermostat
from nucleate.search.drawn import DrawnSearch
from nucleate.search.known import PRECISION
from nucleate.search.proposals import Parent, Proposals
from nucleate.search.settings import MoveChoice, MovingSettings, known_moves

if TYPE_CHECKING:
    from nucleate.crystal.candidate import Candidate
    from nucleate.search.book import Noted
    from nucleate.search.context import SearchContext
    from nucleate.search.record import Record


class BasinHopping(MovingSettings):
    """Moves start from one structure after the other by the Metropolis rule (FUSE's search).

    A step to a known minimum is judged by its enthalpy like any other. Method: doi
    10.1039/d4fd00094c.
    """

    works: ClassVar[tuple[str, ...]] = ("wales1997",)

    temperature: float = Field(
        0.02, gt=0.0, description="Metropolis temperature in eV/atom in the normal phase."
    )
    melt_after: int = Field(
        150, ge=1, description="Structures without one downhill after which the walk melts."
    )
    melt_step: float = Field(
        0.01, ge=0.0, description="Largest rise of the temperature in eV/atom by one rejection."
    )
    melt_ceiling: float = Field(
        0.2, gt=0.0, description="Highest temperature of the melted walk in eV/atom."
    )
    melted_moves: MoveChoice = Field(AUTO, description="Weights of the moves in the melted phase.")

    @field_validator("melted_moves")
    @classmethod
    def _known_melted_moves(cls, choice: MoveChoice) -> MoveChoice:
        return known_moves(choice)

    def build(self, context: SearchContext) -> BasinHoppingSearch:
        """Return the search."""
        return BasinHoppingSearch(self, context)


class BasinHoppingSearch(DrawnSearch):
    """Asks for new structures and for children of the structure that the walk stands on.

    While the initial population is not complete the walk stands on its best.

    Parameters
    ----------
    settings : BasinHopping
        Seed, population, moves, temperatures.
    context : SearchContext
        What the run gives.
    """

    def __init__(self, settings: BasinHopping, context: SearchContext) -> None:
        super().__init__(context, settings.seed)
        self.settings = settings
        self._proposals = Proposals(context, settings, settings.moves, settings.melted_moves)
        self.guide = self._proposals.guide
        self._weights = self._proposals.weights(settings.moves)
        self._melted_weights = self._proposals.weights(settings.melted_moves)
        self._thermostat = Thermostat(
            temperature=settings.temperature,
            rest_temperature=settings.temperature,
            melt_after=settings.melt_after,
            melt_step=settings.melt_step,
            melt_ceiling=settings.melt_ceiling,
            precision=PRECISION,
        )
        self._parent: Parent | None = None

    def accept(self, record: Record, noted: Noted) -> bool:
        """Return whether the walk steps to a structure."""
        accepted = self._accepts(record, noted)
        relaxed = record.relaxed
        if accepted and relaxed is not None:
            self._parent = Parent(record.number, reduced_cell(relaxed.crystal))
        return accepted

    def state(self) -> dict[str, Any]:
        """Return where the walk stands, and its temperature in eV/atom."""
        return {
            "melted": self._thermostat.melted,
            "temperature": self._thermostat.temperature,
            "current": None if self._parent is None else self._parent.number,
        }

    def _accepts(self, record: Record, noted: Noted) -> bool:
        if self._parent is None or record.number < self.settings.population:
            if noted.is_best:
                self._thermostat.restore()
            return noted.is_best
        difference = self._book.known.difference(record, self._parent.number)
        stream = np.random.SeedSequence([self.settings.seed, record.number, 1])
        return self._thermostat.accepts(difference, rng=np.random.default_rng(stream))

    def draw(self, number: int, rng: np.random.Generator) -> Candidate | None:
        """Return a new structure, or a child of the one that the walk stands on."""
        parent = self._parent
        if number < self.settings.population or parent is None or self._proposals.wants_new(rng):
            return self._proposals.new(None, rng=rng)
        weights = self._melted_weights if self._thermostat.melted else self._weights
        return self._proposals.child(parent, weights, None, rng=rng)
