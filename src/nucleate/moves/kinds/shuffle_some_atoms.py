"""Move 3 of the fourteen."""

from nucleate.moves import atoms
from nucleate.moves.settings import PaperMove


class ShuffleSomeAtoms(PaperMove):
    """Permute three to N - 1 atoms of at least two elements among their places."""

    number = 3
    move = staticmethod(atoms.shuffle_some_atoms)
    when = staticmethod(atoms.has_atoms_to_shuffle)
