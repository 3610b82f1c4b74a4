"""Move 2 of the fourteen."""

from __future__ import annotations

from typing import ClassVar

from nucleate.moves import atoms
from nucleate.moves.settings import MoveSettings


class MoveAtomToVacancy(MoveSettings):
    """Put one atom on a vacant site."""

    number: ClassVar[int] = 2
    apply = staticmethod(atoms.move_atom_to_vacancy)
    applies = staticmethod(atoms.has_two_atoms)
