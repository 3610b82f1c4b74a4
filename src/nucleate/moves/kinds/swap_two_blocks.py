"""Move 7 of the fourteen."""

from __future__ import annotations

from typing import ClassVar

from nucleate.moves import blocks
from nucleate.moves.settings import MoveSettings


class SwapTwoBlocks(MoveSettings):
    """Exchange two sub-modules, not both empty."""

    number: ClassVar[int] = 7
    apply = staticmethod(blocks.swap_two_sub_modules)
    applies = staticmethod(blocks.has_three_sub_modules)
