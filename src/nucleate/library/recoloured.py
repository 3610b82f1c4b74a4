"""Known skeletons in other colours: the elements of a composition on the orbits of a prototype.

The orbits of a known structure are shared out among the target's elements in any way that gives
the right amounts. It is the least valuable of the derived prototypes: the decoration of a skeleton
usually changes its geometry. It is used only where the other ways give too few candidates.
"""

from __future__ import annotations

from math import exp, gcd
from typing import TYPE_CHECKING

import numpy as np

from nucleate.library.derived import Plan
from nucleate.library.ranking import TEMPERATURE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from nucleate.crystal.space import SearchSpace
    from nucleate.library.hold_out import HoldOut
    from nucleate.library.labels import Protostructure
    from nucleate.library.library import Library

TRUST = 0.05
"""Factor on the vote, beside that of all derived prototypes."""

_MOST_PROTOTYPES = 1500
_MOST_STEPS = 300
_KEPT = 2


def recoloured(
    library: Library,
    elements: Sequence[int],
    counts: Sequence[int],
    hold_out: HoldOut,
    space: SearchSpace | None,
) -> Iterator[Plan]:
    """Yield plans for the skeletons of other anonymous formulas with as many elements."""
    size = sum(counts)
    limit = space.max_atoms if space is not None else 52
    own = tuple(sorted(int(c) for c in counts))
    looked_at = 0
    for key in sorted(library.group_keys()):
        if len(key) != len(counts) or key == own:
            continue
        group = library.group(key)
        assert group is not None
        for place, proto in enumerate(group.prototypes):
            units, rest = divmod(proto.n_atoms, size)
            if rest or proto.n_atoms > limit or looked_at >= _MOST_PROTOTYPES:
                continue
            looked_at += 1
            rows = slice(int(group.starts[place]), int(group.starts[place + 1]))
            entries = group.elements[rows]
            allowed = hold_out.allowed(proto.label, proto.counts, entries)
            if not allowed.any():
                continue
            row = int(np.argmax(np.where(allowed, group.weights[rows], -1.0)))
            needed = [units * int(count) for count in counts]
            old = tuple(int(z) for z in entries[row])
            for score, colours in _colourings(library, proto, old, elements, needed):
                vote = TRUST * float(group.weights[rows][row]) * exp(score / TEMPERATURE)
                yield Plan(vote, "recolouring", group.first + rows.start + row, colours)


def _colourings(
    library: Library,
    proto: Protostructure,
    old: tuple[int, ...],
    elements: Sequence[int],
    needed: list[int],
) -> list[tuple[float, tuple[int, ...]]]:
    """Return the best ways of sharing out the orbits, with their similarity to the old one.

    The similarity is the mean over the atoms times the number of elements, as it is summed over
    the slots in a substitution.
    """
    sizes = [size for slot in proto.multiplicities for size in slot]
    if gcd(*sizes) > 1 and any(count % gcd(*sizes) for count in needed):
        return []
    old_of = np.repeat(np.array(old), proto.orbit_counts)
    gains = library.similarity[np.array(elements)[:, None], old_of[None, :]]
    gains = gains * np.array(sizes) * len(elements) / sum(sizes)
    order = np.argsort(-np.array(sizes), kind="stable")
    found = _shared_out(gains, np.array(sizes), needed, order)
    return [(score, tuple(int(elements[k]) for k in colours)) for score, colours in found]


def _shared_out(
    gains: NDArray[np.float64],
    sizes: NDArray[np.integer],
    needed: list[int],
    order: NDArray[np.integer],
) -> list[tuple[float, list[int]]]:
    found: list[tuple[float, list[int]]] = []
    stack: list[tuple[int, float, list[int], list[int]]] = [(0, 0.0, list(needed), [])]
    for _ in range(_MOST_STEPS):
        if not stack:
            break
        depth, score, left, chosen = stack.pop()
        if depth == len(order):
            colours = [0] * len(order)
            for orbit, element in zip(order, chosen, strict=True):
                colours[orbit] = element
            found.append((score, colours))
            continue
        orbit = order[depth]
        for element in np.argsort(gains[:, orbit]):  # the most similar is looked at first
            if left[element] >= sizes[orbit]:
                rest = left.copy()
                rest[element] -= int(sizes[orbit])
                value = score + float(gains[element, orbit])
                stack.append((depth + 1, value, rest, [*chosen, int(element)]))
    found.sort(key=lambda item: -item[0])
    return found[:_KEPT]
