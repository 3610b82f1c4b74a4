"""Move 8 of the fourteen."""

from __future__ import annotations

from typing import ClassVar

from nucleate.moves import blocks
from nucleate.moves.settings import MoveSettings


class SwapTwoLayers(MoveSettings):
    """Exchange two layers of sub-modules along one axis."""

    number: ClassVar[int] = 8
    apply = staticmethod(blocks.swap_two_layers)
    applies = staticmethod(blocks.has_three_layers)
