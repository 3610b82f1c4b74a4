"""Move 14 of the fourteen."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from nucleate.moves import renewal
from nucleate.moves.settings import MoveSettings

if TYPE_CHECKING:
    from nucleate.moves.move import ApplyMove


class RenewAtAnySize(MoveSettings):
    """Take a new structure of any allowed size."""

    number: ClassVar[int] = 14
    renews: ClassVar[bool] = True
    apply: ClassVar[ApplyMove] = staticmethod(renewal.renew_at_any_size)
