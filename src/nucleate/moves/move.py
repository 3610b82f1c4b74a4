"""What a move is, and what it may use."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

from nucleate.crystal.candidate import Candidate

if TYPE_CHECKING:
    from nucleate.crystal.crystal import Crystal
    from nucleate.crystal.space import SearchSpace

Detail = Mapping[str, str | int | float]
FreshSource = Callable[[int | None, np.random.Generator], Candidate | None]

TRIES = 10
"""How often a move draws again when its trial breaks a contact limit."""

RATTLE_ANG = 0.05
"""Å; random displacement of the atoms of a child in the paper's calculations."""

CONTACT_SCALE = 0.85
"""Factor on the minimum distances of the space for the children of moves.

A relaxation pushes atoms apart that are a little too close, so moves may bring them closer than a
generator does. Measured in ``benchmarks/blocks_and_moves.py``.
"""


class Child(NamedTuple):
    """What a move makes of its parent.

    Attributes
    ----------
    crystal : Crystal
        A new crystal of the same composition.
    detail : mapping
        What was drawn, for the provenance.
    """

    crystal: Crystal
    detail: Detail


@dataclass(frozen=True, slots=True)
class MoveContext:
    """What a move may use besides its parent and its random numbers.

    Attributes
    ----------
    space : SearchSpace
        What is allowed; the volume window does not apply to children.
    fresh : callable
        ``fresh(max_formula_units, rng)`` returns a new candidate from the pool or a generator, or
        None; ``max_formula_units=None`` means the limit of the space.
    contact_scale : float
        Factor on the minimum distances of the space.
    align_anchors : bool
        Swapped sub-modules are shifted so that the atoms nearest to their origins change places.
    rattle : float
        Standard deviation in Å of a random displacement that :func:`propose` gives every atom of
        a child, except of moves 13 and 14; 0.05 in the paper's calculations.
    module_size : float
        Edge of a sub-module in Å.
    """

    space: SearchSpace
    fresh: FreshSource
    contact_scale: float = CONTACT_SCALE
    align_anchors: bool = True
    rattle: float = RATTLE_ANG
    module_size: float = field(init=False)
    _screen: SearchSpace = field(init=False, repr=False)

    def __post_init__(self) -> None:
        space = self.space
        relaxed = replace(
            space,
            contact_scale=space.contact_scale * self.contact_scale,
            min_distances=np.maximum(
                space.min_distances * self.contact_scale, space.firm_distances
            ),
        )
        object.__setattr__(self, "_screen", relaxed)
        object.__setattr__(self, "module_size", space.composition.submodule_size)

    def rejection(self, crystal: Crystal) -> str | None:
        """Return why a child is not allowed, or None if it is.

        The reasons are those of :meth:`SearchSpace.rejection`, with the relaxed minimum distances
        and without the volume window.
        """
        return self._screen.rejection(crystal, check_volume=False)

    def least_distances(self, numbers: np.ndarray) -> np.ndarray:
        """Return the relaxed minimum distances in Å between elements, shape (k, k)."""
        return self._screen.min_distances[np.ix_(numbers, numbers)]

    def fits(self, copies: int, parent: Crystal) -> bool:
        """Return whether a cell of this number of copies of the parent is allowed in size."""
        return self._screen.size_rejection(np.tile(parent.numbers, copies)) is None


class ApplyMove(Protocol):
    """A pure function from a parent to a child; None if no allowed child was found."""

    def __call__(
        self, parent: Crystal, context: MoveContext, *, rng: np.random.Generator
    ) -> Child | Crystal | None:
        """Return a changed copy of the parent, or None."""
        ...


class Precondition(Protocol):
    """Whether a move can do anything at all with a parent."""

    def __call__(self, parent: Crystal, context: MoveContext) -> bool:
        """Return False if the move cannot change this parent."""
        ...


@dataclass(frozen=True, slots=True)
class Move:
    """One of the ways to turn a crystal into another of the same composition.

    Attributes
    ----------
    number : int
        Number in the paper, 1 to 14; 0 for a move that is not from there.
    name : str
        Name in input files and records.
    apply : callable
        ``apply(parent, context, rng=rng)`` returns a :class:`Child`, a crystal or None.
    applies : callable
        ``applies(parent, context)``: the precondition.
    renews : bool
        The child has nothing to do with the parent.
    multiplies : bool
        The child has a larger cell, in which it may be its parent still.
    keeps_symmetry : bool
        The child is symmetric on purpose, so that it is not rattled.
    """

    number: int
    name: str
    apply: ApplyMove
    applies: Precondition
    renews: bool = False
    multiplies: bool = False
    keeps_symmetry: bool = False


def first_allowed(
    draw: Callable[[], Child | None],
    parent: Crystal,
    context: MoveContext,
    *,
    tries: int = TRIES,
    push: bool = True,
) -> Child | None:
    """Draw until a child is allowed and differs from its parent.

    Where only contacts stood in the way of every draw, the atoms of the first are pushed apart,
    unless ``push`` is False. None if that does not help either.
    """
    crowded = None
    for _ in range(tries):
        child = draw()
        if child is None:
            continue
        reason = context.rejection(child.crystal)
        if reason is None and not is_same(child.crystal, parent):
            return child
        if reason == "contact" and crowded is None:
            crowded = child
    return None if crowded is None or not push else _pushed_apart(crowded, context)


def _pushed_apart(child: Child, context: MoveContext) -> Child | None:
    from nucleate.blocks.repulsion import push_apart

    crystal = child.crystal
    elements, kinds = np.unique(crystal.numbers, return_inverse=True)
    scaled = push_apart(crystal.scaled, crystal.cell, kinds, context.least_distances(elements))
    if scaled is None:
        return None
    crystal = crystal.replace(scaled=scaled).wrapped()
    if context.rejection(crystal) is not None:
        return None
    return Child(crystal, {**child.detail, "pushed_apart": 1})


def is_half(move: Move, child: Crystal, parent: Crystal) -> bool:
    """Return whether a move is but half of a pair: the child is its parent in a larger cell."""
    if not move.multiplies or child.n_atoms <= parent.n_atoms:
        return False
    from nucleate.crystal.fingerprint import fingerprint, is_duplicate

    return is_duplicate(fingerprint(child), fingerprint(parent))


def is_same(crystal: Crystal, other: Crystal, *, tolerance: float = 1e-6) -> bool:
    """Return whether two crystals are the same arrays but for the order of atoms and wrapping."""
    if crystal.n_atoms != other.n_atoms or not np.allclose(
        crystal.cell, other.cell, atol=tolerance
    ):
        return False
    places = [
        np.rint(item.wrapped().scaled / tolerance) % (1 / tolerance) for item in (crystal, other)
    ]
    orders = [
        np.lexsort([*place.T, item.numbers])
        for place, item in zip(places, (crystal, other), strict=True)
    ]
    return np.array_equal(crystal.numbers[orders[0]], other.numbers[orders[1]]) and np.array_equal(
        places[0][orders[0]], places[1][orders[1]]
    )
