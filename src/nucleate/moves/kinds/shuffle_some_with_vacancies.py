"""Move 4 of the fourteen."""

from __future__ import annotations

from typing import ClassVar

from nucleate.moves import atoms
from nucleate.moves.settings import MoveSettings


class ShuffleSomeWithVacancies(MoveSettings):
    """Permute three to N - 1 atoms among their places and vacant sites."""

    number: ClassVar[int] = 4
    apply = staticmethod(atoms.shuffle_some_with_vacancies)
    applies = staticmethod(atoms.has_atoms_to_shuffle)
