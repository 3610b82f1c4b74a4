"""Move 2 of the fourteen."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from nucleate.moves import atoms
from nucleate.moves.settings import MoveSettings

if TYPE_CHECKING:
    from nucleate.moves.move import ApplyMove, Precondition


class MoveAtomToVacancy(MoveSettings):
    """Put one atom on a vacant site."""

    number: ClassVar[int] = 2
    apply: ClassVar[ApplyMove] = staticmethod(atoms.move_atom_to_vacancy)
    applies: ClassVar[Precondition] = staticmethod(atoms.has_two_atoms)
