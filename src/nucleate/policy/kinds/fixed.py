"""The weights of the input, whatever comes of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nucleate.policy.policy import PolicySettings

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from nucleate.policy.policy import PolicyContext, Pull, State


class Fixed(PolicySettings):
    """Sources and moves are drawn by their weights, from the first to the last."""

    def build(self, context: PolicyContext) -> FixedPolicy:
        """Return the policy."""
        del context
        return FixedPolicy()


class FixedPolicy:
    """Learns nothing."""

    learns = False
    looks = False

    def chances(self, weights: NDArray[np.float64], state: State) -> NDArray[np.float64]:
        """Return the weights, normalised."""
        del state
        return weights / weights.sum()

    def tell(self, pull: Pull) -> None:
        """Learn nothing."""

    def learned(self) -> dict[str, Any]:
        """Return nothing."""
        return {}
