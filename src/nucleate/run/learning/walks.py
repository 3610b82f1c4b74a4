"""The first stage of delayed acceptance: a surrogate judges the steps of the walks of a search."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nucleate.relax.outcome import Relaxed
from nucleate.search.delayed import chance, log_bias

if TYPE_CHECKING:
    from nucleate.run.learning.screening import Screening
    from nucleate.run.learning.tables import Considered
    from nucleate.search.delayed import Step
    from nucleate.search.record import Record


class Walks:
    """Judges steps by the enthalpies that the surrogate gave to child and parent.

    For a parent that was relaxed without the surrogate that of the first tier takes its place:
    the second stage, which knows both chances, corrects for whatever the first one is.

    Parameters
    ----------
    search
        A search that walks has ``step_of`` and ``bias``; of any other, no candidate is a step.
    screening : Screening
        Says whether the surrogate chooses.
    floor : float
        Chance of steps that the surrogate refuses.
    """

    def __init__(self, search: Any, screening: Screening, floor: float) -> None:
        self._step_of = getattr(search, "step_of", None)
        self._screening = screening
        self._floor = floor
        self._considered: dict[int, float | None] = {}
        self._first: dict[int, float] = {}
        if self._step_of is not None:
            search.bias = self.bias

    def note(self, found: Considered) -> None:
        """Take what the surrogate made of a candidate."""
        if self._step_of is not None:
            self._considered[found.number] = found.enthalpy

    def told(self, record: Record) -> None:
        """Take what the first tier made of a record."""
        first = _first(record)
        if self._step_of is not None and first is not None:
            self._first[record.number] = first

    def chance(self, found: Considered) -> float | None:
        """Return the chance of a step to be finished; None for what is no step of a walk."""
        step = None if self._step_of is None else self._step_of(found.number)
        if step is None or not self._chooses(found.number):
            return None
        return self._there(found.enthalpy, step)

    def bias(self, record: Record, step: Step) -> float:
        """Return what the second stage adds to the exponent of a step to a record."""
        if record.number not in self._considered or not self._chooses(record.number):
            return 0.0
        own = self._considered[record.number]
        there = self._there(own, step)
        child, parent = _first(record) if own is None else own, self._level(step)
        if child is None or parent is None:
            return 0.0
        return log_bias(there, chance(parent - child, step.temperature, self._floor))

    def _there(self, child: float | None, step: Step) -> float:
        parent = self._level(step)
        if parent is None:
            return 1.0
        if child is None:  # an unphysical minimum
            return self._floor
        return chance(child - parent, step.temperature, self._floor)

    def _level(self, step: Step) -> float | None:
        own = self._considered.get(step.level)
        return self._first.get(step.level) if own is None else own

    def _chooses(self, number: int) -> bool:
        review = self._screening.review_of(number)
        return review is not None and review.on


def _first(record: Record) -> float | None:
    outcome = record.outcomes[0].outcome if record.outcomes else None
    return outcome.enthalpy_per_atom if isinstance(outcome, Relaxed) else None
