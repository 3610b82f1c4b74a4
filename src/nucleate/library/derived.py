"""Prototypes derived from known ones: two elements on the orbits of one, and orbits taken out.

*Merge and split*: two elements of the target count as one, the smaller composition is substituted
into its own prototypes, and whole orbits of the merged element are given back to the second.
*Removal*: a prototype that has one orbit too many, of an element of the target or of a further
one, loses it. Both keep the symmetry of the known structure or a subgroup of it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from itertools import islice, permutations
from math import exp, gcd
from typing import TYPE_CHECKING

import numpy as np

from nucleate.library.geometry import expand
from nucleate.library.ranking import TEMPERATURE, cast
from nucleate.library.scaling import volume_ratio

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from nucleate.crystal.crystal import Crystal
    from nucleate.crystal.space import SearchSpace
    from nucleate.library.hold_out import HoldOut
    from nucleate.library.library import Library
    from nucleate.library.ranking import Ballot, Coloured

ANY_ELEMENT = 0
"""Stands for an element of a prototype that the target lacks: it is as like one as another."""

_MERGED_RANKED = 20
_REMOVED_RANKED = 10
_REMOVAL_COST = 0.3
_SUBSETS = 12
_MOST_SUBSET_STEPS = 4000
_LARGEST_SHARE = 0.34

Orbit = tuple[int, int, int]
"""Element and atoms of an orbit, and atoms in the cell of the prototype."""

Formulas = dict[tuple[tuple[int, ...], tuple[int, ...]], list[Orbit]]
"""Elements and counts of formulas, and the orbits by which they differ from the target."""


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """A derived candidate that is not built yet.

    Attributes
    ----------
    vote : float
        Estimate on the scale of the votes for plain substitution.
    how : str
        ``merge-split``, ``removal``, ...
    number : int
        Entry it is derived from.
    elements : tuple of int
        Atomic number of each orbit of that entry; 0 for an orbit that is taken out.
    inserted : (int, int, (float, float, float) or None) or None
        Atomic number, atoms and point (conventional coordinates) of an orbit that is put in.
    crystal : Crystal or None
        The candidate, where it is built together with the plan.
    """

    vote: float
    how: str
    number: int
    elements: tuple[int, ...]
    inserted: tuple[int, int, tuple[float, ...] | None] | None = None
    crystal: Crystal | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Branch:
    """Plans that are not made yet.

    Attributes
    ----------
    vote : float
        No plan has a greater one.
    plans : callable
        Makes them.
    following : iterator of Branch or None
        Others, with no greater votes.
    """

    vote: float
    plans: Callable[[], Iterable[Plan]]
    following: Iterator[Branch] | None = None

    @staticmethod
    def first_of(branches: Iterator[Branch]) -> Iterator[Branch]:
        """Yield the first branch, which leads to the others; nothing where there is none."""
        for branch in branches:
            yield replace(branch, following=branches)
            break


@dataclass(frozen=True, slots=True, eq=False)
class Merge:
    """Two elements of the target taken as one.

    Attributes
    ----------
    kept, given : int
        Places in the target of the element that stands for both and of the other one.
    likeness : float
        Factor for how alike they are.
    ballot : Ballot
        The votes on the smaller composition.
    """

    kept: int
    given: int
    likeness: float
    ballot: Ballot


def merges(
    library: Library, elements: Sequence[int], counts: Sequence[int], hold_out: HoldOut
) -> list[Merge]:
    """Return all pairs of elements of the target, each way, with the prototypes they suggest."""
    found = []
    for kept, given in permutations(range(len(elements)), 2):
        rest = [k for k in range(len(elements)) if k != given]
        smaller = [counts[k] + (counts[given] if k == kept else 0) for k in rest]
        unit = gcd(*smaller)
        reduced = [count // unit for count in smaller]
        ballot = cast(library, [elements[k] for k in rest], reduced, hold_out)
        if ballot is not None:
            likeness = exp(library.similarity[elements[kept], elements[given]] / 2.0)
            found.append(Merge(kept, given, likeness, ballot))
    return found


def merged_and_split(
    elements: Sequence[int], counts: Sequence[int], pairs: Iterable[Merge]
) -> Iterator[Branch]:
    """Yield the plans that share out the orbits of one element among two."""
    for pair in pairs:
        kept, given = int(elements[pair.kept]), int(elements[pair.given])
        share = counts[pair.given] / (counts[pair.kept] + counts[pair.given])
        yield from Branch.first_of(_split_branches(pair, kept, given, share))


def _split_branches(pair: Merge, kept: int, given: int, share: float) -> Iterator[Branch]:
    for item in islice(pair.ballot.ranked(), _MERGED_RANKED):
        plans = partial(_splits, item, kept, given, share, pair.likeness)
        yield Branch(item.vote * pair.likeness, plans)


def with_orbits_removed(
    library: Library,
    elements: Sequence[int],
    counts: Sequence[int],
    hold_out: HoldOut,
    space: SearchSpace | None,
) -> Iterator[Branch]:
    """Yield plans that take one orbit out of a known structure."""
    formulas = formulas_beside(elements, counts, space, sign=1, also=(ANY_ELEMENT,))
    factor = exp(-_REMOVAL_COST / TEMPERATURE)
    yield from branches_of(library, formulas, hold_out, _removals, factor, most=_REMOVED_RANKED)


def branches_of(
    library: Library,
    formulas: Formulas,
    hold_out: HoldOut,
    plans: Callable[[Coloured, list[Orbit], float], Iterable[Plan]],
    factor: float,
    *,
    most: int,
) -> Iterator[Branch]:
    """Yield for each formula the branch of its likeliest known prototype, which leads to others.

    Parameters
    ----------
    library, hold_out
        Where the prototypes are from.
    formulas
        See :func:`formulas_beside`.
    plans
        Makes the plans of a prototype from the orbits that fit its cell and the vote.
    factor
        On the vote of the prototype.
    most
        Prototypes of each formula that are looked at.
    """

    def branches(ballot: Ballot, orbits: list[Orbit]) -> Iterator[Branch]:
        for item in islice(ballot.ranked(), most):
            fitting = [orbit for orbit in orbits if orbit[2] == item.proto.n_atoms]
            if fitting:
                vote = item.vote * factor
                yield Branch(vote, partial(plans, item, fitting, vote))

    for (elements, counts), orbits in formulas.items():
        group = library.group(counts)
        if group is None or group.sizes.isdisjoint(size for _, _, size in orbits):
            continue
        ballot = cast(library, elements, counts, hold_out)
        if ballot is not None:
            yield from Branch.first_of(branches(ballot, orbits))


def built(library: Library, plan: Plan) -> tuple[NDArray[np.int64], NDArray, NDArray]:
    """Return numbers, cell and scaled positions of a plan, its volume scaled.

    It is multiplied by the ratio of the expected volumes of what stays; an orbit that is taken out
    or put in counts with half of its expected volume.
    """
    entry = library.entry(plan.number)
    cell, points = library.raw_geometry(plan.number)
    of_orbit = np.repeat(np.array(entry.elements), entry.proto.orbit_counts)
    new_of_orbit = np.array(plan.elements, dtype=np.int64)
    if plan.inserted is not None and plan.inserted[2] is not None:
        points = np.vstack([points, plan.inserted[2]])
        of_orbit = np.append(of_orbit, ANY_ELEMENT)
        new_of_orbit = np.append(new_of_orbit, plan.inserted[0])
    box, scaled, orbit_of = expand(entry.proto.number, cell, points)
    old, new = of_orbit[orbit_of], new_of_orbit[orbit_of]
    stays = new > 0
    both = stays & (old > 0)
    ratio = volume_ratio(new[both], old[both])
    if not stays.all():
        ratio *= (1.0 + volume_ratio(old[both], old)) / 2.0
    if not both[stays].all():
        ratio *= (1.0 + volume_ratio(new, new[both])) / 2.0
    return new[stays], box * ratio ** (1.0 / 3.0), scaled[stays]


def _splits(item: Coloured, kept: int, given: int, share: float, likeness: float) -> Iterator[Plan]:
    if not item.entries:
        return
    number, coloured = item.entries[0]
    slot = coloured.index(kept)
    orbits = item.proto.multiplicities[slot]
    need = share * sum(orbits)
    if abs(need - round(need)) > 1e-6:
        return
    subsets = _subsets(orbits, round(need))
    of_orbit = np.repeat(np.array(coloured), item.proto.orbit_counts)
    first = sum(item.proto.orbit_counts[:slot])
    for subset in subsets:
        new = of_orbit.copy()
        new[[first + k for k in subset]] = given
        vote = item.vote * likeness / len(subsets)
        yield Plan(vote, "merge-split", number, tuple(int(z) for z in new))


def _subsets(sizes: Sequence[int], total: int) -> list[tuple[int, ...]]:
    """Return sets of orbits with this total number of atoms, a bounded number of them."""
    found: list[tuple[int, ...]] = []
    stack: list[tuple[int, int, tuple[int, ...]]] = [(0, total, ())]
    steps = 0
    while stack and len(found) < _SUBSETS and steps < _MOST_SUBSET_STEPS:
        place, left, chosen = stack.pop()
        steps += 1
        if left == 0:
            found.append(chosen)
        elif place < len(sizes):
            stack.append((place + 1, left, chosen))
            if sizes[place] <= left:
                stack.append((place + 1, left - sizes[place], (*chosen, place)))
    return found


def formulas_beside(
    elements: Sequence[int],
    counts: Sequence[int],
    space: SearchSpace | None,
    *,
    sign: int,
    also: tuple[int, ...] = (),
) -> Formulas:
    """Return the formulas with an orbit more (``sign`` 1) or less (-1) than the target.

    Parameters
    ----------
    elements, counts
        The target.
    space
        Its ``max_atoms`` is the limit; 52 without one.
    sign
        1 or -1.
    also
        Elements of the orbit besides those of the target.
    """
    size = sum(counts)
    limit = space.max_atoms if space is not None else 52
    found: Formulas = {}
    for units in range(1, limit // size + 1):
        for more in (1, 2, 3, 4, 6, 8, 12):
            if more > _LARGEST_SHARE * units * size:
                break
            for element in (*elements, *also):
                atoms = {int(z): units * int(c) for z, c in zip(elements, counts, strict=True)}
                atoms[element] = atoms.get(element, 0) + sign * more
                atoms = {z: n for z, n in atoms.items() if n}
                if not atoms or min(atoms.values()) < 0:
                    continue
                unit = gcd(*atoms.values())
                key = tuple(atoms), tuple(n // unit for n in atoms.values())
                if element in also or key[1] != tuple(counts):
                    orbit = int(element), more, units * size + sign * more
                    found.setdefault(key, []).append(orbit)
    return found


def _removals(item: Coloured, orbits: list[Orbit], vote: float) -> Iterator[Plan]:
    if not item.entries:
        return
    number, coloured = item.entries[0]
    of_orbit = np.repeat(np.array(coloured), item.proto.orbit_counts)
    sizes = [size for slot in item.proto.multiplicities for size in slot]
    for element, atoms, _ in orbits:
        for place, size in enumerate(sizes):
            if of_orbit[place] == element and size == atoms:
                new = of_orbit.copy()
                new[place] = ANY_ELEMENT
                yield Plan(vote, "removal", number, tuple(int(z) for z in new))
