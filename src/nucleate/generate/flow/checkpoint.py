"""The trained flow in a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nucleate.generate.flow.settings import FlowSettings
from nucleate.generate.trained import TrainedKind

if TYPE_CHECKING:
    from nucleate.generate.flow.network import FlowNetwork


def _make(settings: FlowSettings) -> FlowNetwork:
    from nucleate.generate.flow.network import FlowNetwork

    return FlowNetwork(settings)


FLOW = TrainedKind(
    name="flow",
    what="flow of crystals",
    version=1,
    shipped="mp12",
    settings=FlowSettings,
    make=_make,
)
