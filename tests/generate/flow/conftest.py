"""A small flow with random weights: what must hold for every network holds for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from nucleate.generate.flow.network import FlowNetwork


@pytest.fixture(scope="session")
def field() -> FlowNetwork:
    torch = pytest.importorskip("torch")
    from nucleate.generate.flow.network import FlowNetwork
    from nucleate.generate.flow.settings import FlowSettings

    torch.manual_seed(0)
    network = FlowNetwork(FlowSettings(width=16, layers=2))
    for name, parameter in network.named_parameters():
        if "to_" in name or "along" in name:  # these begin with zeros
            torch.nn.init.normal_(parameter, std=0.05)
    network.prior_spread.mul_(0.1)
    return network.eval()


@pytest.fixture(scope="session")
def small_flow(field: FlowNetwork, tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("safetensors")
    from nucleate.generate.flow.checkpoint import FLOW
    from nucleate.generate.trained import Trained, arrays_of

    path = tmp_path_factory.mktemp("flow") / "small.safetensors"
    about = {"name": "random weights"}
    Trained(FLOW, field.settings, arrays_of(field.state_dict()), tuple(range(1, 95)), about).save(
        path
    )
    return path
