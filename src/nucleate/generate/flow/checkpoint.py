"""The trained flow in a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nucleate.errors import MissingDependencyError
from nucleate.generate.flow.settings import FlowSettings
from nucleate.generate.trained import TrainedKind, torch_network

if TYPE_CHECKING:
    from nucleate.generate.flow.network import FlowNetwork
    from nucleate.generate.trained import Arrays

WHAT = "flow of crystals"


def _make(settings: FlowSettings, state: Arrays) -> FlowNetwork:
    try:
        from nucleate.generate.flow.network import FlowNetwork
    except ImportError as error:
        raise MissingDependencyError(
            f"the {WHAT} needs torch: pip install 'nucleate[train]'"
        ) from error
    return torch_network(lambda: FlowNetwork(settings), state)


FLOW = TrainedKind(
    name="flow",
    what=WHAT,
    version=1,
    shipped="mp12",
    settings=FlowSettings,
    make=_make,
)
