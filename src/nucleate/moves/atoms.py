"""Moves 1 to 6: atoms change places or go to vacant sites."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nucleate.crystal.voids import vacant_sites
from nucleate.moves.move import TRIES, Child, MoveContext, first_allowed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nucleate.blocks.placement import SiteBoard
    from nucleate.crystal.crystal import Crystal

LARGEST_SAMPLE = 128
"""Maximum number of vacant sites that one move considers."""


def has_two_elements(parent: Crystal, context: MoveContext) -> bool:  # noqa: ARG001
    """Return whether there are unlike atoms to exchange."""
    return bool((parent.numbers != parent.numbers[0]).any())


def has_atoms_to_shuffle(parent: Crystal, context: MoveContext) -> bool:
    """Return whether three atoms of two elements can be chosen and one be left out."""
    return parent.n_atoms >= 4 and has_two_elements(parent, context)


def has_two_atoms(parent: Crystal, context: MoveContext) -> bool:  # noqa: ARG001
    """Return whether moving an atom changes more than the origin."""
    return parent.n_atoms >= 2


def swap_two_atoms(
    parent: Crystal, context: MoveContext, *, rng: np.random.Generator
) -> Child | None:
    """Exchange two atoms of different elements (move 1)."""
    if not has_two_elements(parent, context):
        return None

    def draw() -> Child:
        first = int(rng.integers(parent.n_atoms))
        second = int(rng.choice(np.flatnonzero(parent.numbers != parent.numbers[first])))
        scaled = parent.scaled.copy()
        scaled[[first, second]] = scaled[[second, first]]
        return Child(parent.replace(scaled=scaled), {"atoms": 2})

    return first_allowed(draw, parent, context)


def move_atom_to_vacancy(
    parent: Crystal, context: MoveContext, *, rng: np.random.Generator
) -> Child | None:
    """Put one atom on a vacant site (move 2).

    The site must be as far from the atom's old place as from another atom of its kind; else the
    next relaxation would only bring it back.
    """
    if not has_two_atoms(parent, context):
        return None
    sites = _Sites(parent, context, vacancies=True, rng=rng)
    for atom in rng.permutation(parent.n_atoms)[:TRIES].tolist():
        board = sites.board_without([atom])
        kind = int(sites.kinds[atom])
        board.block(atom, kind)
        allowed = board.allowed(kind)
        allowed[: parent.n_atoms] = False
        if allowed.any():
            child = sites.child([atom], [int(rng.choice(np.flatnonzero(allowed)))])
            if context.rejection(child.crystal) is None:
                return child
    return None


def shuffle_some_atoms(
    parent: Crystal, context: MoveContext, *, rng: np.random.Generator
) -> Child | None:
    """Permute three to N - 1 atoms of at least two elements among their places (move 3)."""
    if not has_atoms_to_shuffle(parent, context):
        return None
    sites = _Sites(parent, context, vacancies=False, rng=rng)
    return first_allowed(lambda: sites.rearranged(_some_atoms(parent, rng), rng), parent, context)


def shuffle_some_with_vacancies(
    parent: Crystal, context: MoveContext, *, rng: np.random.Generator
) -> Child | None:
    """Permute three to N - 1 atoms among their places and vacant sites (move 4).

    Every chosen atom goes, with even chances, to one of the places of the chosen atoms or to a
    vacant site, as far as there are vacant sites that keep the minimum distances.
    """
    if not has_atoms_to_shuffle(parent, context):
        return None
    sites = _Sites(parent, context, vacancies=True, rng=rng)
    return first_allowed(lambda: sites.rearranged(_some_atoms(parent, rng), rng), parent, context)


def shuffle_all_atoms(
    parent: Crystal, context: MoveContext, *, rng: np.random.Generator
) -> Child | None:
    """Permute all atoms among their places (move 5)."""
    if not has_two_elements(parent, context):
        return None
    sites = _Sites(parent, context, vacancies=False, rng=rng)
    everything = np.arange(parent.n_atoms)
    return first_allowed(lambda: sites.rearranged(everything, rng), parent, context)


def shuffle_all_with_vacancies(
    parent: Crystal, context: MoveContext, *, rng: np.random.Generator
) -> Child | None:
    """Permute all atoms among their places and vacant sites, as move 4 (move 6)."""
    if not has_two_atoms(parent, context):
        return None
    sites = _Sites(parent, context, vacancies=True, rng=rng)
    everything = np.arange(parent.n_atoms)
    return first_allowed(lambda: sites.rearranged(everything, rng), parent, context)


class _Sites:
    """The places of the parent's atoms, followed by a sample of its vacant sites."""

    def __init__(
        self, parent: Crystal, context: MoveContext, *, vacancies: bool, rng: np.random.Generator
    ) -> None:
        from nucleate.blocks.placement import SiteBoard

        self.parent = parent
        self.scaled = parent.scaled
        if vacancies:
            vacant = vacant_sites(
                parent,
                spacing=context.space.vacancy_spacing,
                exclusion=context.space.vacancy_exclusion,
            )
            sample = rng.permutation(len(vacant))[:LARGEST_SAMPLE]
            self.scaled = np.concatenate([parent.scaled, vacant[sample]])
        elements, self.kinds = np.unique(parent.numbers, return_inverse=True)
        self._vacancies = vacancies
        self._board = SiteBoard(self.scaled, parent.cell, context.least_distances(elements))

    def board_without(self, atoms: NDArray[np.int64] | list[int]) -> SiteBoard:
        """Return the board with all the other atoms on their places."""
        board = self._board.copy()
        others = np.delete(np.arange(self.parent.n_atoms), atoms)
        board.occupy(others, self.kinds[others])
        return board

    def child(
        self, atoms: NDArray[np.int64] | list[int], sites: NDArray[np.int64] | list[int]
    ) -> Child:
        """Return the parent with these atoms on these sites."""
        scaled = self.parent.scaled.copy()
        scaled[atoms] = self.scaled[sites]
        n_vacancies = int((np.asarray(sites) >= self.parent.n_atoms).sum())
        detail = {"atoms": len(atoms), "to_vacancies": n_vacancies}
        return Child(self.parent.replace(scaled=scaled), detail)

    def rearranged(self, atoms: NDArray[np.int64], rng: np.random.Generator) -> Child | None:
        """Return a child with these atoms on one another's places or, half of them, on vacancies.

        None if an atom found no place that keeps the minimum distances.
        """
        n_atoms = self.parent.n_atoms
        board = self.board_without(atoms)
        order = rng.permutation(atoms)
        leaves = rng.random(order.size) < (0.5 if self._vacancies else 0.0)
        rank = np.full((board.n_kinds, len(self.scaled)), -1)
        rank[:, :n_atoms] = 1
        stay = board.fill(self.kinds[order[~leaves]], rng=rng, rank=rank)
        rank[:, n_atoms:] = 0
        leave = board.fill(self.kinds[order[leaves]], rng=rng, rank=rank)
        if stay is None or leave is None:
            return None
        return self.child(
            np.concatenate([order[~leaves], order[leaves]]), np.concatenate([stay, leave])
        )


def _some_atoms(parent: Crystal, rng: np.random.Generator) -> NDArray[np.int64]:
    """Choose three to N - 1 atoms, among them two elements."""
    size = int(rng.integers(3, parent.n_atoms))
    atoms = rng.permutation(parent.n_atoms)
    numbers = parent.numbers[atoms]
    if (numbers[:size] == numbers[0]).all():
        unlike = np.flatnonzero(numbers != numbers[0])
        other = unlike[rng.integers(unlike.size)]
        atoms[[size - 1, other]] = atoms[[other, size - 1]]
    return atoms[:size]
