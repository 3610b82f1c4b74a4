"""What makes the atoms of one composition those of another: exchange, removal, addition."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import permutations
from math import exp
from typing import TYPE_CHECKING

import numpy as np

from nucleate.crystal.cells import reduced_cell
from nucleate.crystal.contacts import shortest_contact
from nucleate.crystal.crystal import Crystal
from nucleate.crystal.elements import element
from nucleate.crystal.voids import vacant_sites
from nucleate.library.scaling import volume_ratio

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from nucleate.crystal.space import SearchSpace

ALIKE = 0.15
"""Likeness from which an element takes the place of another atom by atom."""

MOST_PER_ATOM = 0.5
"""Changes for an atom of the result."""

KEPT = 12
"""Changes of one donor."""

MOST_COPIES = 8

_LEAST_ROOM = 0.5
_GOOD_ROOM = 0.93


@dataclass(frozen=True, slots=True)
class Change:
    """A way from the atoms of a cell to those of another composition.

    Attributes
    ----------
    copies : int
        Cells of the donor that are joined first.
    renamed : tuple of (int, int)
        Elements that become others wholly, by atomic number.
    exchanged : tuple of (int, int, int)
        Element, the one that replaces it, and how many atoms.
    removed, added : tuple of (int, int)
        Element and how many atoms.
    n_atoms : int
        Atoms of the result.
    """

    copies: int
    renamed: tuple[tuple[int, int], ...] = ()
    exchanged: tuple[tuple[int, int, int], ...] = ()
    removed: tuple[tuple[int, int], ...] = ()
    added: tuple[tuple[int, int], ...] = ()
    n_atoms: int = 1

    @property
    def is_plain(self) -> bool:
        """Whether elements are only renamed."""
        return not (self.exchanged or self.removed or self.added)

    @property
    def per_atom(self) -> float:
        """Atoms that change, exchanged ones half, for an atom of the result.

        A renaming costs as much as the elements are unlike.
        """
        changed = 0.5 * sum(count for _, _, count in self.exchanged)
        changed += sum(count for _, count in (*self.removed, *self.added))
        unlike = sum(0.1 * (1.0 - likeness(a, b)) for a, b in self.renamed if a != b)
        return changed / self.n_atoms + unlike

    def in_words(self) -> str:
        """Return it in words, for example ``2 Ti → Y, 1 O removed``."""
        name = _symbol
        parts = [f"{name(a)} → {name(b)}" for a, b in self.renamed if a != b]
        parts += [f"{count} {name(a)} → {name(b)}" for a, b, count in self.exchanged]
        parts += [f"{count} {name(a)} removed" for a, count in self.removed]
        parts += [f"{count} {name(a)} added" for a, count in self.added]
        return ", ".join(parts)


def changes_between(numbers: NDArray[np.int64], space: SearchSpace) -> list[Change]:
    """Return the ways from the atoms of a cell to the composition of a search, fewest first.

    Parameters
    ----------
    numbers
        Atomic numbers of the donor's cell.
    space
        What is searched.
    """
    donor = Counter(numbers.tolist())
    unit = dict(zip(space.composition.elements, space.composition.counts.values(), strict=True))
    found: dict[Change, float] = {}
    for units in space.formula_units:
        wanted = Counter({z: units * count for z, count in unit.items()})
        if wanted.total() > space.max_atoms:
            continue
        for copies in range(1, MOST_COPIES + 1):
            present = Counter({z: copies * count for z, count in donor.items()})
            if present.total() > 2 * wanted.total():
                break
            for change in _renamings(copies, present, wanted):
                found[change] = change.per_atom
            change = _change(copies, present, wanted)
            if change is not None and change.per_atom <= MOST_PER_ATOM:
                found[change] = change.per_atom
    return sorted(found, key=lambda change: found[change])[:KEPT]


def apply_change(crystal: Crystal, change: Change, *, rng: np.random.Generator) -> Crystal | None:
    """Return the crystal after a change, scaled to the expected volume.

    Parameters
    ----------
    crystal
        The donor, repeated already.
    change
        What is done.
    rng
        Chooses the atoms and the voids.

    Returns
    -------
    Crystal or None
        None where an atom to be added finds no room.
    """
    before = crystal.numbers
    names = dict(change.renamed)
    numbers = np.array([names.get(z, z) for z in before.tolist()])
    for old, new, count in change.exchanged:
        numbers[rng.permutation(np.flatnonzero(numbers == old))[:count]] = new
    kept = np.ones(len(numbers), dtype=bool)
    for old, count in change.removed:
        kept[rng.permutation(np.flatnonzero((numbers == old) & kept))[:count]] = False
    coming = [z for z, count in change.added for _ in range(count)]
    after = np.array([*numbers[kept].tolist(), *coming])
    result = Crystal(numbers[kept], crystal.cell, crystal.scaled[kept])
    result = result.with_volume(crystal.volume * volume_ratio(after, before))
    return _with_added(result, coming, rng) if coming else result


def likeness(first: int, second: int) -> float:
    """Return how easily an element takes the place of another, from 0 to 1.

    From the differences of electronegativity and covalent radius.
    """
    a, b = element(first), element(second)
    pull = abs((a.electronegativity or 1.5) - (b.electronegativity or 1.5))
    size = abs(a.covalent_radius - b.covalent_radius)
    return exp(-pull / 0.5 - size / 0.3)


def _renamings(copies: int, present: Counter[int], wanted: Counter[int]) -> Iterator[Change]:
    """Yield the ways of giving the elements other names that make the wanted composition."""
    if sorted(present.values()) != sorted(wanted.values()):
        return
    old = sorted(present)
    for new in permutations(sorted(wanted)):
        pairs = tuple(zip(old, new, strict=True))
        fits = all(present[a] == wanted[b] for a, b in pairs)
        if fits and any(a != b for a, b in pairs):
            yield Change(copies, renamed=pairs, n_atoms=wanted.total())


def _change(copies: int, present: Counter[int], wanted: Counter[int]) -> Change | None:
    """Return the change atom by atom, or None where none has to."""
    surplus, deficit = present - wanted, wanted - present
    if not surplus and not deficit:
        return None
    exchanged = []
    pairs = sorted(((likeness(a, b), a, b) for a in surplus for b in deficit), reverse=True)
    for alike, old, new in pairs:
        count = min(surplus[old], deficit[new])
        if alike >= ALIKE and count:
            exchanged.append((old, new, count))
            surplus[old] -= count
            deficit[new] -= count
    if not (+surplus or +deficit) and all(
        present[old] == count and not present[new] for old, new, count in exchanged
    ):
        return None  # a renaming
    return Change(
        copies,
        exchanged=tuple(exchanged),
        removed=tuple(sorted((+surplus).items())),
        added=tuple(sorted((+deficit).items())),
        n_atoms=wanted.total(),
    )


def _with_added(
    crystal: Crystal, coming: Sequence[int], rng: np.random.Generator
) -> Crystal | None:
    """Return a crystal in its reduced cell with more atoms, each in one of the largest voids."""
    from nucleate.mapping.rooms import rooms

    crystal = reduced_cell(crystal)
    points = vacant_sites(crystal)
    cell, scaled = crystal.cell.copy(), crystal.scaled.copy()
    numbers = crystal.numbers.tolist()
    for z in coming:
        contacts = np.array([shortest_contact(z, other) for other in numbers])
        room = rooms(points, cell, scaled, contacts, np.full(len(points), np.inf))
        if not len(points) or room.max() < _LEAST_ROOM:
            return None
        place = points[int(rng.choice(np.flatnonzero(room >= _GOOD_ROOM * room.max())))]
        scaled, numbers = np.vstack([scaled, place]), [*numbers, z]
    return Crystal(np.array(numbers), cell, scaled)


def _symbol(z: int) -> str:
    return element(z).symbol
