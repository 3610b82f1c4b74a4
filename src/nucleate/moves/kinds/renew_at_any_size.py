"""Move 14 of the fourteen."""

from nucleate.moves import renewal
from nucleate.moves.settings import PaperMove


class RenewAtAnySize(PaperMove):
    """Take a new structure of any allowed size."""

    number = 14
    renews = True
    move = staticmethod(renewal.renew_at_any_size)
