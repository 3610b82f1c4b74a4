"""Move 5 of the fourteen."""

from __future__ import annotations

from typing import ClassVar

from nucleate.moves import atoms
from nucleate.moves.settings import MoveSettings


class ShuffleAllAtoms(MoveSettings):
    """Permute all atoms among their places."""

    number: ClassVar[int] = 5
    apply = staticmethod(atoms.shuffle_all_atoms)
    applies = staticmethod(atoms.has_two_elements)
