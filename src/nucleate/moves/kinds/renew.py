"""Move 13 of the fourteen."""

from nucleate.moves import renewal
from nucleate.moves.settings import PaperMove


class Renew(PaperMove):
    """Take a new structure of at most the parent's size."""

    number = 13
    renews = True
    move = staticmethod(renewal.renew)
