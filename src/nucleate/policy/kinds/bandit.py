"""A discounted bandit: new low minima per core-second."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from pydantic import Field
from scipy.special import gammainc, gammaincinv

from nucleate.policy.ledger import CONSIDERING
from nucleate.policy.policy import PolicySettings, learned_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from nucleate.policy.policy import PolicyContext, Pull, State

PRIOR_SHAPE = 0.5
"""Successes that every arm is credited with before it was tried, at the mean rate of all."""

DRAWING = 0.02
"""Cost of a candidate that was not relaxed, relative to a mean relaxation."""

POINTS = 48
"""Quantiles over which the chance to be the best arm is integrated."""


class Bandit(PolicySettings):
    """Sources and moves that give more new low minima per core-second are drawn more often."""

    works: ClassVar[tuple[str, ...]] = ("raj2017",)

    memory: float = Field(
        200.0,
        ge=10.0,
        le=1e6,
        description="Structures after which a reward counts 1/e of what it did.",
    )
    exploration: float = Field(
        0.1, gt=0.0, le=1.0, description="Share of draws by the weights of the input."
    )

    def build(self, context: PolicyContext) -> BanditPolicy:
        """Return the policy."""
        return BanditPolicy(self, context)


class BanditPolicy:
    """Thompson sampling of discounted rates with a gamma posterior.

    A record rewards its arm by ``exp(-rank / 6)`` if it is a new distinct minimum, else by 0, and
    costs its core-seconds in units of the mean of all. Rewards S and costs C of every arm decay
    by ``exp(-1 / memory)`` with each relaxed structure. A candidate that only a surrogate
    considered adds its small cost. The rate of an arm has the posterior
    Gamma(a + S, a / r + C), where r is the rate of all arms together and a = 0.5. An arm is drawn
    with a probability proportional to its weight times the chance that its rate is the highest.

    Parameters
    ----------
    settings : Bandit
        Memory and exploration.
    context : PolicyContext
        Arms, and what is known of them.
    """

    learns = True
    looks = False

    def __init__(self, settings: Bandit, context: PolicyContext) -> None:
        self._arms = context.arms
        self._decay = float(np.exp(-1.0 / settings.memory))
        self._exploration = settings.exploration
        start = learned_of(context, ("rewards", "costs"))
        self._rewards = self._of_arms(start["rewards"])
        self._costs = self._of_arms(start["costs"])
        self._spent, self._relaxed = 0.0, 0
        self._kept: tuple[bytes, NDArray[np.float64]] | None = None

    def _of_arms(self, values: Mapping[str, Any]) -> NDArray[np.float64]:
        found = np.array([float(values.get(arm, 0.0)) for arm in self._arms])
        if (found < 0.0).any():
            arm = self._arms[int(found.argmin())]
            raise ValueError(f"{arm} has {found.min():g}, where nothing is below 0")
        return found

    def chances(self, weights: NDArray[np.float64], state: State) -> NDArray[np.float64]:
        """Return the probability of each arm."""
        del state
        by_weight = weights / weights.sum()
        drawn = weights * self._best(weights > 0.0)
        total = drawn.sum()
        learned = drawn / total if total > 0.0 else by_weight
        return (1.0 - self._exploration) * learned + self._exploration * by_weight

    def tell(self, pull: Pull) -> None:
        """Learn what came of a candidate."""
        self._kept = None
        if pull.is_repeat:
            self._costs[pull.arm] += DRAWING
            return
        if pull.is_screened:
            mean = self._spent / self._relaxed if self._relaxed else 0.0
            self._costs[pull.arm] += DRAWING + (pull.cost / mean if mean > 0.0 else CONSIDERING)
            return
        self._spent += pull.cost
        self._relaxed += 1
        mean = self._spent / self._relaxed
        self._rewards *= self._decay
        self._costs *= self._decay
        self._costs[pull.arm] += DRAWING + (pull.cost / mean if mean > 0.0 else 1.0)
        self._rewards[pull.arm] += pull.reward

    def learned(self) -> dict[str, Any]:
        """Return discounted rewards and costs, the latter in mean relaxations."""
        return {
            "rewards": dict(zip(self._arms, self._rewards.tolist(), strict=True)),
            "costs": dict(zip(self._arms, self._costs.tolist(), strict=True)),
        }

    def _best(self, possible: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Return the chance of each arm to have the highest rate."""
        key = possible.tobytes()
        if self._kept is None or self._kept[0] != key:
            mean = (self._rewards.sum() + PRIOR_SHAPE) / (self._costs.sum() + 1.0)
            found = np.zeros(len(possible))
            found[possible] = chance_to_be_highest(
                PRIOR_SHAPE + self._rewards[possible],
                PRIOR_SHAPE / mean + self._costs[possible],
            )
            self._kept = key, found
        return self._kept[1]


def chance_to_be_highest(
    shapes: NDArray[np.float64], rates: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the probability of each of several gamma variables to be the largest.

    Parameters
    ----------
    shapes, rates : ndarray of float64, shape (n,)
        Shape and inverse scale of each variable; positive.

    Returns
    -------
    ndarray of float64, shape (n,)
        Not negative, with the sum 1.
    """
    levels = (np.arange(POINTS) + 0.5) / POINTS
    values = gammaincinv(shapes[:, None], levels) / rates[:, None]
    below = gammainc(shapes[:, None, None], rates[:, None, None] * values)
    below[np.arange(len(shapes)), np.arange(len(shapes))] = 1.0
    found = below.prod(axis=0).mean(axis=1)
    total = found.sum()
    return found / total if total > 0.0 else np.full(len(shapes), 1.0 / len(shapes))
