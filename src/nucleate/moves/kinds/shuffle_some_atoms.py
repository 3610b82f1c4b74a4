"""Move 3 of the fourteen."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from nucleate.moves import atoms
from nucleate.moves.settings import MoveSettings

if TYPE_CHECKING:
    from nucleate.moves.move import ApplyMove, Precondition


class ShuffleSomeAtoms(MoveSettings):
    """Permute three to N - 1 atoms of at least two elements among their places."""

    number: ClassVar[int] = 3
    apply: ClassVar[ApplyMove] = staticmethod(atoms.shuffle_some_atoms)
    applies: ClassVar[Precondition] = staticmethod(atoms.has_atoms_to_shuffle)
