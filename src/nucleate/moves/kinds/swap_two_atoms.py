"""Move 1 of the fourteen."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from nucleate.moves import atoms
from nucleate.moves.settings import MoveSettings

if TYPE_CHECKING:
    from nucleate.moves.move import ApplyMove, Precondition


class SwapTwoAtoms(MoveSettings):
    """Exchange two atoms of different elements."""

    number: ClassVar[int] = 1
    apply: ClassVar[ApplyMove] = staticmethod(atoms.swap_two_atoms)
    applies: ClassVar[Precondition] = staticmethod(atoms.has_two_elements)
