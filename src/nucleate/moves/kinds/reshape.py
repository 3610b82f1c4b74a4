"""Move 9 of the fourteen."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from nucleate.moves import cell
from nucleate.moves.settings import MoveSettings

if TYPE_CHECKING:
    from nucleate.moves.move import ApplyMove, Precondition


class Reshape(MoveSettings):
    """Keep the sub-modules in their order and give the cell another grid and other angles."""

    number: ClassVar[int] = 9
    apply: ClassVar[ApplyMove] = staticmethod(cell.reshape)
    applies: ClassVar[Precondition] = staticmethod(cell.always)
