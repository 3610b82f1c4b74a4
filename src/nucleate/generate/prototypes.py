"""Candidates from known structures: substituted and derived prototypes, the most likely first."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from nucleate.generate.generator import Generator
from nucleate.generate.pool import Member, RankedPool

if TYPE_CHECKING:
    import numpy as np

    from nucleate.crystal.candidate import Candidate, Origin
    from nucleate.crystal.space import SearchSpace
    from nucleate.library.library import Library

MOST = 200
"""Candidates made for a composition."""

LEADING = 20
"""Candidates that come before all other generators."""


class PrototypesGenerator(Generator):
    """Gives the structures that known compounds suggest, each once, then None.

    The candidates do not depend on random numbers. ``Origin.detail`` holds the prototype, the
    reference, how it was derived, and ``weight``: the share of the vote of its structure type.

    Parameters
    ----------
    space : SearchSpace
        What is searched.
    library : Library
        The known structures.
    known : str
        Which of them may be used: ``all``, ``no-formula``, ``no-relatives``, ``no-prototype`` or
        ``off``.
    prototypes : frozenset of str
        Labels of the target's protostructures, for ``no-prototype``.
    most : int
        Candidates made.
    leading : int
        How many of them come before all other generators.
    """

    name = "prototypes"

    def __init__(
        self,
        space: SearchSpace,
        library: Library,
        *,
        known: str = "all",
        prototypes: frozenset[str] = frozenset(),
        most: int = MOST,
        leading: int = LEADING,
    ) -> None:
        library.hold_out(space.composition, known, prototypes)  # refuses an unknown word now
        self._space = space
        self._library = library
        self._known = known
        self._prototypes = prototypes
        self._most = most
        self._leading = leading

    @property
    def leads(self) -> bool:
        """Whether its candidates come before all other generators now."""
        return self._pool.leads

    @property
    def members(self) -> tuple[Member, ...]:
        """All candidates, the most likely first."""
        return self._pool.members

    def generate(
        self, *, rng: np.random.Generator, max_formula_units: int | None = None
    ) -> Candidate | None:
        """Return the best candidate left of at most this size; it stays until it is taken."""
        return self._pool.generate(rng=rng, max_formula_units=max_formula_units)

    def note(self, origin: Origin) -> None:
        """Leave out a candidate that was taken, in this session or before an interruption."""
        self._pool.note(origin)

    @cached_property
    def _pool(self) -> RankedPool:
        proposals = self._library.candidates(
            self._space.composition,
            self._space,
            known=self._known,
            most=self._most,
            prototypes=self._prototypes,
        )
        members = []
        for proposal in proposals:
            detail = {"known": self._known, **proposal.detail}
            if "weight" not in detail:
                detail["weight"] = self._library.weight(
                    proposal.crystal, known=self._known, prototypes=self._prototypes
                )
            members.append(Member(proposal.crystal, detail))
        return RankedPool(self._space, members, name=self.name, leading=self._leading)
