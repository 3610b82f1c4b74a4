"""The walks of basin hopping: each stands on a crystal and has one trial at a time."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nucleate.crystal.cells import reduced_cell
from nucleate.search.delayed import Step
from nucleate.search.proposals import Parent

if TYPE_CHECKING:
    from collections.abc import Callable

    from nucleate.crystal.crystal import Crystal
    from nucleate.search.acceptance import Thermostat
    from nucleate.search.record import Record

    Place = tuple[int, float, int]
    """Tier, counted downwards from 0, enthalpy in eV/atom, number."""

WALK = "walk"
"""Key in the detail of a step: the number of its walk."""


@dataclass(slots=True)
class Walk:
    """One Metropolis walk.

    Attributes
    ----------
    thermostat : Thermostat
        Its temperature.
    parent : Parent or None
        What it stands on; None before its first step.
    level : int or None
        Number of the record whose enthalpy that has: another one where the parent is a supercell
        that was not relaxed.
    """

    thermostat: Thermostat
    parent: Parent | None = None
    level: int | None = None

    @property
    def step(self) -> Step | None:
        """What a step from here is judged by; None before the first place."""
        if self.parent is None or self.level is None:
            return None
        return Step(self.level, self.thermostat.temperature)

    def stand(self, number: int, crystal: Crystal, level: int | None = None) -> None:
        """Step onto a crystal."""
        self.parent = Parent(number, crystal)
        self.level = number if level is None else level


class Starts:
    """The structures among which the walks begin: the lowest is the place of the first walk.

    Parameters
    ----------
    tiers : tuple of str
        Names of the tiers of the ladder, cheapest first.
    """

    def __init__(self, tiers: tuple[str, ...]) -> None:
        self._tiers = tiers
        self._found: list[tuple[Place, Crystal]] = []
        self.is_closed = False

    def add(self, record: Record, *, is_new: bool) -> None:
        """Take note of a start; copies of another come after all the others."""
        relaxed, tier = record.relaxed, record.tier
        if self.is_closed or relaxed is None or tier is None:
            return
        rank = -self._tiers.index(tier) + (0 if is_new else len(self._tiers))
        place = rank, relaxed.enthalpy_per_atom, record.number
        self._found.append((place, reduced_cell(relaxed.crystal)))
        self._found.sort(key=lambda item: item[0])

    @property
    def lowest(self) -> int | None:
        """Number of the lowest start; None where there is none."""
        return self._found[0][0][2] if self._found else None

    def begin(self, walks: list[Walk]) -> None:
        """Let every walk begin, once: at the lowest starts, from the first again if they are few.

        Nothing that comes later is a start.
        """
        if self.is_closed:
            return
        self.is_closed = True
        for place, walk in enumerate(walks):
            if self._found:
                (_, _, number), crystal = self._found[place % len(self._found)]
                walk.stand(number, crystal)


class Queue:
    """Which walk is next: the one that has waited longest.

    Parameters
    ----------
    count : int
        Number of walks.
    """

    def __init__(self, count: int) -> None:
        self._free = deque(range(count))

    def first(self) -> int | None:
        """Return the walk that is next; None while all wait for an answer."""
        return self._free[0] if self._free else None

    def take(self, walk: int) -> None:
        """Take note that a walk has a trial."""
        if walk in self._free:
            self._free.remove(walk)

    def put_back(self, walk: int) -> None:
        """Take note that a walk knows what came of its trial."""
        if walk not in self._free:
            self._free.append(walk)


MOST_KEPT = 20_000
"""Relaxed crystals that are kept for steps to known structures."""


class Relaxations:
    """What known structures relax to, so that a step to one need not be relaxed again."""

    def __init__(self) -> None:
        self._crystals: dict[int, Crystal] = {}

    def add(self, record: Record) -> Crystal | None:
        """Keep what a record relaxed to; return it in its reduced cell, None where it failed."""
        relaxed = record.relaxed
        if relaxed is None:
            return None
        crystal = reduced_cell(relaxed.crystal)
        self._crystals[record.number] = crystal
        if len(self._crystals) > MOST_KEPT:
            del self._crystals[next(iter(self._crystals))]
        return crystal

    def of(self, number: int) -> Crystal | None:
        """Return what a record relaxed to; None where it failed or is too long ago."""
        return self._crystals.get(number)


def walks_of(count: int, thermostat: Callable[[], Thermostat]) -> list[Walk]:
    """Return new walks."""
    return [Walk(thermostat()) for _ in range(count)]
