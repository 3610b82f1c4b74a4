"""Move 9 of the fourteen."""

from __future__ import annotations

from typing import ClassVar

from nucleate.moves import cell
from nucleate.moves.settings import MoveSettings


class Reshape(MoveSettings):
    """Keep the sub-modules in their order and give the cell another grid and other angles."""

    number: ClassVar[int] = 9
    apply = staticmethod(cell.reshape)
    applies = staticmethod(cell.always)
