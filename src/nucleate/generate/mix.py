"""Several generators as one."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nucleate.crystal.candidate import Candidate, Origin
    from nucleate.generate.generator import Generator


@runtime_checkable
class Remembering(Protocol):
    """A generator whose draws depend on what was taken from it before."""

    def note(self, origin: Origin) -> None:
        """Take note of a candidate that was taken, in this session or before an interruption."""
        ...


@runtime_checkable
class Leading(Protocol):
    """A generator that comes before the others for a while."""

    @property
    def leads(self) -> bool:
        """Whether it does now."""
        ...


@runtime_checkable
class Preparing(Protocol):
    """A generator with work to do before its first draw."""

    @property
    def core_s_elsewhere(self) -> float:
        """Processor time in seconds that the work took in other processes."""
        ...

    def prepare(self) -> object:
        """Do it now."""
        ...


LEADING_WEIGHT = 1e4
"""Least weight of a generator while it leads."""


class GeneratorMix:
    """Draws from several generators by weight; where one gives nothing, another one is asked.

    Parameters
    ----------
    generators : sequence of (Generator, float)
        Generators and their weights, which need not sum to one.

    Raises
    ------
    ValueError
        If no weight is positive.
    """

    name = "mix"

    def __init__(self, generators: Sequence[tuple[Generator, float]]) -> None:
        self._generators = [generator for generator, weight in generators if weight > 0.0]
        self._weights = np.array([weight for _, weight in generators if weight > 0.0])
        if not self._generators:
            raise ValueError("at least one generator needs a positive weight")
        self.counts: Counter[str] = Counter()

    @property
    def generators(self) -> tuple[Generator, ...]:
        """The generators of positive weight."""
        return tuple(self._generators)

    def weighted(self) -> list[tuple[Generator, float]]:
        """Return the generators with their weights."""
        return list(zip(self._generators, self._weights.tolist(), strict=True))

    def generate(
        self, *, rng: np.random.Generator, max_formula_units: int | None = None
    ) -> Candidate | None:
        """Return a candidate of one of the generators, or None if none gives one."""
        weights = self._weights.copy()
        for index, generator in enumerate(self._generators):
            if isinstance(generator, Leading) and generator.leads:
                weights[index] = max(weights[index], LEADING_WEIGHT)
        chances = weights / weights.sum()
        order = rng.choice(len(chances), size=len(chances), replace=False, p=chances)
        for index in order:
            generator = self._generators[index]
            candidate = generator.generate(rng=rng, max_formula_units=max_formula_units)
            if candidate is not None:
                self.counts[candidate.origin.source] += 1
                return candidate
        return None

    def prepare(self) -> float:
        """Let generators that make a pool first make it now.

        Returns the processor time in seconds that it took in other processes.
        """
        elsewhere_s = 0.0
        for generator in self._generators:
            if isinstance(generator, Preparing):
                generator.prepare()
                elsewhere_s += generator.core_s_elsewhere
        return elsewhere_s

    def note(self, origin: Origin) -> None:
        """Take note of a candidate that was taken, in this session or before an interruption."""
        for generator in self._generators:
            if isinstance(generator, Remembering):
                generator.note(origin)
