"""Move 5 of the fourteen."""

from nucleate.moves import atoms
from nucleate.moves.settings import PaperMove


class ShuffleAllAtoms(PaperMove):
    """Permute all atoms among their places."""

    number = 5
    move = staticmethod(atoms.shuffle_all_atoms)
    when = staticmethod(atoms.has_two_elements)
