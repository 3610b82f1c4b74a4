"""Move 13 of the fourteen."""

from __future__ import annotations

from typing import ClassVar

from nucleate.moves import renewal
from nucleate.moves.settings import MoveSettings


class Renew(MoveSettings):
    """Take a new structure of at most the parent's size."""

    number: ClassVar[int] = 13
    renews: ClassVar[bool] = True
    apply = staticmethod(renewal.renew)
