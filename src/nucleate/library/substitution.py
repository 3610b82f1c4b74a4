"""Candidates of a composition by substitution into known structures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from nucleate.crystal.cells import reduced_cell
from nucleate.library.ranking import rank

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
    """A candidate that is not built yet.

    Attributes
    ----------
    vote : float
        What the order goes by.
    geometry : int
        1 for the first geometry of its coloured prototype; 0 for a derived one.
    build : callable
        Returns the candidates it stands for: one, or as many as there are voids.
    """

    vote: float
    geometry: int
    build: Callable[[], Iterable[Proposal]]


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
    *,
    space: SearchSpace | None = None,
    most: int = 100,
) -> Iterator[Draft]:
    """Yield drafts: the first geometry of every coloured prototype, then the second, ...

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
    most
        Number of coloured prototypes.
    """
    counts = [count for _, count in composition.items]
    ranked = rank(library, composition.elements, counts, hold_out, most=most, geometries=_SCREENED)
    yield from _in_turn(
        library,
        [item for item in ranked if space is None or fits(space, item.proto.n_atoms, composition)],
    )


def fits(space: SearchSpace, n_atoms: int, composition: Composition) -> bool:
    """Return whether a primitive cell with this number of atoms is allowed."""
    units, rest = divmod(n_atoms, composition.n_atoms)
    return (
        rest == 0
        and n_atoms <= space.max_atoms
        and any(allowed % units == 0 for allowed in space.formula_units)
    )


def _in_turn(library: Library, ranked: Iterable[Coloured]) -> Iterator[Draft]:
    """Yield the first geometry of each coloured prototype, then the second of each, ..."""
    chosen: list[tuple[Coloured, list[int]]] = []
    for item in ranked:
        if item.entries:
            chosen.append((item, [0]))
            yield _draft(library, item, 0, 1)
    for turn in range(2, GEOMETRIES + 1):
        for item, used in chosen:
            place = _next_geometry(library, item, used)
            if place is not None:
                used.append(place)
                yield _draft(library, item, place, turn)


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


def _draft(library: Library, item: Coloured, place: int, turn: int) -> Draft:
    vote = item.vote * LATER_GEOMETRY ** (turn - 1)
    return Draft(vote, turn, lambda: [_proposal(library, item, place, turn, vote)])


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
