"""The ladder: tiers in order, and which crystals proceed from one to the next."""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from typing import TYPE_CHECKING, Protocol

from nucleate.errors import InputError
from nucleate.relax.outcome import Outcome, Relaxed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nucleate.relax.settings import Promotion, TierSettings


class TieredOutcome(Protocol):
    """An outcome with the name of the tier that it came from."""

    @property
    def tier(self) -> str:
        """Name of the tier."""
        ...

    @property
    def outcome(self) -> Outcome:
        """What became of the crystal there."""
        ...


class Ladder:
    """Decides which tier sees a crystal next, from the enthalpies noted so far.

    Enthalpies are compared within one tier only: those of different models have different zeros.

    Parameters
    ----------
    tiers
        Settings of the tiers, cheapest first.

    Raises
    ------
    InputError
        If there is no tier, or two have the same name.
    """

    def __init__(self, tiers: Sequence[TierSettings]) -> None:
        self.names = tuple(tier.name for tier in tiers)
        if not self.names or len(set(self.names)) < len(self.names):
            raise InputError(
                f"tier.name = {list(self.names)}: a ladder needs at least one tier, and every "
                "tier a name of its own."
            )
        self._rules = [tier.promote for tier in tiers]
        self._enthalpies: dict[str, list[float]] = {name: [] for name in self.names}

    def note(self, tier: str, outcome: Outcome) -> None:
        """Take down an outcome; the rules compare with every enthalpy noted before."""
        if isinstance(outcome, Relaxed) and tier in self._enthalpies:
            insort(self._enthalpies[tier], outcome.enthalpy_per_atom)

    def best(self, tier: str) -> float:
        """Return the best enthalpy of a tier in eV/atom; infinite where there is none."""
        noted = self._enthalpies[tier]
        return noted[0] if noted else math.inf

    def is_conditional(self, tier: int) -> bool:
        """Return whether a tier lets only some of its crystals proceed to the next one."""
        rule = self._rules[tier]
        limits = (rule.best, rule.within_ev_per_atom, rule.fraction)
        return tier + 1 < len(self.names) and any(limit is not None for limit in limits)

    def next_tier(self, outcomes: Sequence[TieredOutcome]) -> int | None:
        """Return the index of the tier that a crystal goes to next, or None if it is finished.

        Parameters
        ----------
        outcomes
            What the tiers made of it so far, already noted. A failure ends the climb.
        """
        if not outcomes:
            return 0
        last = outcomes[-1]
        index = self.names.index(last.tier)
        if index + 1 == len(self.names) or not isinstance(last.outcome, Relaxed):
            return None
        noted = self._enthalpies[last.tier]
        enthalpy = last.outcome.enthalpy_per_atom
        return index + 1 if _passes(self._rules[index], enthalpy, noted) else None


def _passes(rule: Promotion, enthalpy: float, noted: list[float]) -> bool:
    """Return whether every limit of the rule holds; ``noted`` is sorted."""
    if rule.within_ev_per_atom is not None and enthalpy > noted[0] + rule.within_ev_per_atom:
        return False
    better = bisect_left(noted, enthalpy)
    if rule.best is not None and better >= rule.best:
        return False
    return rule.fraction is None or better < max(1.0, rule.fraction * len(noted))
