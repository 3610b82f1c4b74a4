"""Move 11 of the fourteen."""

from nucleate.moves import size
from nucleate.moves.settings import PaperMove


class Double(PaperMove):
    """Double the cell along a random axis."""

    number = 11
    multiplies = True
    move = staticmethod(size.double)
    when = staticmethod(size.can_double)
