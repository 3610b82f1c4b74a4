"""Move 5 of the fourteen."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from nucleate.moves import atoms
from nucleate.moves.settings import MoveSettings

if TYPE_CHECKING:
    from nucleate.moves.move import ApplyMove, Precondition


class ShuffleAllAtoms(MoveSettings):
    """Permute all atoms among their places."""

    number: ClassVar[int] = 5
    apply: ClassVar[ApplyMove] = staticmethod(atoms.shuffle_all_atoms)
    applies: ClassVar[Precondition] = staticmethod(atoms.has_two_elements)
