"""Move 2 of the fourteen."""

from nucleate.moves import atoms
from nucleate.moves.settings import PaperMove


class MoveAtomToVacancy(PaperMove):
    """Put one atom on a vacant site."""

    number = 2
    move = staticmethod(atoms.move_atom_to_vacancy)
    when = staticmethod(atoms.has_two_atoms)
