"""Move 6 of the fourteen."""

from __future__ import annotations

from typing import ClassVar

from nucleate.moves import atoms
from nucleate.moves.settings import MoveSettings


class ShuffleAllWithVacancies(MoveSettings):
    """Permute all atoms among their places and vacant sites."""

    number: ClassVar[int] = 6
    apply = staticmethod(atoms.shuffle_all_with_vacancies)
    applies = staticmethod(atoms.has_two_atoms)
