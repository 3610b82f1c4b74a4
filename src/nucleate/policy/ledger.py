"""From records to what a policy learns from."""

from __future__ import annotations

from bisect import bisect_left, insort
from typing import TYPE_CHECKING

from nucleate.policy.policy import Pull

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nucleate.policy.policy import State

STATE, COULD = "policy_state", "policy_could"
"""Keys in the detail of a candidate that a policy chose: the record that the search stood on, and
the arms that were possible as bits."""

CONSIDERING = 1.0 / 27.0
"""Cost of a relaxation with a surrogate, relative to a mean one of the first tier (CHGNet)."""


class Ledger:
    """Keeps the enthalpies of all records, and the ranks of the distinct minima.

    The cost of a relaxation is estimated as its energy evaluations times atoms times the usual
    core-seconds of such an evaluation, so that it does not depend on the load of the machine: the
    same seed gives the same candidates. A failure, whose evaluations are not known, costs the
    mean of its tier; a candidate that only a surrogate considered costs 1/27 of that.

    Parameters
    ----------
    arms : sequence of str
        Names of the arms.
    costs : sequence of float
        Core-seconds of an evaluation per atom, for each tier of the ladder.
    """

    def __init__(self, arms: Sequence[str], costs: Sequence[float]) -> None:
        self._places = {name: place for place, name in enumerate(arms)}
        self._costs = tuple(costs)
        self._enthalpies: dict[int, State] = {}
        self._minima: list[tuple[int, float]] = []
        self._spent = [0.0] * len(self._costs)
        self._counted = [0] * len(self._costs)

    def state(self, number: int | None) -> State:
        """Return the enthalpies in eV/atom by tier of a record; empty if it has none."""
        return {} if number is None else self._enthalpies.get(number, {})

    def pull(
        self,
        number: int,
        source: str,
        detail: Mapping[str, object],
        parents: Sequence[int],
        *,
        after: State,
        evaluations: Mapping[int, tuple[int, int | None]],
        duplicate_of: int | None,
        is_screened: bool = False,
    ) -> Pull | None:
        """Return what a policy learns from a record; None for one of another origin.

        Parameters
        ----------
        number, source, detail, parents
            Of the record and its origin.
        after
            Enthalpy in eV/atom by tier.
        evaluations
            Atoms and energy evaluations by tier; None for a failure.
        duplicate_of
            The record that it repeats.
        is_screened
            Whether a surrogate considered it and no tier relaxed it.
        """
        known = self.state(duplicate_of) if not after and not evaluations else after
        self._enthalpies[number] = known
        is_new = bool(after) and duplicate_of is None
        place = (-max(after), after[max(after)]) if after else (0, 0.0)
        rank = bisect_left(self._minima, place)
        if is_new:
            insort(self._minima, place)
        cost = sum(self._cost(tier, *work) for tier, work in evaluations.items())
        cost *= CONSIDERING if is_screened else 1.0
        arm = self._places.get(source)
        if arm is None:
            return None
        stood, could = detail.get(STATE, parents[0] if parents else None), detail.get(COULD)
        return Pull(
            arm=arm,
            after=after,
            before=self.state(stood if isinstance(stood, int) else None),
            could=could if isinstance(could, int) else None,
            is_new=is_new,
            rank=rank,
            cost=cost,
            is_repeat=not evaluations,
            is_screened=is_screened,
        )

    def _cost(self, tier: int, n_atoms: int, evaluations: int | None) -> float:
        if evaluations is None:
            counted = self._counted[tier]
            return self._spent[tier] / counted if counted else self._costs[tier] * n_atoms
        cost = self._costs[tier] * n_atoms * max(evaluations, 1)
        self._spent[tier] += cost
        self._counted[tier] += 1
        return cost
