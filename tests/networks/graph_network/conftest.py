"""Small untrained networks of both kinds."""

from __future__ import annotations

import pytest
import torch

from nucleate.networks.graph_network.checkpoint import Checkpoint, build_network
from nucleate.networks.graph_network.network import GraphNetwork
from nucleate.networks.graph_network.settings import (
    HarmonicSettings,
    MegnetSettings,
    NetworkSettings,
)

SMALL: dict[str, NetworkSettings] = {
    "harmonic": HarmonicSettings(
        width=16, channels=8, blocks=2, gaussians=8, neighbours=6, r_max=5.0
    ),
    "megnet": MegnetSettings(
        gaussians=8, embedding=4, wide=12, middle=8, narrow=4, blocks=2, steps=2, r_cut=3.5
    ),
}


def untrained(kind: str, *, seed: int = 0, members: int = 1) -> GraphNetwork:
    """Return a network with seeded weights that knows all elements up to uranium."""
    torch.manual_seed(seed)
    states = tuple(build_network(SMALL[kind]).state_dict() for _ in range(members))
    return GraphNetwork(Checkpoint(SMALL[kind], states, tuple(range(1, 93))))


@pytest.fixture(scope="session", params=list(SMALL))
def small(request: pytest.FixtureRequest) -> GraphNetwork:
    """An untrained network of each kind."""
    return untrained(request.param)
