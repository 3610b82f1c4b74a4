"""Several generators as one."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from nucleate.crystal.candidate import Candidate
from nucleate.crystal.crystal import Crystal
from nucleate.errors import ContractError
from nucleate.generate.generator import Generator, as_generator

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nucleate.crystal.candidate import Origin


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

    def __init__(self, generators: Sequence[tuple[object, float]]) -> None:
        self._generators = [as_generator(source) for source, weight in generators if weight > 0.0]
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
            if generator.leads:
                weights[index] = max(weights[index], LEADING_WEIGHT)
        chances = weights / weights.sum()
        order = rng.choice(len(chances), size=len(chances), replace=False, p=chances)
        for index in order:
            generator = self._generators[index]
            candidate = generator.generate(rng=rng, max_formula_units=max_formula_units)
            if candidate is not None:
                check_candidate(candidate, generator)
                self.counts[candidate.origin.source] += 1
                return candidate
        return None

    def prepare(self) -> float:
        """Let generators that make a pool first make it now.

        Returns the processor time in seconds that it took in other processes.
        """
        elsewhere_s = 0.0
        for generator in self._generators:
            elsewhere_s += generator.prepare()
        return elsewhere_s

    def note(self, origin: Origin) -> None:
        """Take note of a candidate that was taken, in this session or before an interruption."""
        for generator in self._generators:
            generator.note(origin)


def check_candidate(candidate: object, generator: Generator) -> None:
    """Check what a generator returned; a wrong composition is the business of the search.

    Raises
    ------
    ContractError
        If it is no candidate with a crystal of finite numbers; the message names the generator.
    """
    crystal = getattr(candidate, "crystal", None)
    if not isinstance(candidate, Candidate) or not isinstance(crystal, Crystal):
        problem = f"{candidate!r:.200}, which is no Candidate with a Crystal"
    elif not (np.isfinite(crystal.cell).all() and np.isfinite(crystal.scaled).all()):
        problem = "a crystal whose cell or coordinates are not finite"
    else:
        return
    raise ContractError(f"the generator {generator.name} returned {problem}. Correct its generate.")
