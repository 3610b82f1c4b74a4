"""Move 12 of the fourteen."""

from __future__ import annotations

from typing import ClassVar

from nucleate.moves import size
from nucleate.moves.settings import MoveSettings


class Triple(MoveSettings):
    """Triple the cell along a random axis."""

    number: ClassVar[int] = 12
    apply = staticmethod(size.triple)
    applies = staticmethod(size.can_triple)
