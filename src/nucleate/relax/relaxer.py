"""The interface of every engine: crystals in, outcomes out as they finish."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from nucleate.crystal.crystal import Crystal
    from nucleate.energy.level import LevelOfTheory
    from nucleate.relax.outcome import Outcome


class Relaxer(Protocol):
    """Relaxes many crystals at once with one energy model.

    A finished crystal leaves and a new one takes its place: add crystals while there are free
    slots, then step until their outcomes come back.
    """

    @property
    def level(self) -> LevelOfTheory:
        """Level of theory of every energy this relaxer gives."""
        ...

    def free_slots(self) -> int:
        """Return how many more crystals can be added now."""
        ...

    def add(self, key: int, crystal: Crystal, fixed: ArrayLike | None = None) -> None:
        """Take a crystal to relax; its outcome comes back under ``key``.

        Parameters
        ----------
        key
            Any number.
        crystal
            Anything; what cannot be relaxed comes back as `Failed`.
        fixed
            True for each fractional coordinate that must stay, shape (n_atoms, 3). The cell then
            stays too. An engine that cannot hold atoms answers with `Failed`.
        """
        ...

    def step(self) -> list[tuple[int, Outcome]]:
        """Advance every crystal in flight a little; return those that ended."""
        ...
