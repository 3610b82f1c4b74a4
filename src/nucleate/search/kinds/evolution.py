"""Evolution: heredity and mutations among the lowest distinct minima, in a steady state."""

from __future__ import annotations

from dataclasses import replace
from math import inf
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from pydantic import Field, field_validator, model_validator

from nucleate.crystal.candidate import MOVE, Candidate, Origin
from nucleate.errors import InputError
from nucleate.moves.idle import restriction_of
from nucleate.moves.move import MoveContext
from nucleate.moves.propose import propose
from nucleate.moves.size import stacked
from nucleate.moves.table import move_named
from nucleate.search.breeding.credit import Credit
from nucleate.search.breeding.gene_pool import GenePool
from nucleate.search.breeding.heredity import heredity
from nucleate.search.breeding.mutations import permutation, soft_mutation, strain
from nucleate.search.drawn import DrawnSearch
from nucleate.search.guide import NEW
from nucleate.search.proposals import within_units
from nucleate.search.settings import SearchSettings

if TYPE_CHECKING:
    from nucleate.crystal.crystal import Crystal
    from nucleate.search.book import Noted
    from nucleate.search.context import SearchContext
    from nucleate.search.proposals import Parent
    from nucleate.search.record import Record
    from nucleate.search.search import SearchProgress, Trial

OPERATORS = {"heredity": 0.5, "permutation": 0.15, "strain": 0.15, "soft-mutation": 0.2}
"""Operators and their default weights."""

SYMMETRY_MOVES = (
    "act-in-subgroup",
    "move-along-freedom",
    "climb-to-supergroup",
    "descend-in-symmetry",
    "move-rigid-unit",
)
"""Moves that serve as operators where they are given a weight."""

IN_SPACE_GROUPS = {
    "act-in-subgroup": 0.4,
    "move-along-freedom": 0.2,
    "climb-to-supergroup": 0.2,
    "descend-in-symmetry": 0.2,
}
WITH_MOTIF = {"move-rigid-unit": 1.0}
"""Weights in place of the default ones where the space is restricted; the default operators move
atoms singly, and hardly a child of theirs keeps a space group or a motif."""

MUTATIONS = {
    "permutation": permutation,
    "strain": strain,
    "soft-mutation": soft_mutation,
}
"""Operators on one parent."""

LARGER = 0.15
"""Chance of a mutation in a doubled cell, where that is in the search space."""

TRIES = 4
"""Operators that a trial draws before it takes a new structure."""


class Evolution(SearchSettings):
    """Heredity and mutations among the lowest distinct minima, as USPEX and XtalOpt search.

    There are no generations: each trial takes its parents from what is known when it is drawn.
    Methods: A. R. Oganov and C. W. Glass, J. Chem. Phys. 124, 244704 (2006); A. O. Lyakhov et al.,
    Comput. Phys. Commun. 184, 1172 (2013); D. C. Lonie and E. Zurek, ibid. 182, 372 (2011).
    """

    works: ClassVar[tuple[str, ...]] = ("oganov2006", "lyakhov2013", "lonie2011")

    pool: int = Field(20, ge=2, le=10_000, description="Distinct minima that are parents.")
    selection: Literal["tournament", "rank"] = Field(
        "tournament",
        description="How parents are chosen: tournament, the lowest of a few drawn at random; "
        "rank, with chances that fall linearly with the rank.",
    )
    tournament: int = Field(3, ge=2, le=10_000, description="Minima drawn for a tournament.")
    niche_distance: float = Field(
        0.1,
        ge=0.0,
        lt=2.0,
        description="Fingerprint distance within which only the lowest minimum is a parent.",
    )
    elites: int = Field(4, ge=0, description="Lowest minima that remain parents in any case.")
    most_children: int = Field(
        30, ge=1, description="Children after which another minimum takes the place of a parent."
    )
    new_fraction: float = Field(
        0.25, ge=0.0, lt=1.0, description="Fraction of new structures from the generators."
    )
    operators: dict[str, float] = Field(
        default_factory=lambda: dict(OPERATORS),
        description="Weights of heredity, permutation, strain and soft-mutation; those that are "
        "not named keep theirs, 0 switches one off. The moves act-in-subgroup, move-along-freedom, "
        "climb-to-supergroup, descend-in-symmetry and move-rigid-unit are off unless they are "
        "named, or the space is restricted to space groups or a motif.",
    )
    learn: bool = Field(
        True, description="Operators whose children become parents are used more often."
    )

    @field_validator("operators")
    @classmethod
    def _known_operators(cls, given: dict[str, float]) -> dict[str, float]:
        for name, weight in given.items():
            if name not in (*OPERATORS, *SYMMETRY_MOVES):
                known = ", ".join((*OPERATORS, *SYMMETRY_MOVES))
                raise ValueError(f"{name!r} is not an operator; use some of {known}")
            if not 0.0 <= weight < inf:
                raise ValueError(f"{name} = {weight} is not a weight; give a number from 0 on")
        weights = {**OPERATORS, **given}
        if not any(weights.values()):
            raise ValueError("all weights are 0; give at least one operator a positive weight")
        return weights

    @model_validator(mode="after")
    def _no_key_without_effect(self) -> Evolution:
        if self.selection == "rank" and self.tournament != 3:
            raise ValueError("tournament has no effect where selection = 'rank'; leave it out")
        if self.elites > self.pool:
            raise ValueError(f"elites = {self.elites} is more than pool = {self.pool}; lower it")
        return self

    def build(self, context: SearchContext) -> EvolutionSearch:
        """Return the search; raises InputError if no operator can act on the composition."""
        return EvolutionSearch(self, context)


