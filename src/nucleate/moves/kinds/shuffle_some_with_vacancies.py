"""Move 4 of the fourteen."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from nucleate.moves import atoms
from nucleate.moves.settings import MoveSettings

if TYPE_CHECKING:
    from nucleate.moves.move import ApplyMove, Precondition


class ShuffleSomeWithVacancies(MoveSettings):
    """Permute three to N - 1 atoms among their places and vacant sites."""

    number: ClassVar[int] = 4
    apply: ClassVar[ApplyMove] = staticmethod(atoms.shuffle_some_with_vacancies)
    applies: ClassVar[Precondition] = staticmethod(atoms.has_atoms_to_shuffle)
