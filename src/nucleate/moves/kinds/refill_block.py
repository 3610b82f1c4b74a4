"""Move 10 of the fourteen."""

from __future__ import annotations

from typing import ClassVar

from nucleate.moves import blocks
from nucleate.moves.settings import MoveSettings


class RefillBlock(MoveSettings):
    """Put the atoms of a sub-module on the sites of another motif."""

    number: ClassVar[int] = 10
    apply = staticmethod(blocks.refill_sub_module)
    applies = staticmethod(blocks.can_have_sparse_sub_module)
