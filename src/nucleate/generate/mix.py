"""Several generators as one."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from nucleate.crystal.candidate import Candidate, Origin
from nucleate.crystal.composition import Composition
from nucleate.crystal.crystal import Crystal
from nucleate.errors import ContractError
from nucleate.faults import blaming, described
from nucleate.generate.generator import Generator, as_generator
from nucleate.generate.pool import PooledGenerator

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from nucleate.crystal.space import SearchSpace

    Report = Callable[[str, int, int], None]

LEADING_WEIGHT = 1e4
"""Least weight of a generator while it leads."""


class GeneratorMix:
    """Draws from several generators by weight; where one gives nothing, another one is asked.

    Parameters
    ----------
    generators : sequence of (Generator, float)
        Generators and their weights, which need not sum to one.
    space : SearchSpace or None
        What is searched, where the candidates are to be checked against it. The candidates, which
        are made for 0 GPa, are scaled by its compression.

    Raises
    ------
    ValueError
        If no weight is positive.
    """

    name = "mix"

    def __init__(
        self, generators: Sequence[tuple[object, float]], space: SearchSpace | None = None
    ) -> None:
        self._space = space
        self._generators = [as_generator(source) for source, weight in generators if weight > 0.0]
        self._weights = np.array([weight for _, weight in generators if weight > 0.0])
        if not self._generators:
            raise ValueError("at least one generator needs a positive weight")
        self.counts: Counter[str] = Counter()

    @property
    def generators(self) -> tuple[Generator, ...]:
        """The generators of positive weight."""
        return tuple(self._generators)

    @property
    def shares(self) -> dict[str, float]:
        """Share of the draws by the name of the generator."""
        found: dict[str, float] = {}
        for generator, weight in zip(self._generators, self._weights, strict=True):
            share = float(weight / self._weights.sum())
            found[generator.name] = found.get(generator.name, 0.0) + share
        return found

    def generate(
        self,
        *,
        rng: np.random.Generator,
        max_formula_units: int | None = None,
        only: str | None = None,
    ) -> Candidate | None:
        """Return a candidate of one of the generators, or None if none gives one.

        Those of another name than ``only`` are not asked.
        """
        weights = self._weights.copy()
        for index, generator in enumerate(self._generators):
            if generator.leads:
                weights[index] = max(weights[index], LEADING_WEIGHT)
        chances = weights / weights.sum()
        order = rng.choice(len(chances), size=len(chances), replace=False, p=chances)
        for index in order:
            generator = self._generators[index]
            if only is not None and generator.name != only:
                continue
            with blaming("generator", generator, "generate"):
                candidate = generator.generate(rng=rng, max_formula_units=max_formula_units)
            if candidate is not None:
                check_candidate(candidate, generator, self._space)
                self.counts[candidate.origin.source] += 1
                return self._under_pressure(candidate)
        return None

    def _under_pressure(self, candidate: Candidate) -> Candidate:
        if self._space is None or self._space.compression == 1.0:
            return candidate
        return replace(candidate, crystal=self._space.pressed(candidate.crystal))

    @property
    def leads(self) -> bool:
        """Whether one of the generators comes before the moves now."""
        return any(generator.leads for generator in self._generators)

    def prepare(self, report: Report = lambda *_: None) -> float:
        """Let generators that make a pool first make it now.

        Returns the processor time in seconds that it took in other processes.

        Parameters
        ----------
        report
            Called with what is made, and twice 0 where nobody knows how much of it there is.
        """
        elsewhere_s = 0.0
        for generator in self._generators:
            if isinstance(generator, PooledGenerator) and not generator.waits:
                report(generator.stage or f"pool of {generator.name}", 0, 0)
            with blaming("generator", generator, "prepare"):
                elsewhere_s += generator.prepare()
        return elsewhere_s

    def prepare_late(self) -> float:
        """Let generators whose turn has come in the middle of a run make their pools.

        Returns the processor time in seconds that it took in other processes.
        """
        elsewhere_s = 0.0
        for generator in self._generators:
            if isinstance(generator, PooledGenerator) and generator.is_due:
                with blaming("generator", generator, "prepare"):
                    elsewhere_s += generator.prepare()
        return elsewhere_s

    def note(self, origin: Origin) -> None:
        """Take note of a candidate that was taken, in this session or before an interruption."""
        for generator in self._generators:
            with blaming("generator", generator, "note"):
                generator.note(origin)


def check_candidate(
    candidate: object, generator: Generator, space: SearchSpace | None = None
) -> None:
    """Check what a generator returned.

    Raises
    ------
    ContractError
        If it is no candidate with a crystal of finite numbers and of the composition and size of
        the space; the message names the generator.
    """
    problem = _problem(candidate, space)
    if problem:
        raise ContractError(
            f"the {described('generator', generator)} returned {problem}. Correct its generate."
        )


def _problem(candidate: object, space: SearchSpace | None) -> str:
    crystal = getattr(candidate, "crystal", None)
    if not isinstance(candidate, Candidate) or not isinstance(crystal, Crystal):
        return f"{candidate!r:.200}, which is no Candidate with a Crystal"
    if not isinstance(candidate.origin, Origin):
        return f"a candidate whose origin is {candidate.origin!r:.200}, which is no Origin"
    if not (np.isfinite(crystal.cell).all() and np.isfinite(crystal.scaled).all()):
        return "a crystal whose cell or coordinates are not finite"
    if space is None:
        return ""
    if space.composition.formula_units_of(crystal.numbers) is None:
        found = Composition.from_numbers(crystal.numbers).formula
        return f"{found}, which is not {space.composition.formula}"
    if crystal.n_atoms > space.max_atoms:
        return f"a crystal of {crystal.n_atoms} atoms, more than max_atoms = {space.max_atoms}"
    return ""
