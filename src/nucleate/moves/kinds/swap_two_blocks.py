"""Move 7 of the fourteen."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from nucleate.moves import blocks
from nucleate.moves.settings import MoveSettings

if TYPE_CHECKING:
    from nucleate.moves.move import ApplyMove, Precondition


class SwapTwoBlocks(MoveSettings):
    """Exchange two sub-modules, not both empty."""

    number: ClassVar[int] = 7
    apply: ClassVar[ApplyMove] = staticmethod(blocks.swap_two_sub_modules)
    applies: ClassVar[Precondition] = staticmethod(blocks.has_three_sub_modules)
