"""Random search: random crystals within ranges that are learned, each relaxed and rattled."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, deque
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from pydantic import Field, model_validator

from nucleate.crystal.candidate import MOVE, Candidate, Origin
from nucleate.crystal.cells import reduced_cell
from nucleate.crystal.crystal import Crystal
from nucleate.errors import InputError
from nucleate.generate.build import named
from nucleate.generate.ranged import RangedGenerator
from nucleate.moves.move import MoveContext
from nucleate.plugins import Component
from nucleate.search.drawn import DrawnSearch
from nucleate.search.learned import Learned

if TYPE_CHECKING:
    from nucleate.search.book import Noted
    from nucleate.search.context import SearchContext
    from nucleate.search.record import Record
    from nucleate.search.search import SearchProgress, Trial

RATTLE = f"{MOVE}rattle"
"""Source of rattled copies."""

COPY = "copy"
"""Key in the detail of a rattled copy: which one of its parent it is."""

GIVEN_UP = "given_up"
"""Key in the detail of a candidate: copies that could not be made when it was drawn, as
``parent:copy`` one after the other."""

LEARN_FROM = 3
"""Lowest structures whose separations are learned."""

STRAIN = 0.03
"""Standard deviation of the components of the strain of a rattled copy."""

MOST_OPERATIONS = 48


class Random(Component):
    """Random crystals, relaxed and rattled, as AIRSS searches.

    Crystals have a random number of symmetry operations within a range. The minimum separations of
    each pair of elements and the volume are learned from the lowest structures of a warm-up. No
    known structures are used, and there are no moves. Method: C. J. Pickard and R. J. Needs, J.
    Phys.: Condens. Matter 23, 053201 (2011).
    """

    serves: ClassVar[frozenset[str]] = frozenset({"searches"})
    works: ClassVar[tuple[str, ...]] = ("pickard2011",)
    keeps_motif: ClassVar[bool] = False

    seed: int = Field(0, ge=0, description="Seed of all random numbers of the run.")
    known: Literal["off"] = Field("off", description="No known structures are used.")
    operations: tuple[int, int] = Field(
        (1, MOST_OPERATIONS),
        description="Smallest and largest number of symmetry operations in the primitive cell.",
    )
    volume: tuple[float, float] = Field(
        (0.9, 1.2),
        description="Range of the volume relative to the expected one, and after the warm-up to "
        "that of the lowest structure.",
    )
    warm_up: int = Field(
        15, ge=1, description="Structures after which separations and volume are learned."
    )
    learn: bool = Field(
        True, description="False keeps the tabulated minimum distances and the expected volume."
    )
    rattles: int = Field(
        2, ge=0, le=1000, description="Rattled copies that are relaxed of a structure that is low."
    )
    rattle_below: float = Field(
        0.1,
        gt=0.0,
        le=1.0,
        description="Part of the structures, the lowest, of which copies are rattled.",
    )
    rattle_ang: float = Field(
        0.3,
        gt=0.0,
        le=2.0,
        description="Standard deviation in Å of the displacements of a rattled copy.",
    )
    found_again: int | None = Field(
        None,
        ge=1,
        description="Stop when new random structures have relaxed to the lowest one this many "
        "times again; default: never.",
    )

    @property
    def generators(self) -> tuple[Component, ...]:
        """Generators of the run, which this search does not ask."""
        return (named("symmetric"),)

    @model_validator(mode="after")
    def _ranges(self) -> Random:
        low, high = self.operations
        if not 1 <= low <= high <= MOST_OPERATIONS:
            raise ValueError(
                f"operations = [{low}, {high}] is no range; give numbers from 1 to "
                f"{MOST_OPERATIONS}, the smaller one first"
            )
        small, large = self.volume
        if not 0.0 < small <= large < 100.0:
            raise ValueError(
                f"volume = [{small:g}, {large:g}] is no range; give positive numbers, the smaller "
                "one first"
            )
        for key, idle in (("rattle_ang", 0.3), ("rattle_below", 0.1)):
            if self.rattles == 0 and getattr(self, key) != idle:
                raise ValueError(f"{key} has no effect where rattles = 0; leave it out")
        if not self.learn and self.warm_up != 15:
            raise ValueError("warm_up has no effect where learn = false; leave it out")
        return self

    def build(self, context: SearchContext) -> RandomSearch:
        """Return the search; raises InputError if no space group can hold the composition."""
        return RandomSearch(self, context)


class RandomSearch(DrawnSearch):
    """Asks for random crystals, and for rattled copies of low ones.

    Parameters
    ----------
    settings : Random
        Seed and ranges.
    context : SearchContext
        What the run gives; its generator and its moves are not used.
    """

    def __init__(self, settings: Random, context: SearchContext) -> None:
        super().__init__(context, settings.seed)
        self.settings = settings
        space = context.space
        self._source = RangedGenerator(
            space, operations=settings.operations, volume=settings.volume
        )
        if not self._source.can_draw():
            raise InputError(
                f"search.operations = {list(settings.operations)}: no space group in this "
                f"range can hold {space.composition.formula} in cells of "
                f"{space.formula_units[0]} to {space.formula_units[-1]} formula units. Give a "
                "wider range or larger cells."
            )
        if not self._source.has_volume:
            low, high = space.volume_window
            raise InputError(
                f"search.volume = {list(settings.volume)}: the allowed volumes are {low:g} to "
                f"{high:g} times the expected one (problem.volume_window). Give a range that "
                "overlaps them."
            )
        groups = space.space_groups
        self._rattles = settings.rattles if groups is None or 1 in groups else 0
        self._limits = MoveContext(space, lambda _units, _rng: None)
        self._learned = Learned(context.tiers, space.composition.elements, LEARN_FROM)
        self._to_rattle: deque[tuple[int, int]] = deque()
        self._crystals: dict[int, Crystal] = {}
        self._places: list[tuple[int, float]] = []
        self._has_news = False
        self._finds: Counter[int] = Counter()
        self._from_copies: set[int] = set()
        self._lowest: int | None = None

    def notes(self, capacity: int) -> list[str]:
        """Return that nothing is rattled where only crystals with symmetry are allowed."""
        del capacity
        if self._rattles == self.settings.rattles:
            return []
        reason = "a rattled copy keeps none of problem.space_groups, so that none is made"
        return [f"search.rattles: {reason}. Add group 1 to have them."]

    def begin(self, trial: Trial) -> None:
        """Take note of a trial: a copy that was made or given up is not tried again."""
        origin = trial.candidate.origin
        self._source.note(origin)
        given_up = [pair.split(":") for pair in str(origin.detail.get(GIVEN_UP, "")).split()]
        done = [(int(parent), int(copy)) for parent, copy in given_up]
        if origin.source == RATTLE:
            done.append((origin.parents[0], int(origin.detail[COPY])))
        for item in done:
            if item in self._to_rattle:
                self._to_rattle.remove(item)
            if all(parent != item[0] for parent, _ in self._to_rattle):
                self._crystals.pop(item[0], None)

    def draw(self, number: int, rng: np.random.Generator) -> Candidate | None:
        """Return a rattled copy if one is due, else a random crystal."""
        del number
        given_up: list[str] = []
        for parent, copy in self._to_rattle:
            crystal = self._rattled(self._crystals[parent], rng)
            if crystal is not None:
                origin = Origin(RATTLE, (parent,), {COPY: copy})
                return _giving_up(given_up, Candidate(crystal, origin))
            given_up.append(f"{parent}:{copy}")
        return _giving_up(given_up, self._source.generate(rng=rng))

    def accept(self, record: Record, noted: Noted) -> bool:
        """Return whether a structure is new; count it, learn from it, ask for copies of it."""
        if record.relaxed is None:
            return False
        first = record.number if noted.duplicate_of is None else noted.duplicate_of
        if record.candidate.origin.source != RATTLE:
            self._finds[first] += 1
        elif first == record.number:
            self._from_copies.add(first)
        if noted.is_best:
            self._lowest = first
        is_new = super().accept(record, noted)
        if self._has_news and self.settings.learn and record.number >= self.settings.warm_up - 1:
            self._source.learn(self._learned.separations, self._learned.volume_per_atom)
            self._has_news = False
        return is_new

    def learn(self, record: Record) -> bool:
        """Learn from a new minimum, and ask for rattled copies if it is low."""
        relaxed, tier = record.relaxed, record.tier
        assert relaxed is not None
        assert tier is not None
        self._has_news |= self._learned.add(record)
        place = -self.context.tiers.index(tier), relaxed.enthalpy_per_atom
        rank = bisect_left(self._places, place)
        self._places.insert(rank, place)
        if self._rattles and rank < max(self.settings.rattle_below * len(self._places), 1):
            self._crystals[record.number] = reduced_cell(relaxed.crystal)
            self._to_rattle.extend((record.number, k) for k in range(self._rattles))
        return True

    @property
    def progress(self) -> SearchProgress:
        """How far the search is, with the number of times that the lowest was found."""
        finds = self._n_finds
        often = "once" if finds == 1 else f"{finds} times"
        text = f"lowest found {often}" if finds else ""
        return replace(super().progress, text=text)

    def state(self) -> dict[str, Any]:
        """Return the lowest structure."""
        return {"current": self._lowest}

    def stop_reason(self) -> str | None:
        """Return that the lowest structure was found often enough, if it was."""
        again = self.settings.found_again
        if again is None or self._n_finds <= again:
            return None
        return f"the lowest structure was found {self._n_finds} times"

    @property
    def _n_finds(self) -> int:
        """How often the lowest was found: the first time, and by random structures again."""
        if self._lowest is None:
            return 0
        return self._finds[self._lowest] + (self._lowest in self._from_copies)

    def _rattled(self, crystal: Crystal, rng: np.random.Generator) -> Crystal | None:
        """Return a copy with displaced atoms in a strained cell; None if atoms come too close."""
        for share in (1.0, 0.7, 0.5, 0.3):
            upper = rng.normal(0.0, share * STRAIN, (3, 3))
            moved = crystal.positions + rng.normal(
                0.0, share * self.settings.rattle_ang, crystal.scaled.shape
            )
            copy = Crystal.from_positions(crystal.numbers, crystal.cell, moved)
            copy = copy.replace(cell=copy.cell @ (np.eye(3) + 0.5 * (upper + upper.T)))
            if self._limits.rejection(copy) is None:
                return copy
        return None


def _giving_up(copies: list[str], candidate: Candidate | None) -> Candidate | None:
    """Return a candidate that says which rattled copies could not be made before it."""
    if candidate is None or not copies:
        return candidate
    detail = {**candidate.origin.detail, GIVEN_UP: " ".join(copies)}
    return replace(candidate, origin=replace(candidate.origin, detail=detail))
