"""Move 3 of the fourteen."""

from __future__ import annotations

from typing import ClassVar

from nucleate.moves import atoms
from nucleate.moves.settings import MoveSettings


class ShuffleSomeAtoms(MoveSettings):
    """Permute three to N - 1 atoms of at least two elements among their places."""

    number: ClassVar[int] = 3
    apply = staticmethod(atoms.shuffle_some_atoms)
    applies = staticmethod(atoms.has_atoms_to_shuffle)
