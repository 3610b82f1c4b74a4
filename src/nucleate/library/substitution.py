"""Candidates of a composition by substitution into known structures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from nucleate.crystal.cells import reduced_cell
from nucleate.library.ranking import cast

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from nucleate.crystal.composition import Composition
    from nucleate.crystal.crystal import Crystal
    from nucleate.crystal.space import SearchSpace
    from nucleate.library.hold_out import HoldOut
    from nucleate.library.library import Library
    from nucleate.library.ranking import Coloured

GEOMETRIES = 5
"""Most geometries of one coloured prototype."""

LATER_GEOMETRY = 0.03
"""Factor on the vote of each further geometry of a coloured prototype."""

_ALIKE = 0.03
_SCREENED = 40


@dataclass(frozen=True, slots=True)
class Draft:
    """Candidates that are not built yet.

    Attributes
    ----------
    vote : float
        What the order goes by.
    build : callable
        Returns the candidates it stands for, and drafts of others with no greater vote.
    """

    vote: float
    build: Callable[[], Iterable[Proposal | Draft]]


@dataclass(frozen=True, slots=True)
class Substitution:
    """Candidates by substitution into known structures.

    Attributes
    ----------
    support : float
        Sum of the votes of all prototypes that fit.
    number : int
        Candidates there can be, the same coloured prototype with other geometries included.
    first : Draft or None
        The candidate with the greatest vote, which leads to all others.
    """

    support: float
    number: int
    first: Draft | None


@dataclass(frozen=True, slots=True)
class Proposal:
    """A candidate structure before anything is relaxed.

    Attributes
    ----------
    crystal : Crystal
        In its reduced primitive cell.
    detail : dict
        Where it comes from: ``prototype`` (label), ``reference`` (identifier of the entry),
        ``reference_formula``, ``weight`` (share of the vote), ``geometry`` (1 for the first of
        its coloured prototype) and ``derived`` (how, for a derived prototype).
    vote : float
        What the order goes by.
    """

    crystal: Crystal
    detail: dict[str, Any]
    vote: float


def substituted(
    library: Library,
    composition: Composition,
    hold_out: HoldOut,
    space: SearchSpace | None = None,
) -> Substitution:
    """Return the candidates by substitution.

    Parameters
    ----------
    library
        The known structures.
    composition
        The target.
    hold_out
        Which entries may be used.
    space
        Prototypes of a size that it does not allow are left out.
    """
    counts = [count for _, count in composition.items]
    ballot = cast(library, composition.elements, counts, hold_out)
    if ballot is None:
        return Substitution(0.0, 0, None)
    sizes = ballot.group.n_atoms
    fitting = {n for n in ballot.group.sizes if space is None or fits(space, n, composition)}
    inside = np.isin(sizes, list(fitting))
    voters = np.add.reduceat(ballot.allowed.astype(np.int64), ballot.group.starts[:-1])
    colourings = np.count_nonzero(ballot.folded, axis=1)
    ranked = (item for item in ballot.ranked(_SCREENED, inside) if item.entries)
    return Substitution(
        support=float(ballot.folded[inside].sum()),
        number=int((colourings * np.minimum(voters, GEOMETRIES))[inside].sum()),
        first=_next_prototype(library, ranked),
    )


def fits(space: SearchSpace, n_atoms: int, composition: Composition) -> bool:
    """Return whether a primitive cell with this number of atoms is allowed."""
    units, rest = divmod(n_atoms, composition.n_atoms)
    return (
        rest == 0
        and n_atoms <= space.max_atoms
        and any(allowed % units == 0 for allowed in space.formula_units)
    )


def _next_prototype(library: Library, ranked: Iterator[Coloured]) -> Draft | None:
    """Return the draft of the next coloured prototype, which leads to those after it."""
    item = next(ranked, None)
    if item is None:
        return None

    def build() -> Iterator[Proposal | Draft]:
        yield _proposal(library, item, 0, 1, item.vote)
        yield from _further(library, item, [0])
        following = _next_prototype(library, ranked)
        if following is not None:
            yield following

    return Draft(item.vote, build)


def _further(library: Library, item: Coloured, used: list[int]) -> Iterator[Draft]:
    """Yield the draft of the next geometry, which leads to the one after it, if there is one."""
    turn = len(used) + 1
    vote = item.vote * LATER_GEOMETRY ** (turn - 1)

    def build() -> Iterator[Proposal | Draft]:
        place = _next_geometry(library, item, used)
        if place is not None:
            yield _proposal(library, item, place, turn, vote)
            yield from _further(library, item, [*used, place])

    if turn <= GEOMETRIES and used[-1] + 1 < len(item.entries):
        yield Draft(vote, build)


def _next_geometry(library: Library, item: Coloured, used: list[int]) -> int | None:
    """Return the next entry whose geometry is not like that of the entries used."""
    known = [_shape(library, item.entries[place][0]) for place in used]
    for place in range(used[-1] + 1, len(item.entries)):
        shape = _shape(library, item.entries[place][0])
        if all(_gap(shape, other) > _ALIKE for other in known):
            return place
    return None


def _shape(library: Library, number: int) -> tuple[np.ndarray, np.ndarray]:
    cell, points = library.raw_geometry(number)
    lengths = cell[:3] / np.prod(cell[:3]) ** (1.0 / 3.0)
    return np.concatenate([lengths, cell[3:] / 90.0]), points


def _gap(first: tuple[np.ndarray, np.ndarray], second: tuple[np.ndarray, np.ndarray]) -> float:
    """Return how far apart two geometries of one prototype are; another origin counts as far."""
    shift = first[1] - second[1]
    shift -= np.rint(shift)
    return max(float(np.abs(first[0] - second[0]).max()), float(np.abs(shift).max()))


def _proposal(library: Library, item: Coloured, place: int, turn: int, vote: float) -> Proposal:
    number, elements = item.entries[place]
    entry = library.entry(number)
    return Proposal(
        reduced_cell(library.crystal(number, elements)),
        {
            "prototype": item.proto.label,
            "reference": entry.name,
            "reference_formula": entry.formula,
            "weight": item.weight,
            "geometry": turn,
        },
        vote,
    )