class EvolutionSearch(DrawnSearch):
    """Asks for new structures, and for children of the lowest distinct minima.

    Parameters
    ----------
    settings : Evolution
        Seed, population, selection, operators.
    context : SearchContext
        What the run gives.
    """

    def __init__(self, settings: Evolution, context: SearchContext) -> None:
        super().__init__(context, settings.seed)
        self.settings = settings
        composition = context.space.composition
        self._units = context.space.formula_units
        self._pool = GenePool(
            context.tiers,
            composition.n_atoms,
            size=settings.pool,
            elites=settings.elites,
            most_children=settings.most_children,
            niche_distance=settings.niche_distance,
        )
        self._credit = Credit(_acting(settings, context), learns=settings.learn)
        self._contexts: dict[int, MoveContext] = {}

    def notes(self, capacity: int) -> list[str]:
        """Return which operators the composition or a restriction of the space makes useless."""
        del capacity
        space, given = self.context.space, self.settings.operators
        restriction = restriction_of(space)
        if not restriction:
            is_idle = "permutation" not in self._credit.names and given["permutation"] > 0.0
            if not is_idle or given == OPERATORS:
                return []
            formula = space.composition.formula
            words = f"permutation cannot act on {formula}, which is one element, so that its weight"
            return [f"search.operators: {words} has no effect. Give it weight 0."]
        lost = [name for name in self._credit.names if name in OPERATORS]
        if not lost:
            kept = ", ".join(self._credit.names)
            return [f"search.operators: with {restriction}, children are made by {kept}."]
        remedy = "0" if len(lost) < len(self._credit.names) else f"0, and {_serving(restriction)} 1"
        words = f"hardly a child of {', '.join(lost)} is allowed, and new structures take their"
        return [f"search.operators: with {restriction}, {words} place. Give them weight {remedy}."]

    @property
    def policy_facts(self) -> dict[str, Any]:
        """Generators and operators with their weights, from which the learning can be repeated."""
        new, context = self.settings.new_fraction, self.context
        shares = getattr(context.generator, "shares", None) or {NEW: 1.0}
        own = zip(self._credit.names, self._credit.own.tolist(), strict=True)
        weights = {name: new * share for name, share in shares.items()}
        weights |= {f"{MOVE}{name}": (1.0 - new) * share for name, share in own}
        return {
            "arms": list(weights),
            "weights": list(weights.values()),
            "tiers": list(context.tiers),
            "costs": list(context.costs) or [1.0] * len(context.tiers),
            "start": None,
            "search": self.settings.kind if self.settings.learn else "",
        }

    def begin(self, trial: Trial) -> None:
        """Count the children of each minimum."""
        for parent in trial.candidate.origin.parents:
            self._pool.note_child(parent)

    def learn(self, record: Record) -> bool:
        """Keep a new minimum; return whether it is a parent."""
        return self._pool.add(record)

    def accept(self, record: Record, noted: Noted) -> bool:
        """Return whether a record is a new parent; give its operator credit."""
        self._end(record)
        accepted = super().accept(record, noted)
        self._note_operator(record, success=accepted)
        return accepted

    def pass_over(self, record: Record) -> None:
        """Count the child as one that has ended."""
        self._end(record)

    def repeat(self, record: Record, known: int) -> bool:
        """Take note that an operator made what is known."""
        del known
        self._end(record)
        self._note_operator(record, success=False)
        return False

    @property
    def progress(self) -> SearchProgress:
        """How far the search is, with the chances of the operators."""
        shares = zip(self._credit.names, self._credit.chances().tolist(), strict=True)
        text = ", ".join(f"{name} {100.0 * share:.0f} %" for name, share in shares)
        return replace(super().progress, text=text)

    def state(self) -> dict[str, Any]:
        """Return the lowest minimum."""
        return {"current": self._pool.lowest}

    def draw(self, number: int, rng: np.random.Generator) -> Candidate | None:
        """Return a new structure, or a child of the pool."""
        most_units = int(rng.choice(self._units))
        leads = bool(getattr(self.context.generator, "leads", False))
        is_settled = number >= self.settings.population and not leads
        if is_settled and rng.random() >= self.settings.new_fraction:
            parents = self._pool.breeding(most_units)
            for _ in range(TRIES if parents else 0):
                child = self._child(parents, most_units, rng)
                if child is not None:
                    return child
        return self.context.generator.generate(rng=rng, max_formula_units=most_units)

    def _child(
        self, parents: list[Parent], most_units: int, rng: np.random.Generator
    ) -> Candidate | None:
        """Return a child by an operator that is drawn, or None if that makes none."""
        name = self._credit.draw(rng)
        first = picked(parents, self.settings, rng)
        context = self._context(most_units)
        family = (first.number,)
        if name == "heredity":
            others = [item for item in parents if item is not first]
            if not others:
                return None
            second = picked(others, self.settings, rng)
            family = (first.number, second.number)
            units = self._units_between(first.crystal, second.crystal, most_units, rng)
            made = heredity(
                _up_to(first.crystal, units, context),
                _up_to(second.crystal, units, context),
                context,
                formula_units=units,
                rng=rng,
            )
        else:
            parent = first.crystal
            if rng.random() < LARGER and context.fits(2, parent):
                parent = stacked(parent, int(np.argmin(parent.lengths)), 2)
            if name in SYMMETRY_MOVES:
                move = move_named(name)
                if not move.applies(parent, context):
                    return None
                return propose(move, parent, context=context, rng=rng, parents=family)
            made = MUTATIONS[name](parent, context, rng=rng)
        if made is None or context.rejection(made.crystal) is not None:
            return None
        return Candidate(made.crystal, Origin(f"{MOVE}{name}", family, dict(made.detail)))

    def _units_between(
        self, first: Crystal, second: Crystal, most_units: int, rng: np.random.Generator
    ) -> int:
        """Draw the formula units of a child, from those of its smaller to its larger parent."""
        low, high = sorted(
            -(-crystal.n_atoms // self.context.space.composition.n_atoms)
            for crystal in (first, second)
        )
        allowed = [units for units in self._units if units <= most_units]
        between = [units for units in allowed if low <= units <= high]
        nearest = min(allowed, key=lambda units: abs(units - high))
        return int(rng.choice(between)) if between else nearest

    def _context(self, most_units: int) -> MoveContext:
        if most_units not in self._contexts:
            space = within_units(self.context.space, most_units)
            self._contexts[most_units] = MoveContext(space, lambda _units, _rng: None)
        return self._contexts[most_units]

    def _end(self, record: Record) -> None:
        for parent in record.candidate.origin.parents:
            self._pool.note_ended(parent)

    def _note_operator(self, record: Record, *, success: bool) -> None:
        source = record.candidate.origin.source
        if source.startswith(MOVE):
            self._credit.note(source.removeprefix(MOVE), success=success)


def picked(parents: list[Parent], settings: Evolution, rng: np.random.Generator) -> Parent:
    """Return a parent by tournament, or with a chance that falls linearly with its rank."""
    count = len(parents)
    if settings.selection == "tournament":
        return parents[int(rng.integers(count, size=settings.tournament).min())]
    chances = np.arange(count, 0, -1, dtype=np.float64)
    return parents[int(rng.choice(count, p=chances / chances.sum()))]


def _up_to(crystal: Crystal, units: int, context: MoveContext) -> Crystal:
    """Return a crystal in a supercell of a number of formula units, where there is one."""
    copies, rest = divmod(units * context.space.composition.n_atoms, crystal.n_atoms)
    if rest:
        return crystal
    factor = 2
    while copies > 1:
        while copies % factor:
            factor += 1
        crystal = stacked(crystal, int(np.argmin(crystal.lengths)), factor)
        copies //= factor
    return crystal


def _serving(restriction: str) -> str:
    """Return an operator whose children keep to a restriction."""
    return "move-rigid-unit" if restriction == "problem.motif" else "act-in-subgroup"


def _acting(settings: Evolution, context: SearchContext) -> dict[str, float]:
    """Return the weights of the operators that can act on the composition."""
    given, restriction = settings.operators, restriction_of(context.space)
    if restriction and given == OPERATORS:
        given = WITH_MOTIF if context.space.motif is not None else IN_SPACE_GROUPS
    weights = {name: weight for name, weight in given.items() if weight > 0.0}
    if len(context.space.composition.elements) == 1:
        weights.pop("permutation", None)
    if not weights:
        raise InputError(
            f"search.operators: permutation cannot act on {context.space.composition.formula}, "
            "which is one element. Give another operator a positive weight."
        )
    return weights
