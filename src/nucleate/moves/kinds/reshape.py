"""Move 9 of the fourteen."""

from nucleate.moves import cell
from nucleate.moves.settings import PaperMove


class Reshape(PaperMove):
    """Keep the sub-modules in their order and give the cell another grid and other angles."""

    number = 9
    move = staticmethod(cell.reshape)
    when = staticmethod(cell.always)
