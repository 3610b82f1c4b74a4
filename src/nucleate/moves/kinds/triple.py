"""Move 12 of the fourteen."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from nucleate.moves import size
from nucleate.moves.settings import MoveSettings

if TYPE_CHECKING:
    from nucleate.moves.move import ApplyMove, Precondition


class Triple(MoveSettings):
    """Triple the cell along a random axis."""

    number: ClassVar[int] = 12
    multiplies: ClassVar[bool] = True
    apply: ClassVar[ApplyMove] = staticmethod(size.triple)
    applies: ClassVar[Precondition] = staticmethod(size.can_triple)
