"""Move 8 of the fourteen."""

from nucleate.moves import blocks
from nucleate.moves.settings import PaperMove


class SwapTwoLayers(PaperMove):
    """Exchange two layers of sub-modules along one axis."""

    number = 8
    move = staticmethod(blocks.swap_two_layers)
    when = staticmethod(blocks.has_three_layers)
