"""What is given of the crystals that the language writes: occupied sites, or a part of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from nucleate.crystal.elements import symbols_of
from nucleate.crystal.files import Unreadable, read_structures
from nucleate.crystal.symmetry import space_group_symbol
from nucleate.errors import InputError
from nucleate.generate.wyckoff import sites as sites_of
from nucleate.generate.wyckoff_language.completions import group_tables, of_group
from nucleate.generate.wyckoff_language.sentence import (
    equal_descriptions,
    expected_volume,
    sentence_of,
    usual_order,
)
from nucleate.generate.wyckoff_language.tokens import scaled_cell

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from nucleate.crystal.space import SearchSpace
    from nucleate.generate.wyckoff_language.sentence import Sentence

    Required = tuple[tuple[int, ...] | None, ...]

MOST_IMAGES = 48
"""Descriptions of a kept part that are compared."""


@dataclass(frozen=True, slots=True, eq=False)
class Held:
    """What every sentence must have.

    Attributes
    ----------
    letters : dict of int to str
        Wyckoff letters of all orbits of an element, by atomic number.
    images : tuple of Sentence
        Equally good descriptions of a part: elements with their cell, orbits and coordinates. All
        of them have the same letters.
    """

    letters: Mapping[int, str] = field(default_factory=dict)
    images: tuple[Sentence, ...] = ()

    @property
    def part(self) -> Sentence | None:
        """The part that is kept, in its canonical description."""
        return self.images[0] if self.images else None

    def order(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the indices of the elements as they are read: what is given before the rest.

        The language writes one word after the other and knows only those before, so that what is
        given must come first. It has learned all orders of the elements.
        """
        usual = usual_order(numbers)
        kept = () if self.part is None else self.part.numbers
        standing = [0 if z in kept else 1 if z in self.letters else 2 for z in numbers[usual]]
        return usual[np.argsort(standing, kind="stable")]

    def required(
        self, group: int, numbers: NDArray[np.int64], counts: NDArray[np.int64]
    ) -> Required | None:
        """Return the positions of each element, None for a free one; None if they do not fit.

        They fit if they hold the atoms of their elements, no position without free coordinates is
        taken twice, and the other elements can be placed exactly in what is left.
        """
        if self.part is not None and self.part.group != group:
            return None
        found = [self._positions(group, int(z)) for z in numbers]
        multiplicity, fixed = of_group(group)
        taken: set[int] = set()
        for places, count in zip(found, counts, strict=True):
            if places is None:
                continue
            if -1 in places or int(multiplicity[list(places)].sum()) != count:
                return None
            single = [p for p in places if fixed[p]]
            if len(set(single)) < len(single) or taken & set(single):
                return None
            taken |= set(single)
        required = tuple(found)
        tables = group_tables(group, free_counts(required, counts))
        return required if tables[0, unreserved(group, required)] else None

    def _positions(self, group: int, z: int) -> tuple[int, ...] | None:
        if self.part is not None and z in self.part.numbers:
            kind = int(np.flatnonzero(self.part.numbers == z)[0])
            return tuple(int(p) for p in self.part.positions[self.part.kinds == kind])
        if z not in self.letters:
            return None
        known = {site.letter: place for place, site in enumerate(sites_of(group))}
        return tuple(sorted(known.get(letter, -1) for letter in self.letters[z]))

    def coordinates(
        self, numbers: NDArray[np.int64], kinds: NDArray[np.int64], image: int
    ) -> NDArray[np.float64]:
        """Return the given free coordinates of the orbits of a sentence, NaN where free.

        Parameters
        ----------
        numbers
            Atomic numbers of the elements of the sentence.
        kinds
            Element of each orbit.
        image
            Which description of the part.

        Returns
        -------
        ndarray of float64, shape (n_orbits, 3)
        """
        result = np.full((kinds.size, 3), np.nan)
        if not self.images:
            return result
        part = self.images[image]
        for own, z in enumerate(part.numbers):
            result[numbers[kinds] == z] = part.free[part.kinds == own]
        return result

    def cells(self, numbers: NDArray[np.int64], counts: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the cell of each description, shape (n, 6), as :func:`scaled_cell` does.

        Without a part that is kept there is one row of NaN.
        """
        if not self.images:
            return np.full((1, 6), np.nan, np.float32)
        found = []
        for part in self.images:
            own = expected_volume(part.numbers, part.counts)
            change = float(np.log(own / expected_volume(numbers, counts)))
            found.append(scaled_cell(part.stretch + change, part.shape))
        return np.array(found, np.float32)


def free_counts(required: Required, counts: NDArray[np.int64]) -> tuple[int, ...]:
    """Return the atoms of each element that are not given."""
    return tuple(
        int(n) if places is None else 0 for places, n in zip(required, counts, strict=True)
    )


def unreserved(group: int, required: Required) -> int:
    """Return the positions without free coordinates that are not given, as bits."""
    _, fixed = of_group(group)
    bits = np.cumsum(fixed) - 1
    left = (1 << int(fixed.sum())) - 1
    for places in required:
        for place in places or ():
            if fixed[place]:
                left &= ~(1 << int(bits[place]))
    return left


def held_of(space: SearchSpace, sites: Mapping[str, str], keep: str) -> Held | None:
    """Return what the keys ``sites`` and ``keep`` ask for, None where both are empty.

    Raises
    ------
    InputError
        If they cannot be used in this space; the message names key, value and remedy.
    """
    if not sites and not keep:
        return None
    part = _part(space, keep) if keep else None
    letters = _letters(space, sites)
    if part is not None:
        twice = sorted(set(letters) & set(part.numbers.tolist()))
        if twice:
            raise InputError(
                f"sites: {symbols_of(twice)[0]} is in the structure of keep already. Leave it out "
                "of one of the two."
            )
    elif space.space_groups is None:
        raise InputError(
            "sites: Wyckoff letters belong to a space group. Give [problem] space_groups."
        )
    images = () if part is None else tuple(equal_descriptions(part)[:MOST_IMAGES])
    held = Held(letters, images)
    if not any(held_groups(held, space, units) for units in space.formula_units):
        what = ", ".join(
            f"{name} = {value!r}" for name, value in (("sites", sites), ("keep", keep)) if value
        )
        raise InputError(
            f"{what}: no allowed number of formula units fits into an allowed space group with "
            "it. Change it, problem.formula_units or problem.space_groups."
        )
    return held


def held_groups(held: Held, space: SearchSpace, units: int) -> list[int]:
    """Return the allowed space groups in which what is given fits this number of formula units."""
    numbers = np.array(space.composition.elements, dtype=np.int64)
    counts = np.array(list(space.composition.counts.values()), dtype=np.int64) * units
    allowed = space.space_groups or ()
    groups = [held.part.group] if held.part is not None else sorted(allowed)
    return [g for g in groups if held.required(g, numbers, counts) is not None]


def _letters(space: SearchSpace, sites: Mapping[str, str]) -> dict[int, str]:
    found = {}
    for name, letters in sites.items():
        known = [z for z in space.composition.elements if symbols_of([z])[0] == name]
        if not known:
            raise InputError(
                f"sites: {name!r} is no element of {space.composition.formula}. Leave it out."
            )
        if not letters or not all(letter.isascii() and letter.isalpha() for letter in letters):
            raise InputError(
                f"sites: {name} = {letters!r} is no list of Wyckoff letters. Write one letter for "
                'each orbit, such as "a" or "cc".'
            )
        found[known[0]] = letters
    return found


def _part(space: SearchSpace, keep: str) -> Sentence:
    items = read_structures(keep)
    if len(items) != 1 or isinstance(items[0], Unreadable):
        raise InputError(f"keep = {keep!r} holds no single structure. Give a file of one.")
    crystal = items[0].crystal
    foreign = sorted(set(crystal.numbers.tolist()) - set(space.composition.elements))
    if foreign:
        raise InputError(
            f"keep = {keep!r} has {symbols_of(foreign)[0]}, which {space.composition.formula} has "
            "not. Give a part of such a structure."
        )
    sentence = sentence_of(crystal)
    if sentence is None:
        raise InputError(
            f"keep = {keep!r}: its symmetry cannot be found. Give a structure in which no atoms "
            "are close to each other."
        )
    if space.space_groups is not None and sentence.group not in space.space_groups:
        short = space_group_symbol(sentence.group)
        raise InputError(
            f"keep = {keep!r} has the space group {short} ({sentence.group}), "
            "which problem.space_groups leaves out. Add it."
        )
    return sentence
