"""Move 6 of the fourteen."""

from nucleate.moves import atoms
from nucleate.moves.settings import PaperMove


class ShuffleAllWithVacancies(PaperMove):
    """Permute all atoms among their places and vacant sites."""

    number = 6
    move = staticmethod(atoms.shuffle_all_with_vacancies)
    when = staticmethod(atoms.has_two_atoms)
