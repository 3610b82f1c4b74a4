"""Move 11 of the fourteen."""

from __future__ import annotations

from typing import ClassVar

from nucleate.moves import size
from nucleate.moves.settings import MoveSettings


class Double(MoveSettings):
    """Double the cell along a random axis."""

    number: ClassVar[int] = 11
    apply = staticmethod(size.double)
    applies = staticmethod(size.can_double)
