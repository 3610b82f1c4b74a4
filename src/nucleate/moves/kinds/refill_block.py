"""Move 10 of the fourteen."""

from nucleate.moves import blocks
from nucleate.moves.settings import PaperMove


class RefillBlock(PaperMove):
    """Put the atoms of a sub-module on the sites of another motif."""

    number = 10
    move = staticmethod(blocks.refill_sub_module)
    when = staticmethod(blocks.can_have_sparse_sub_module)
