"""Move 11 of the fourteen."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from nucleate.moves import size
from nucleate.moves.settings import MoveSettings

if TYPE_CHECKING:
    from nucleate.moves.move import ApplyMove, Precondition


class Double(MoveSettings):
    """Double the cell along a random axis."""

    number: ClassVar[int] = 11
    multiplies: ClassVar[bool] = True
    apply: ClassVar[ApplyMove] = staticmethod(size.double)
    applies: ClassVar[Precondition] = staticmethod(size.can_double)
