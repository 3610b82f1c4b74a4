"""Move 7 of the fourteen."""

from nucleate.moves import blocks
from nucleate.moves.settings import PaperMove


class SwapTwoBlocks(PaperMove):
    """Exchange two sub-modules, not both empty."""

    number = 7
    move = staticmethod(blocks.swap_two_sub_modules)
    when = staticmethod(blocks.has_three_sub_modules)
