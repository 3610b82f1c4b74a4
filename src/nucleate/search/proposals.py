"""New structures from the generators, and children of a parent by the moves."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from nucleate.faults import blaming
from nucleate.moves.move import RATTLE_ANG, MoveContext, is_half
from nucleate.moves.propose import propose
from nucleate.moves.settings import GivenMoves
from nucleate.moves.table import PRESETS, chosen, moves_for
from nucleate.search.guide import NEW, Guide

if TYPE_CHECKING:
    from nucleate.crystal.candidate import Candidate
    from nucleate.crystal.crystal import Crystal
    from nucleate.crystal.space import SearchSpace
    from nucleate.moves.move import Move
    from nucleate.search.context import SearchContext
    from nucleate.search.search import Source
    from nucleate.search.settings import MoveChoice, MovingSettings

NEW_FRACTION = 0.6
"""Of new structures, where the input gives none."""


@dataclass(frozen=True, slots=True)
class Parent:
    """A relaxed crystal to change.

    Attributes
    ----------
    number : int
        Of its record.
    crystal : Crystal
        In a reduced cell.
    """

    number: int
    crystal: Crystal


class Proposals:
    """Draws new structures and children.

    Parameters
    ----------
    context : SearchContext
        Space, generator and moves.
    settings : MovingSettings
        Fraction of new structures once there are parents, rattle, distance of vacant sites.
    choices : str or dict
        Weights of the moves that :meth:`weights` will be asked for.
    """

    def __init__(
        self, context: SearchContext, settings: MovingSettings, *choices: MoveChoice
    ) -> None:
        self._space = context.space
        if settings.min_vacancy_ang is not None:
            self._space = replace(context.space, vacancy_exclusion=settings.min_vacancy_ang)
        self._rattle = RATTLE_ANG if settings.rattle_ang is None else settings.rattle_ang
        new_fraction = settings.new_fraction
        self._generator: Source = context.generator
        choices = tuple(chosen(choice, context.space) for choice in choices)
        self._moves, self._by_default = moves_for(context.moves, *choices)
        self._given = context.moves is not None or any(
            isinstance(choice, GivenMoves) for choice in choices
        )
        self._new_fraction = NEW_FRACTION if new_fraction is None else new_fraction
        self._contexts: dict[int | None, MoveContext] = {}
        self.guide = Guide(
            settings.policy,
            shares=getattr(self._generator, "shares", None) or {NEW: 1.0},
            moves=self._moves,
            weights=self.weights(choices[0]),
            new_fraction=self._new_fraction,
            tiers=context.tiers,
            costs=context.costs,
            start=context.policy_start,
        )

    def weights(self, choice: MoveChoice) -> np.ndarray:
        """Return the weights of the moves, in their order.

        Those that the choice does not name have the weight 1, or 0 if another choice named them.
        """
        choice = chosen(choice, self._space)
        if isinstance(choice, str) and not self._given:
            preset = PRESETS[choice]
            return np.array([preset.get(move.name, 0.0) for move in self._moves])
        named = choice if isinstance(choice, dict) else {}
        return np.array(
            [named.get(move.name, float(move.name in self._by_default)) for move in self._moves]
        )

    def wants_new(self, rng: np.random.Generator) -> bool:
        """Draw whether a new structure comes next; always while a generator leads.

        A policy that learns draws it with the move, in :meth:`child`.
        """
        leads = bool(getattr(self._generator, "leads", False))
        return leads or (not self.guide.policy.learns and rng.random() < self._new_fraction)

    def new(self, most_units: int | None, *, rng: np.random.Generator) -> Candidate | None:
        """Return a structure of the generators with at most this many formula units."""
        return self._generator.generate(rng=rng, max_formula_units=most_units)

    def child(
        self,
        parent: Parent,
        weights: np.ndarray,
        most_units: int | None,
        *,
        rng: np.random.Generator,
        in_pairs: bool = False,
    ) -> Candidate | None:
        """Return a child of a parent by one of the moves that apply; new where none does.

        With ``in_pairs``, another move follows at once where the child is its parent still, in a
        larger cell: alone it would only repeat what is known. A policy that learns chooses among
        the generators and the moves.
        """
        context = self._context(most_units)
        chances = weights * self._applies(parent.crystal, context)
        pairs = weights if in_pairs else None

        def moved(place: int) -> Candidate | None:
            return self._moved(parent, place, context, rng, pairs)

        if self.guide.policy.learns:
            new = partial(self._new_of, rng=rng)
            drawn = self.guide.draw(chances, parent.number, new, moved, rng=rng)
            return drawn if drawn is not None or chances.any() else self.new(most_units, rng=rng)
        total = chances.sum()
        if not total > 0:
            return self.new(most_units, rng=rng)
        return moved(int(rng.choice(len(self._moves), p=chances / total)))

    def _new_of(self, name: str, *, rng: np.random.Generator) -> Candidate | None:
        """Return a structure of one generator, in the sizes that it finds likely."""
        if name == NEW:
            return self.new(None, rng=rng)
        return self._generator.generate(rng=rng, max_formula_units=None, only=name)

    def _moved(
        self,
        parent: Parent,
        place: int,
        context: MoveContext,
        rng: np.random.Generator,
        pairs: np.ndarray | None,
    ) -> Candidate | None:
        """Return a child by a move, and by another one with these weights where it is but half."""
        move, parents = self._moves[place], (parent.number,)
        child = propose(move, parent.crystal, context=context, rng=rng, parents=parents)
        if child is None or pairs is None or not is_half(move, child.crystal, parent.crystal):
            return child
        alone = np.array([not (item.multiplies or item.renews) for item in self._moves])
        chances = pairs * alone * self._applies(child.crystal, context)
        total = chances.sum()
        if not total > 0:
            return None
        second = self._moves[rng.choice(len(self._moves), p=chances / total)]
        whole = propose(second, child.crystal, context=context, rng=rng, parents=parents)
        if whole is None:
            return None
        detail = {**whole.origin.detail, **child.origin.detail, "then": second.name}
        return replace(whole, origin=replace(child.origin, detail=detail))

    def _applies(self, parent: Crystal, context: MoveContext) -> np.ndarray:
        """Return whether each move can change a parent."""
        return np.array([_applies(move, parent, context) for move in self._moves])

    def _context(self, most_units: int | None) -> MoveContext:
        """Return what moves may use where no child may have more formula units than this."""
        if most_units not in self._contexts:
            space = within_units(self._space, most_units)

            def new(limit: int | None, rng: np.random.Generator) -> Candidate | None:
                limits = [n for n in (limit, most_units) if n is not None]
                return self.new(min(limits, default=None), rng=rng)

            self._contexts[most_units] = MoveContext(space, new, rattle=self._rattle)
        return self._contexts[most_units]


def within_units(space: SearchSpace, most_units: int | None) -> SearchSpace:
    """Return a space without the cells of more formula units than this."""
    if most_units is None:
        return space
    units = tuple(n for n in space.formula_units if n <= most_units)
    atoms = min(space.max_atoms, most_units * space.composition.n_atoms)
    return replace(space, formula_units=units, max_atoms=atoms)


def _applies(move: Move, parent: Crystal, context: MoveContext) -> bool:
    with blaming("move", move.applies, "applies", name=move.name):
        return bool(move.applies(parent, context))
