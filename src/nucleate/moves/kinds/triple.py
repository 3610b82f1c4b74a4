"""Move 12 of the fourteen."""

from nucleate.moves import size
from nucleate.moves.settings import PaperMove


class Triple(PaperMove):
    """Triple the cell along a random axis."""

    number = 12
    multiplies = True
    move = staticmethod(size.triple)
    when = staticmethod(size.can_triple)
