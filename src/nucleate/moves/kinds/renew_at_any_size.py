"""Move 14 of the fourteen."""

from __future__ import annotations

from typing import ClassVar

from nucleate.moves import renewal
from nucleate.moves.settings import MoveSettings


class RenewAtAnySize(MoveSettings):
    """Take a new structure of any allowed size."""

    number: ClassVar[int] = 14
    renews: ClassVar[bool] = True
    apply = staticmethod(renewal.renew_at_any_size)
