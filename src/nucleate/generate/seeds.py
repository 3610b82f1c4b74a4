"""The user's own structures, or a ready ranked pool of another program, as candidates."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nucleate.crystal.candidate import Candidate, Origin
from nucleate.crystal.composition import Composition
from nucleate.errors import InputError
from nucleate.generate.generator import Generator
from nucleate.generate.given import GivenStructures, given_structures

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy as np

    from nucleate.crystal.crystal import Crystal
    from nucleate.crystal.space import SearchSpace


class SeedsGenerator(Generator):
    """Gives each crystal once, in order, then None.

    Parameters
    ----------
    space : SearchSpace
        Every crystal must have its composition and at most its number of atoms.
    crystals : iterable of (str, Crystal)
        Names and crystals, the best first.

    Raises
    ------
    InputError
        If a crystal does not fit the space.
    """

    name = "seeds"

    def __init__(self, space: SearchSpace, crystals: Iterable[tuple[str, Crystal]]) -> None:
        self._crystals = list(crystals)
        self._next = 0
        for name, crystal in self._crystals:
            _check(space, name, crystal)

    def generate(
        self, *, rng: np.random.Generator, max_formula_units: int | None = None
    ) -> Candidate | None:
        """Return the next crystal, or None when all have been given.

        Neither argument changes the order.
        """
        del rng, max_formula_units
        if self._next >= len(self._crystals):
            return None
        name, crystal = self._crystals[self._next]
        self._next += 1
        return Candidate(crystal, Origin("seeds", detail={"file": name, "order": self._next - 1}))

    def note(self, origin: Origin) -> None:
        """Leave out a crystal that was given before an interruption, and those before it."""
        if origin.detail.get("source", origin.source) == self.name and "order" in origin.detail:
            self._next = max(self._next, int(origin.detail["order"]) + 1)


def usable_seeds(
    space: SearchSpace, files: str | Sequence[str], start_ratio: float = 1.0
) -> GivenStructures:
    """Return the structures of files that a search can begin with, the others counted.

    Those that were computed under the pressure of the run are expanded to 0 GPa
    (:func:`~nucleate.generate.given.at_rest`).

    Raises
    ------
    InputError
        If a pattern matches nothing.
    """
    return given_structures(space, files, kind="seeds", start_ratio=start_ratio)


def _check(space: SearchSpace, name: str, crystal: Crystal) -> None:
    composition = space.composition
    if composition.formula_units_of(crystal.numbers) is None:
        found = Composition.from_numbers(crystal.numbers).formula
        raise InputError(
            f"seeds: {name} has the composition {found}, not {composition.formula}. "
            "Take the file out, or search its own composition."
        )
    if crystal.n_atoms > space.max_atoms:
        raise InputError(
            f"seeds: {name} has {crystal.n_atoms} atoms, more than max_atoms = "
            f"{space.max_atoms}. Raise max_atoms to at least {crystal.n_atoms}, or reduce the "
            "structure to its primitive cell."
        )
