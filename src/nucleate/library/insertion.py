"""Prototypes with one orbit more: an element of the target in a void of a known structure.

The voids are looked for on a grid of twelfths and eighths of the conventional cell, among the
points whose orbits have the right number of atoms; those farthest from all atoms, relative to the
shortest contacts of known structures, are taken.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from itertools import product
from math import exp
from typing import TYPE_CHECKING

import numpy as np

from nucleate.crystal.contacts import shortest_contact
from nucleate.library.derived import Branch, Orbit, Plan, branches_of, formulas_beside
from nucleate.library.geometry import expand, operations, primitive_vectors
from nucleate.library.ranking import TEMPERATURE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from nucleate.crystal.space import SearchSpace
    from nucleate.library.hold_out import HoldOut
    from nucleate.library.library import Library
    from nucleate.library.ranking import Coloured

_RANKED = 6
_VOIDS = 2
_COST = 0.5
_LEAST_CONTACT = 0.8
_GRIDS = (12, 8)
_SHIFTS = np.array(list(product((-1, 0, 1), repeat=3)), dtype=np.float64)


def with_orbits_inserted(
    library: Library,
    elements: Sequence[int],
    counts: Sequence[int],
    hold_out: HoldOut,
    space: SearchSpace | None,
) -> Iterator[Branch]:
    """Yield plans without their new orbit; :func:`in_voids` puts it in place."""
    formulas = formulas_beside(elements, counts, space, sign=-1)
    factor = exp(-_COST / TEMPERATURE)
    yield from branches_of(library, formulas, hold_out, _plans, factor, most=_RANKED)


def in_voids(library: Library, plan: Plan) -> list[Plan]:
    """Return a plan with its new orbit in the best voids of the known structure."""
    assert plan.inserted is not None
    z, atoms, _ = plan.inserted
    entry = library.entry(plan.number)
    number = entry.proto.number
    points = _grid_points(number).get(atoms)
    if points is None:
        return []
    cell, own = library.raw_geometry(plan.number)
    box, scaled, orbit_of = expand(number, cell, own)
    numbers = np.array(plan.elements, dtype=np.int64)[orbit_of]
    room = _room(points @ np.linalg.inv(primitive_vectors(number)), z, numbers, scaled, box, number)
    best = np.argsort(-room, kind="stable")[:_VOIDS]
    return [
        replace(plan, inserted=(z, atoms, tuple(float(x) for x in points[k])))
        for k in best
        if room[k] >= _LEAST_CONTACT
    ]


def _plans(item: Coloured, orbits: list[Orbit], vote: float) -> Iterator[Plan]:
    if not item.entries:
        return
    number, coloured = item.entries[0]
    of_orbit = tuple(int(z) for z in np.repeat(np.array(coloured), item.proto.orbit_counts))
    for z, atoms, _ in orbits:
        yield Plan(vote, "insertion", number, of_orbit, (z, atoms, None))


def _room(
    points: NDArray[np.float64],
    z: int,
    numbers: NDArray[np.int64],
    scaled: NDArray[np.float64],
    box: NDArray[np.float64],
    number: int,
) -> NDArray[np.float64]:
    """Return the minimum distance to an atom or an image in units of the shortest contacts."""
    points = points - np.floor(points)
    contact = np.array([shortest_contact(z, int(n)) for n in numbers])
    room = (_least_lengths(scaled[None] - points[:, None], box) / contact).min(axis=1)
    rotations, moves = operations(number)
    gap = np.einsum("pi,gij->pgj", points, rotations) + moves - points[:, None]
    images = _least_lengths(gap, box, beyond=0.05).min(axis=1)
    return np.minimum(room, images / shortest_contact(z, z))


def _least_lengths(
    gap: NDArray[np.float64], box: NDArray[np.float64], beyond: float = 0.0
) -> NDArray[np.float64]:
    """Return the least length above ``beyond`` of differences (n, m, 3) over lattice vectors."""
    vectors = (gap - np.rint(gap)) @ box
    square = np.einsum("pmj,pmj->pm", vectors, vectors)
    shifts = _SHIFTS @ box
    lengths = square[..., None] + 2.0 * vectors @ shifts.T + np.einsum("sj,sj->s", shifts, shifts)
    if beyond:
        lengths[lengths <= beyond**2] = np.inf
    return np.sqrt(np.maximum(lengths.min(axis=2), 0.0))


@cache
def _grid_points(number: int) -> dict[int, NDArray[np.float64]]:
    """Return grid points in conventional coordinates, one of each orbit, by atoms of the orbit."""
    axes = [np.arange(steps) / steps for steps in _GRIDS]
    grid = np.concatenate(
        [np.stack(np.meshgrid(a, a, a, indexing="ij"), -1).reshape(-1, 3) for a in axes]
    )
    rotations, moves = operations(number)
    start = grid @ np.linalg.inv(primitive_vectors(number))
    images = np.einsum("pi,gij->pgj", start, rotations) + moves
    gap = images - start[:, None]
    fixed = np.all(np.abs(gap - np.rint(gap)) < 1e-6, axis=2).sum(axis=1)
    steps = np.rint(images * 720.0).astype(np.int64) % 720
    codes = (steps @ np.array([720 * 720, 720, 1])).min(axis=1)
    _, first = np.unique(codes, return_index=True)
    sizes = len(rotations) // fixed[first]
    return {int(size): grid[first[sizes == size]] for size in np.unique(sizes)}
