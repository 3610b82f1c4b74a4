"""Move 6 of the fourteen."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from nucleate.moves import atoms
from nucleate.moves.settings import MoveSettings

if TYPE_CHECKING:
    from nucleate.moves.move import ApplyMove, Precondition


class ShuffleAllWithVacancies(MoveSettings):
    """Permute all atoms among their places and vacant sites."""

    number: ClassVar[int] = 6
    apply: ClassVar[ApplyMove] = staticmethod(atoms.shuffle_all_with_vacancies)
    applies: ClassVar[Precondition] = staticmethod(atoms.has_two_atoms)
