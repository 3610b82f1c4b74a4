"""Move 8 of the fourteen."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from nucleate.moves import blocks
from nucleate.moves.settings import MoveSettings

if TYPE_CHECKING:
    from nucleate.moves.move import ApplyMove, Precondition


class SwapTwoLayers(MoveSettings):
    """Exchange two layers of sub-modules along one axis."""

    number: ClassVar[int] = 8
    apply: ClassVar[ApplyMove] = staticmethod(blocks.swap_two_layers)
    applies: ClassVar[Precondition] = staticmethod(blocks.has_three_layers)
