"""Basin hopping: Metropolis walks from minimum to minimum."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from pydantic import Field, field_validator

from nucleate.crystal.candidate import Candidate
from nucleate.crystal.fingerprint import fingerprint, is_duplicate
from nucleate.moves.idle import idle_notes
from nucleate.moves.table import AUTO
from nucleate.search.acceptance import Thermostat
from nucleate.search.book import REDRAWS, REPEATS_IN_A_ROW
from nucleate.search.drawn import DrawnSearch
from nucleate.search.known import PRECISION
from nucleate.search.minima import EQUAL_ENTHALPY
from nucleate.search.proposals import Proposals
from nucleate.search.settings import MoveChoice, MovingSettings, known_moves
from nucleate.search.walk import WALK, Queue, Relaxations, Starts, Walk, walks_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from nucleate.crystal.crystal import Crystal
    from nucleate.search.book import Noted
    from nucleate.search.context import SearchContext
    from nucleate.search.delayed import Step
    from nucleate.search.record import Record
    from nucleate.search.search import Trial


class BasinHopping(MovingSettings):
    """Metropolis walks from minimum to minimum, as FUSE searches.

    A step to a known structure is judged by the enthalpy that this has. A supercell that is its
    parent still is not relaxed: the walk stands on it, and the next move starts from it. Method:
    doi 10.1039/d4fd00094c.
    """

    works: ClassVar[tuple[str, ...]] = ("wales1997",)

    new_fraction: float | None = Field(
        0.0,
        ge=0.0,
        le=1.0,
        description="Fraction of steps that are new structures from the generators; the rest are "
        "moves, two of which take new structures as well.",
    )
    walkers: int = Field(
        8,
        ge=1,
        le=10_000,
        description="Independent walks. Each has one trial at a time, so that fewer walks than the "
        "workers hold crystals leave workers idle. FUSE has one.",
    )
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
    melted_moves: MoveChoice = Field(
        AUTO, description="Weights of the moves in the melted phase; by default those of moves."
    )

    @field_validator("melted_moves")
    @classmethod
    def _known_melted_moves(cls, choice: MoveChoice) -> MoveChoice:
        return known_moves(choice)

    @property
    def when_melted(self) -> MoveChoice:
        """Weights of the moves in the melted phase."""
        return self.moves if self.melted_moves == AUTO else self.melted_moves

    def build(self, context: SearchContext) -> BasinHoppingSearch:
        """Return the search."""
        return BasinHoppingSearch(self, context)


MOVES_TRIED = 12
"""Moves that a step draws before it takes a new structure."""


class BasinHoppingSearch(DrawnSearch):
    """Asks for new structures, then for children of the structures that the walks stand on.

    The walks begin when the initial population is complete and told: the first at the lowest of
    it, the others at the next ones. A walk has one trial at a time, so that its steps are a chain.

    Parameters
    ----------
    settings : BasinHopping
        Seed, population, moves, walks, temperatures.
    context : SearchContext
        What the run gives.
    """

    def __init__(self, settings: BasinHopping, context: SearchContext) -> None:
        super().__init__(context, settings.seed, patience=REDRAWS * REPEATS_IN_A_ROW)
        self.settings = settings
        self._proposals = Proposals(context, settings, settings.moves, settings.when_melted)
        self.guide = self._proposals.guide
        self._weights = self._proposals.weights(settings.moves)
        self._melted_weights = self._proposals.weights(settings.when_melted)
        self._walks = walks_of(settings.walkers, self._new_thermostat)
        self._queue = Queue(settings.walkers)
        self._starts = Starts(context.tiers)
        self._relaxations = Relaxations()
        self._open_starts: set[int] = set()
        self._asking: int | None = None
        self._told: Walk | None = None
        self._steps: dict[int, Step] = {}
        self.bias: Callable[[Record, Step], float] = lambda *_: 0.0
        """Bias of a step to a record, see :mod:`nucleate.search.delayed`; a run that learns a
        surrogate sets it."""

    def ask(self) -> Trial | None:
        """Return what to try next; None while every walk waits for an answer."""
        self._asking = None
        if not self._wants_start():
            if self._open_starts:
                return None
            self._starts.begin(self._walks)
            self._asking = self._queue.first()
            if self._asking is None:
                return None
        self.takes_repeats = self._asking is not None
        return super().ask()

    @property
    def waits(self) -> bool:
        """Whether nothing can be asked for before an answer."""
        if self._wants_start():
            return False
        return bool(self._open_starts) or self._queue.first() is None

    def notes(self, capacity: int) -> list[str]:
        """Return what is to be said of idle moves, and of the number of walks asked for.

        Parameters
        ----------
        capacity
            Crystals that the workers relax at a time.
        """
        count, population = self.settings.walkers, self.settings.population
        lines = idle_notes("search.moves", self.settings.moves, self.context.space)
        lines += idle_notes("search.melted_moves", self.settings.melted_moves, self.context.space)
        if count > population:
            lines.append(
                f"search.walkers = {count} is more than search.population = {population}: several "
                f"walks begin at the same structure. Lower it to {population}, or raise the "
                "population."
            )
        if "walkers" not in self.settings.model_fields_set or count == capacity:
            return lines
        key = f"search.walkers = {count}: the workers "
        if count > capacity:
            lines.append(
                f"{key}relax {capacity} structures at a time, so the walks take turns and each is "
                f"shorter. Lower it to {capacity}, or give more workers."
            )
        else:
            lines.append(
                f"{key}could relax {capacity} structures at a time, and each walk has one. Raise "
                f"it to {capacity} to keep them busy."
            )
        return lines

    def begin(self, trial: Trial) -> None:
        """Take note that a walk has a trial, or that a start is under way."""
        walk = _walk_of(trial.candidate)
        if walk is None:
            self._open_starts.add(trial.number)
            return
        self._starts.begin(self._walks)
        self._queue.take(walk)
        if walk < len(self._walks) and (step := self._walks[walk].step) is not None:
            self._steps[trial.number] = step

    def draw(self, number: int, rng: np.random.Generator) -> Candidate | None:
        """Return a new structure, or a child of the one that the walk stands on."""
        del number
        if self._asking is None:
            return self._proposals.new(None, rng=rng)
        candidate = self._step(self._walks[self._asking], rng)
        if candidate is None:
            return None
        detail = {**candidate.origin.detail, WALK: self._asking}
        return Candidate(candidate.crystal, replace(candidate.origin, detail=detail))

    def _step(self, walk: Walk, rng: np.random.Generator) -> Candidate | None:
        parent = walk.parent
        if parent is not None and not self._proposals.wants_new(rng):
            weights = self._melted_weights if walk.thermostat.melted else self._weights
            for _ in range(MOVES_TRIED):
                child = self._proposals.child(parent, weights, None, rng=rng)
                if child is not None:
                    return child
        return self._proposals.new(None, rng=rng)

    def accept(self, record: Record, noted: Noted) -> bool:
        """Return whether a walk steps to a structure that was relaxed."""
        crystal = self._relaxations.add(record)
        walk = self._answered(record)
        if walk is None:
            self._starts.add(record, is_new=noted.duplicate_of is None)
            return noted.is_best
        difference = None
        if walk.level is not None:
            difference = self._book.known.difference(record, walk.level)
        is_level = difference is not None and abs(difference) < EQUAL_ENTHALPY
        if crystal is not None and is_level and _is_larger(record.candidate.crystal, walk):
            walk.stand(record.number, crystal)
            return True
        step = walk.step
        bias = 0.0 if step is None or crystal is None else self.bias(record, step)
        return self._judge(walk, record.number, record.number, crystal, difference, bias)

    def pass_over(self, record: Record) -> None:
        """Let a walk stay: a surrogate refused its step, in the first of two stages."""
        walk = self._answered(record)
        if walk is not None and walk.parent is not None:
            walk.thermostat.accepts(None, rng=self._stream(record.number))

    def step_of(self, number: int) -> Step | None:
        """Return the step of which a candidate under way is the trial; None for no step."""
        return self._steps.get(number)

    def repeat(self, record: Record, known: int) -> bool:
        """Return whether a walk steps to a structure that is known and was not relaxed."""
        walk = self._answered(record)
        if walk is None or walk.parent is None or walk.level is None:
            return False
        child = record.candidate.crystal
        if _is_larger(child, walk):
            walk.stand(record.number, child, walk.level)
            return True
        difference = self._book.known.gap(known, walk.level)
        crystal = self._relaxations.of(known)
        return self._judge(walk, record.number, known, crystal, difference)

    def _judge(
        self,
        walk: Walk,
        number: int,
        level: int,
        crystal: Crystal | None,
        gap: float | None,
        bias: float = 0.0,
    ) -> bool:
        """Return whether a walk steps to a crystal, by the Metropolis rule; let it."""
        if walk.parent is None:
            accepted = crystal is not None
        else:
            gap = gap if crystal is not None else None
            accepted = walk.thermostat.accepts(gap, rng=self._stream(number), bias=bias)
        if accepted and crystal is not None:
            walk.stand(number, crystal, level)
        return accepted

    def _stream(self, number: int) -> np.random.Generator:
        return np.random.default_rng(np.random.SeedSequence([self.settings.seed, number, 1]))

    def state(self) -> dict[str, Any]:
        """Return whose enthalpy the last walk has, and its temperature in eV/atom."""
        walk = self._told
        if walk is None:
            temperature, current, melted = self.settings.temperature, self._starts.lowest, False
        else:
            temperature, melted = walk.thermostat.temperature, walk.thermostat.melted
            current = walk.level
        return {"melted": melted, "temperature": temperature, "current": current}

    def _answered(self, record: Record) -> Walk | None:
        """Return the walk whose trial a record is; None for a start."""
        place = _walk_of(record.candidate)
        self._open_starts.discard(record.number)
        self._steps.pop(record.number, None)
        self._told = None
        if place is None or place >= len(self._walks):
            return None
        self._starts.begin(self._walks)
        self._queue.put_back(place)
        self._told = self._walks[place]
        return self._told

    def _wants_start(self) -> bool:
        """Return whether the initial population, or what leads it, is still to be asked for.

        What begins to lead later is drawn by the walks.
        """
        leads = bool(getattr(self.context.generator, "leads", False)) and not self._starts.is_closed
        return self._book.next_number < self.settings.population or leads

    def _new_thermostat(self) -> Thermostat:
        settings = self.settings
        return Thermostat(
            temperature=settings.temperature,
            rest_temperature=settings.temperature,
            melt_after=settings.melt_after,
            melt_step=settings.melt_step,
            melt_ceiling=settings.melt_ceiling,
            precision=PRECISION,
        )


def _walk_of(candidate: Candidate) -> int | None:
    place = candidate.origin.detail.get(WALK)
    return int(place) if place is not None else None


def _is_larger(child: Crystal, walk: Walk) -> bool:
    """Return whether a child is what its walk stands on, in a larger cell."""
    if walk.parent is None or child.n_atoms <= walk.parent.crystal.n_atoms:
        return False
    return is_duplicate(fingerprint(child), fingerprint(walk.parent.crystal))
