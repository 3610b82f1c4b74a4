"""REINFORCE on the energy of the structure that the search stands on."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from pydantic import Field

from nucleate.policy.normaliser import Normaliser
from nucleate.policy.policy import PolicySettings, learned_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nucleate.policy.policy import PolicyContext, Pull, State

LEAST_ENTROPY = 0.8
"""nat; below it the entropy of the policy is pushed up."""

REWARDS = 5000
"""Rewards whose mean and standard deviation make them comparable."""

FIRST = 10
"""Rewards after which the policy begins to change."""


class Reinforce(PolicySettings):
    """The choice depends on the energy of the present structure (Zamaraeva and others 2023)."""

    works: ClassVar[tuple[str, ...]] = ("zamaraeva2023",)

    learning_rate: float = Field(0.02, gt=0.0, le=1.0, description="Step of the gradient ascent.")
    exploration: float = Field(
        0.1, gt=0.0, le=1.0, description="Share of draws by the weights of the input."
    )

    def build(self, context: PolicyContext) -> ReinforcePolicy:
        """Return the policy."""
        return ReinforcePolicy(self, context)


class ReinforcePolicy:
    """A softmax of functions linear in the normalised energy z of the present structure.

    ``pi(a) ~ w(a) exp(theta(a, 0) z + theta(a, 1))``, where w are the weights of the input. The
    reward of a step is ``z(old) - z(new)``; a failure, a repeat and a known minimum count as a
    step to the mean of the highest tenth of all energies. Method: doi 10.1039/d3dd00063j, with the
    complete gradient of the softmax, of which the paper's program leaves out the terms of the
    arms that were not chosen.

    Parameters
    ----------
    settings : Reinforce
        Learning rate and exploration.
    context : PolicyContext
        Arms, and what is known of them.
    """

    learns = True
    looks = True

    def __init__(self, settings: Reinforce, context: PolicyContext) -> None:
        self._arms = context.arms
        self._rate = settings.learning_rate
        self._exploration = settings.exploration
        known = learned_of(context, ("theta",), numbers=2)["theta"]
        self._theta = np.array([known.get(arm, (0.0, 0.0)) for arm in self._arms], dtype=float)
        self._scales: dict[int, Normaliser] = {}
        self._rewards: deque[float] = deque(maxlen=REWARDS)
        usual = context.weights[context.weights > 0.0].mean()
        self._weights = np.where(context.weights > 0.0, context.weights, usual)

    def chances(self, weights: NDArray[np.float64], state: State) -> NDArray[np.float64]:
        """Return the probability of each arm."""
        by_weight = weights / weights.sum()
        z = self._z(state)
        if z is None:
            return by_weight
        learned = softmax_policy(self._theta, weights, np.array([z, 1.0]))
        return (1.0 - self._exploration) * learned + self._exploration * by_weight

    def tell(self, pull: Pull) -> None:
        """Learn what came of a candidate; of one that was only considered there is nothing."""
        if pull.is_screened:
            return
        reward = self._reward(pull)
        for tier, enthalpy in pull.after.items():
            self._scales.setdefault(tier, Normaliser()).add(enthalpy)
        if reward is None or pull.could is None:
            return
        value, z = reward
        self._rewards.append(value)
        if len(self._rewards) <= FIRST:
            return
        recent = np.fromiter(self._rewards, dtype=float)
        spread = float(recent.std())
        if spread == 0.0:
            return
        could = [pull.could >> arm & 1 for arm in range(len(self._arms))]
        weights = self._weights * could
        features = np.array([z, 1.0])
        step = (
            (value - float(recent.mean()))
            / spread
            * log_gradient(self._theta, weights, features, pull.arm)
        )
        step += entropy_push(self._theta, weights, features)
        self._theta = self._theta + self._rate * step

    def learned(self) -> dict[str, Any]:
        """Return the parameters."""
        return {"theta": dict(zip(self._arms, self._theta.tolist(), strict=True))}

    def _z(self, state: State) -> float | None:
        """Return the normalised energy on the highest tier that has a scale."""
        for tier in sorted(state, reverse=True):
            scale = self._scales.get(tier)
            if scale is not None and scale.is_ready:
                return scale.of(state[tier])
        return None

    def _reward(self, pull: Pull) -> tuple[float, float] | None:
        """Return reward and normalised energy before; None where there is none."""
        common = [tier for tier in pull.before if tier in pull.after and pull.is_new]
        tiers = common or list(pull.before)
        ready = [tier for tier in tiers if tier in self._scales and self._scales[tier].is_ready]
        if not ready:
            return None
        tier = max(ready)
        scale = self._scales[tier]
        before = scale.of(pull.before[tier])
        after = scale.of(pull.after[tier]) if tier in common else scale.of(scale.high)
        return before - after, before


def softmax_policy(
    theta: NDArray[np.float64], weights: NDArray[np.float64], features: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the probabilities of arms, shape (n,).

    Parameters
    ----------
    theta
        Parameters, shape (n, k).
    weights
        Weights, shape (n,); 0 for an arm that is not possible.
    features
        Of the state, shape (k,).
    """
    heights = np.where(weights > 0.0, theta @ features, -np.inf)
    raised = weights * np.exp(heights - heights.max())
    return raised / raised.sum()


def log_gradient(
    theta: NDArray[np.float64],
    weights: NDArray[np.float64],
    features: NDArray[np.float64],
    arm: int,
) -> NDArray[np.float64]:
    """Return the gradient of the logarithm of the probability of an arm, shape (n, k)."""
    chances = softmax_policy(theta, weights, features)
    chosen = np.zeros(len(theta))
    chosen[arm] = 1.0
    return np.outer(chosen - chances, features)


def entropy_push(
    theta: NDArray[np.float64], weights: NDArray[np.float64], features: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the gradient of the entropy where that is below 0.8 nat, else 0; shape (n, k)."""
    chances = softmax_policy(theta, weights, features)
    logs = np.log(np.where(chances > 0.0, chances, 1.0))
    entropy = -float(chances @ logs)
    if entropy >= LEAST_ENTROPY:
        return np.zeros_like(theta)
    return np.outer(-chances * (logs + entropy), features)
