"""A policy at work: it chooses among the generators and moves of a search, and learns."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from nucleate.crystal.candidate import MOVE
from nucleate.errors import InputError
from nucleate.names import short_name
from nucleate.policy.ledger import COULD, STATE, Ledger
from nucleate.policy.policy import PolicyContext
from nucleate.relax.outcome import Relaxed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from nucleate.crystal.candidate import Candidate
    from nucleate.moves.move import Move
    from nucleate.plugins import Component
    from nucleate.policy.policy import Policy
    from nucleate.policy.saved import SavedPolicy
    from nucleate.search.record import Record

NEW = "new"
"""Name of a source of new structures that has no parts."""

TRIES = 6
"""Arms that one draw tries before it gives up."""


class Guide:
    """The arms of a search, its policy, and what that learns from.

    Parameters
    ----------
    settings : Component
        Of the policy.
    shares : mapping of str to float
        Share of the draws by the name of the generator; the sum is 1.
    moves : sequence of Move
        In their order.
    weights : ndarray of float64, shape (n_moves,)
        Of the moves, where nothing has been learned.
    new_fraction : float
        Share of new structures, where nothing has been learned.
    tiers : sequence of str
        Names of the tiers in the order of the ladder.
    costs : sequence of float
        Usual core-seconds of an energy evaluation per atom, by tier; empty where all are equal.
    start : SavedPolicy, optional
        What the policy has learned elsewhere.

    Raises
    ------
    InputError
        If the start is that of another policy or of other moves.
    """

    def __init__(
        self,
        settings: Component,
        *,
        shares: Mapping[str, float],
        moves: Sequence[Move],
        weights: NDArray[np.float64],
        new_fraction: float,
        tiers: Sequence[str],
        costs: Sequence[float] = (),
        start: SavedPolicy | None = None,
    ) -> None:
        self._sources = tuple(shares)
        self.arms = (*shares, *(f"{MOVE}{short_name(move.name)}" for move in moves))
        self._shares = np.array([new_fraction * share for share in shares.values()])
        self._tiers = {name: place for place, name in enumerate(tiers)}
        self.weights = self._of_arms(weights)
        self._costs = tuple(costs) or (1.0,) * len(self._tiers)
        self._start = start
        if start is not None:
            start.check(settings.kind, self.arms, self.weights.tolist())
        learned = None if start is None else start.learned
        try:
            self.policy: Policy = settings.build(PolicyContext(self.arms, self.weights, learned))
        except (TypeError, ValueError) as error:
            if learned is None:
                raise
            raise InputError(
                f"search.policy_from: what it names was not learned by {settings.kind!r} "
                f"({error}). Give a run folder, or a file of `nucleate policy RUN --save FILE`."
            ) from error
        self._ledger = Ledger(self.arms, self._costs)

    def _of_arms(self, of_moves: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the weights of all arms from those of the moves; their sum is 1, or 0."""
        total = of_moves.sum()
        share = (1.0 - self._shares.sum()) / total if total > 0.0 else 0.0
        both = np.concatenate([self._shares, of_moves * share])
        return both / both.sum() if both.sum() > 0.0 else both

    def draw(
        self,
        of_moves: NDArray[np.float64],
        parent: int,
        new: Callable[[str], Candidate | None],
        moved: Callable[[int], Candidate | None],
        *,
        rng: np.random.Generator,
    ) -> Candidate | None:
        """Return a candidate by the arm that the policy chooses, or None.

        An arm that gives nothing is not tried again for this candidate.

        Parameters
        ----------
        of_moves
            Weights of the moves; 0 for those that do not apply.
        parent
            Record that the search stands on.
        new, moved
            Return a candidate of a generator by its name, or of a move by its place.
        rng
            The only source of randomness.
        """
        state = self._ledger.state(parent)
        weights = self._of_arms(of_moves)
        for _ in range(TRIES):
            if not weights.sum() > 0.0:
                return None
            arm = int(rng.choice(len(weights), p=self.policy.chances(weights, state)))
            first = len(self._sources)
            candidate = new(self._sources[arm]) if arm < first else moved(arm - first)
            if candidate is not None:
                return self._signed(candidate, parent, weights)
            weights[arm] = 0.0
        return None

    def _signed(self, candidate: Candidate, parent: int, weights: NDArray[np.float64]) -> Candidate:
        """Return the candidate with what the policy must know of it later, in its origin."""
        if not self.policy.looks:
            return candidate
        could = sum(1 << int(place) for place in np.flatnonzero(weights))
        detail = {**candidate.origin.detail, STATE: parent, COULD: could}
        return replace(candidate, origin=replace(candidate.origin, detail=detail))

    def credit(self, record: Record, duplicate_of: int | None) -> None:
        """Let the policy learn from a record; ``duplicate_of`` is the one that it repeats."""
        origin, after, evaluations = record.candidate.origin, {}, {}
        for item in record.outcomes:
            tier, outcome = self._tiers.get(item.tier), item.outcome
            if tier is None:
                continue
            if isinstance(outcome, Relaxed):
                after[tier] = outcome.enthalpy_per_atom
                evaluations[tier] = (outcome.crystal.n_atoms, outcome.evaluations)
            else:
                evaluations[tier] = (record.candidate.crystal.n_atoms, None)
        pull = self._ledger.pull(
            record.number,
            origin.source,
            origin.detail,
            origin.parents,
            after=after,
            evaluations=evaluations,
            duplicate_of=duplicate_of,
            is_screened=record.is_screened,
        )
        if pull is not None:
            self.policy.tell(pull)

    @property
    def facts(self) -> dict[str, Any]:
        """What the learning can be repeated from, together with the records; JSON-ready."""
        return {
            "arms": list(self.arms),
            "weights": self.weights.tolist(),
            "tiers": list(self._tiers),
            "costs": list(self._costs),
            "start": None if self._start is None else self._start.model_dump(mode="json"),
        }
