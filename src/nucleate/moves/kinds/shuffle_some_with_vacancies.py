"""Move 4 of the fourteen."""

from nucleate.moves import atoms
from nucleate.moves.settings import PaperMove


class ShuffleSomeWithVacancies(PaperMove):
    """Permute three to N - 1 atoms among their places and vacant sites."""

    number = 4
    move = staticmethod(atoms.shuffle_some_with_vacancies)
    when = staticmethod(atoms.has_atoms_to_shuffle)
