"""Candidates from known structures: substituted and derived prototypes, the most likely first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nucleate.crystal.elements import symbols_of
from nucleate.errors import InputError
from nucleate.generate.context import OTHERS_SERVE
from nucleate.generate.pool import Member, PooledGenerator, RankedPool

if TYPE_CHECKING:
    from collections.abc import Callable

    from nucleate.crystal.space import SearchSpace
    from nucleate.library.library import Library
    from nucleate.library.substitution import Proposal

MOST = 100
"""Candidates made for a composition."""

LEADING = 20
"""Candidates that come before all other generators."""


class PrototypesGenerator(PooledGenerator):
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
    warn : callable
        Called with a warning where no known structure can serve.
    """

    name = "prototypes"
    stage = "known structures"

    def __init__(
        self,
        space: SearchSpace,
        library: Library,
        *,
        known: str = "all",
        prototypes: frozenset[str] = frozenset(),
        most: int = MOST,
        leading: int = LEADING,
        warn: Callable[[str], None] = lambda _: None,
    ) -> None:
        library.hold_out(space.composition, known, prototypes)  # refuses an unknown word now
        self._space = space
        self._library = library
        self._known = known
        self._prototypes = prototypes
        self._most = most
        self._leading = leading
        self._warn = warn

    def make_pool(self) -> RankedPool:
        """Return the candidates, the most likely first."""
        try:
            members = self._make_members()
        except InputError as error:  # a damaged part of a library, which is read late
            self._warn(f"{error} {OTHERS_SERVE}")
            members = []
        return RankedPool(self._space, members, name=self.name, leading=self._leading)

    def _make_members(self) -> list[Member]:
        composition = self._space.composition
        missing = sorted(set(composition.elements) - self._library.elements)
        if missing:
            self._warn(f"no known structure has {', '.join(symbols_of(missing))}. {OTHERS_SERVE}")
            return []
        proposals = self._library.candidates(
            composition,
            self._space,
            known=self._known,
            most=self._most,
            prototypes=self._prototypes,
        )
        if not proposals and self._known != "off":
            self._warn(
                f"no known structure type gives {composition.formula} within the limits of the "
                f"search space (at most {self._space.max_atoms} atoms). {OTHERS_SERVE}"
            )
        return [Member(proposal.crystal, self._detail(proposal)) for proposal in proposals]

    def _detail(self, proposal: Proposal) -> dict[str, Any]:
        detail = {"known": self._known, **proposal.detail}
        if "weight" not in detail:
            detail["weight"] = self._library.weight(
                proposal.crystal, known=self._known, prototypes=self._prototypes
            )
        return detail
