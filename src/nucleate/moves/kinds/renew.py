"""Move 13 of the fourteen."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from nucleate.moves import renewal
from nucleate.moves.settings import MoveSettings

if TYPE_CHECKING:
    from nucleate.moves.move import ApplyMove


class Renew(MoveSettings):
    """Take a new structure of at most the parent's size."""

    number: ClassVar[int] = 13
    renews: ClassVar[bool] = True
    apply: ClassVar[ApplyMove] = staticmethod(renewal.renew)
