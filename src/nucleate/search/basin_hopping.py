"""Basin hopping in a steady state: `ask` what to try next, `tell` what came of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

import numpy as np

from nucleate.crystal.fingerprint import fingerprint
from nucleate.crystal.known import KnownCrystals
from nucleate.moves.move import MoveContext
from nucleate.moves.propose import propose
from nucleate.moves.table import MOVES, move_weights
from nucleate.search.acceptance import Thermostat
from nucleate.search.minima import NEAR_DISTANCE, is_same_minimum
from nucleate.search.parents import Lowest, News, Walk
from nucleate.search.record import Record, Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nucleate.crystal.candidate import Candidate, Origin
    from nucleate.crystal.crystal import Crystal
    from nucleate.crystal.space import SearchSpace
    from nucleate.moves.move import Move
    from nucleate.search.parents import Parents
    from nucleate.search.settings import MoveChoice, SearchSettings
    from nucleate.search.target import Target

PRECISION = 1e-5
"""eV/atom; smaller differences of enthalpy are none."""

REDRAWS = 12
"""How often `ask` draws again when the candidate repeats one already tried."""

REPEATS_IN_A_ROW = 100
"""Repeated candidates in a row that show that there is nothing new to try."""

IS_ONE_OF_A_LIST = "order"
"""Key in the detail of candidates that are given once, which are recorded even if they repeat."""

SMALL_CELL, LARGE_CELL = 20, 50
"""Atoms between which the default fraction of fresh structures falls."""

FRESH_SMALL, FRESH_LARGE = 0.7, 0.3


@dataclass(frozen=True, slots=True)
class Trial:
    """A candidate to try.

    Attributes
    ----------
    number : int
        Candidate number.
    candidate : Candidate
        The crystal and its origin.
    duplicate_of : int or None
        Number of a record with this starting geometry or minimum: then it is not to be relaxed.
    """

    number: int
    candidate: Candidate
    duplicate_of: int | None = None


class Source(Protocol):
    """Where new structures come from."""

    def generate(
        self, *, rng: np.random.Generator, max_formula_units: int | None = None
    ) -> Candidate | None:
        """Return a new candidate, or None."""
        ...

    def note(self, origin: Origin) -> None:
        """Take note of a candidate that was taken, in this session or before an interruption."""
        ...


class BasinHopping:
    """What to try next, given what came of everything before.

    Candidates are a function of the seed, their number and the records told before, so a search
    is resumed by telling it its records again. Several trials may be in flight: `ask` needs no
    answer to the trials before.

    Parameters
    ----------
    space : SearchSpace
        What is allowed.
    generator : Source
        Source of the initial population and of fresh structures.
    settings : SearchSettings
        Weights, temperatures, seed and stopping rules.
    tiers : sequence of str
        Names of the tiers of the ladder, cheapest first.
    target : Target, optional
        Structure to stop at.
    """

    def __init__(
        self,
        space: SearchSpace,
        generator: Source,
        settings: SearchSettings,
        *,
        tiers: Sequence[str],
        target: Target | None = None,
    ) -> None:
        self.settings = settings
        self._space = space
        self._generator = generator
        self._tiers = tuple(tiers)
        self._target = target
        self._contexts: dict[int | None, MoveContext] = {}
        self._weights = _probabilities(settings.moves)
        self._melted_weights = _probabilities(settings.melted_moves)
        self._fresh_fraction = _fresh_fraction(settings, space)
        self._thermostat = Thermostat(
            temperature=settings.temperature,
            rest_temperature=settings.temperature,
            melt_after=settings.melt_after,
            melt_step=settings.melt_step,
            melt_ceiling=settings.melt_ceiling,
            precision=PRECISION,
        )
        self._parents: Parents = (
            Walk(self._thermostat)
            if settings.parents == "walk"
            else Lowest(self._tiers, space.composition.n_atoms)
        )
        self._starts = KnownCrystals()
        self._minima = KnownCrystals()
        self._asked: set[int] = set()
        self._next = 0
        self._enthalpies: dict[int, dict[str, float]] = {}
        self._repeats_in_a_row = 0
        self._target_found = False
        self.best: Record | None = None
        self.n_structures = 0
        self.n_repeats = 0
        self.since_best = 0

    def ask(self) -> Trial | None:
        """Return what to try next, or None if nothing valid could be drawn."""
        number = self._next
        rng = np.random.default_rng(np.random.SeedSequence([self.settings.seed, number]))
        repeated: Trial | None = None
        for _ in range(REDRAWS):
            candidate = self._draw(number, rng=rng)
            if candidate is None:
                continue
            print_ = fingerprint(candidate.crystal)
            seen = self._starts.matches(print_) | self._minima.matches(print_)
            trial = Trial(number, candidate, min(seen) if seen else None)
            if not seen or IS_ONE_OF_A_LIST in candidate.origin.detail:
                self._note_trial(trial, None if seen else print_)
                return trial
            repeated = repeated or trial
        if repeated is not None:
            self._note_trial(repeated, None)
        return repeated

    def restore(self, trial: Trial) -> None:
        """Take note of a trial that was asked for before the run was interrupted."""
        if trial.number not in self._asked:
            fresh = trial.duplicate_of is None
            self._note_trial(trial, fingerprint(trial.candidate.crystal) if fresh else None)

    def tell(self, record: Record) -> Verdict:
        """Take note of a finished record and decide whether the walk goes on from it."""
        repeats_start = record.duplicate_of is not None and not record.outcomes
        self.restore(
            Trial(record.number, record.candidate, record.duplicate_of if repeats_start else None)
        )
        if repeats_start:
            self.n_repeats += 1
            self._repeats_in_a_row += 1
            return self._verdict(duplicate_of=record.duplicate_of)
        self.n_structures += 1
        self._repeats_in_a_row = 0
        duplicate_of = self._remember(record)
        new_minimum = duplicate_of is None and self._improves(record)
        self.since_best = 0 if new_minimum else self.since_best + 1
        if new_minimum or self._is_better_copy_of_best(record, duplicate_of):
            self.best = record
        accepted = self._accepts(record, duplicate_of)
        is_target = self._is_target(record)
        self._target_found = self._target_found or is_target
        return self._verdict(
            accepted=accepted,
            new_minimum=new_minimum,
            duplicate_of=duplicate_of,
            is_target=is_target,
        )

    def stop_reason(self) -> str | None:
        """Return why the search is over, or None if it is not."""
        limits = self.settings
        if self._target_found:
            return "the target structure was found"
        if limits.structures is not None and self.n_structures >= limits.structures:
            return f"{self.n_structures} structures were relaxed"
        if self.since_best >= limits.rmax:
            return f"{self.since_best} structures since the last new minimum"
        return None

    @property
    def is_exhausted(self) -> bool:
        """Whether nothing new was drawn for long, until something in flight changes that."""
        return self._repeats_in_a_row >= REPEATS_IN_A_ROW

    def _note_trial(self, trial: Trial, print_: np.ndarray | None) -> None:
        self._generator.note(trial.candidate.origin)
        for parent in trial.candidate.origin.parents:
            self._parents.note_child(parent)
        self._asked.add(trial.number)
        self._next = max(self._next, trial.number + 1)
        if print_ is not None:
            self._starts.add(trial.number, print_)

    def _draw(self, number: int, *, rng: np.random.Generator) -> Candidate | None:
        most_units = self._size_limit(rng)
        settled = number >= self.settings.population and self._parents.current is not None
        if not settled or rng.random() < self._fresh_fraction:
            return self._generator.generate(rng=rng, max_formula_units=most_units)
        parent = self._parents.pick(most_units, rng=rng)
        if parent is None:
            return self._generator.generate(rng=rng, max_formula_units=most_units)
        context = self._context(most_units)
        weights = self._melted_weights if self._thermostat.melted else self._weights
        move = _applicable_move(weights, parent.crystal, context, rng=rng)
        if move is None:
            return self._generator.generate(rng=rng, max_formula_units=most_units)
        return propose(move, parent.crystal, context=context, rng=rng, parents=(parent.number,))

    def _size_limit(self, rng: np.random.Generator) -> int | None:
        """Draw the most formula units of a trial.

        All sizes are alike as limits, so small cells, which cost little, are tried more often
        than large ones and all of them get about the same work.
        """
        if not self._parents.balances_sizes:
            return None
        return int(rng.choice(self._space.formula_units))

    def _context(self, most_units: int | None) -> MoveContext:
        """Return what moves may use where no child may have more formula units than this."""
        if most_units not in self._contexts:
            space = self._space
            if most_units is not None:
                units = tuple(n for n in space.formula_units if n <= most_units)
                atoms = min(space.max_atoms, most_units * space.composition.n_atoms)
                space = replace(space, formula_units=units, max_atoms=atoms)

            def fresh(limit: int | None, rng: np.random.Generator) -> Candidate | None:
                limits = [n for n in (limit, most_units) if n is not None]
                return self._generator.generate(
                    rng=rng, max_formula_units=min(limits, default=None)
                )

            self._contexts[most_units] = MoveContext(space, fresh)
        return self._contexts[most_units]

    def _remember(self, record: Record) -> int | None:
        """Add a relaxed crystal to the known minima; return which one it repeats, if any."""
        relaxed = record.relaxed
        if relaxed is None:
            return None
        self._enthalpies[record.number] = record.enthalpies()
        print_ = fingerprint(relaxed.crystal)
        for known, distance in self._minima.matches(print_, within=NEAR_DISTANCE).items():
            difference = self._difference(record, known)
            if difference is not None and is_same_minimum(distance, difference):
                return known
        self._minima.add(record.number, print_)
        return None

    def _difference(self, record: Record, other: int) -> float | None:
        """Return the enthalpy less that of another record, in eV/atom, on their last common tier.

        None where they have no tier in common.
        """
        ours, theirs = self._enthalpies.get(record.number, {}), self._enthalpies.get(other, {})
        for tier in reversed(self._tiers):
            if tier in ours and tier in theirs:
                return ours[tier] - theirs[tier]
        return None

    def _improves(self, record: Record) -> bool:
        if record.tier is None:
            return False
        if self.best is None or self.best.tier is None:
            return True
        ours, best = (self._tiers.index(tier) for tier in (record.tier, self.best.tier))
        if ours != best:
            return ours > best
        difference = self._difference(record, self.best.number)
        return difference is not None and difference < -PRECISION

    def _is_better_copy_of_best(self, record: Record, duplicate_of: int | None) -> bool:
        return duplicate_of is not None and self._improves(record)

    def _accepts(self, record: Record, duplicate_of: int | None) -> bool:
        """Let the parents of the moves know; return whether moves start from the record now."""
        current = self._parents.current
        news = News(
            record,
            is_best=self.best is not None and self.best.number == record.number,
            is_known=duplicate_of is not None,
            is_of_population=record.number < self.settings.population,
            difference=None if current is None else self._difference(record, current),
        )
        stream = np.random.SeedSequence([self.settings.seed, record.number, 1])
        return self._parents.tell(news, rng=np.random.default_rng(stream))

    def _is_target(self, record: Record) -> bool:
        relaxed = record.relaxed
        if self._target is None or relaxed is None:
            return False
        return self._target.is_met_by(relaxed.crystal)

    def _verdict(
        self,
        *,
        accepted: bool = False,
        new_minimum: bool = False,
        duplicate_of: int | None = None,
        is_target: bool = False,
    ) -> Verdict:
        return Verdict(
            accepted=accepted,
            new_minimum=new_minimum,
            duplicate_of=duplicate_of,
            melted=self._thermostat.melted,
            temperature=self._thermostat.temperature,
            current=self._parents.current,
            best=None if self.best is None else self.best.number,
            is_target=is_target,
        )


def _probabilities(choice: MoveChoice) -> np.ndarray:
    weights = move_weights(choice)
    return np.array([weights[move.name] for move in MOVES])


def _fresh_fraction(settings: SearchSettings, space: SearchSpace) -> float:
    if settings.fresh is not None:
        return settings.fresh
    position = (space.max_atoms - SMALL_CELL) / (LARGE_CELL - SMALL_CELL)
    return FRESH_SMALL + (FRESH_LARGE - FRESH_SMALL) * min(max(position, 0.0), 1.0)


def _applicable_move(
    weights: np.ndarray, parent: Crystal, context: MoveContext, *, rng: np.random.Generator
) -> Move | None:
    applies = np.array([bool(move.applies(parent, context)) for move in MOVES])
    chances = weights * applies
    total = chances.sum()
    return MOVES[rng.choice(len(MOVES), p=chances / total)] if total > 0 else None
