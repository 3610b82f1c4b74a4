"""Move 1 of the fourteen."""

from __future__ import annotations

from typing import ClassVar

from nucleate.moves import atoms
from nucleate.moves.settings import MoveSettings


class SwapTwoAtoms(MoveSettings):
    """Exchange two atoms of different elements."""

    number: ClassVar[int] = 1
    apply = staticmethod(atoms.swap_two_atoms)
    applies = staticmethod(atoms.has_two_elements)
