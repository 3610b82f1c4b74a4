"""Move 1 of the fourteen."""

from nucleate.moves import atoms
from nucleate.moves.settings import PaperMove


class SwapTwoAtoms(PaperMove):
    """Exchange two atoms of different elements."""

    number = 1
    move = staticmethod(atoms.swap_two_atoms)
    when = staticmethod(atoms.has_two_elements)
