"""Move 10 of the fourteen."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from nucleate.moves import blocks
from nucleate.moves.settings import MoveSettings

if TYPE_CHECKING:
    from nucleate.moves.move import ApplyMove, Precondition


class RefillBlock(MoveSettings):
    """Put the atoms of a sub-module on the sites of another motif."""

    number: ClassVar[int] = 10
    apply: ClassVar[ApplyMove] = staticmethod(blocks.refill_sub_module)
    applies: ClassVar[Precondition] = staticmethod(blocks.can_have_sparse_sub_module)
