"""A phase field: its elements or end members, and the compositions that are looked at."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING

import numpy as np

from nucleate.crystal.composition import Composition
from nucleate.crystal.formula import chemical_order
from nucleate.crystal.oxidation import whole_states
from nucleate.errors import InputError
from nucleate.mapping.coordinates import amounts_of, composition_of, key_of, named
from nucleate.mapping.grid import element_grid, member_grid
from nucleate.mapping.requested import (
    in_windows,
    of_lines,
    of_points,
    row_is_neutral,
    windowed,
)
from nucleate.mapping.states import ANION_FORMERS
from nucleate.relax.settings import check_elements

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from nucleate.mapping.settings import FieldSettings, MapSettings
    from nucleate.relax.settings import TierSettings

MOST_MEMBERS = 6
MOST_COMPOSITIONS = 2000
SMALLEST_FORMULA = 2
"""Atoms in the smallest formula of a field that is not a corner."""


@dataclass(frozen=True, eq=False)
class Field:
    """A phase field; build it with :func:`field_of`.

    Attributes
    ----------
    elements : tuple of str
        In chemical order.
    members : tuple of Composition
        The corners of the field: its elements or its end members.
    has_end_members : bool
        Whether the corners are end members.
    compositions : tuple of Composition
        The corners first, then by number of elements, atoms in a formula unit and counts.
    origins : tuple of str
        Why each of them belongs to the field: ``corner``, ``grid``, ``line`` or ``point``.
    is_neutral : bool
        Whether compositions of the grid are charge-neutral.
    max_atoms_per_formula : int
        Largest formula unit of the grid.
    points : frozenset of Composition
        Those that the input names as points, whether the grid has them or not.
    """

    elements: tuple[str, ...]
    members: tuple[Composition, ...]
    has_end_members: bool
    compositions: tuple[Composition, ...]
    origins: tuple[str, ...]
    is_neutral: bool
    max_atoms_per_formula: int
    points: frozenset[Composition] = frozenset()

    @property
    def system(self) -> str:
        """Elements or end members, joined by hyphens."""
        return "-".join(member.formula for member in self.members)

    @property
    def inner(self) -> tuple[Composition, ...]:
        """The compositions that are no corners."""
        return self.compositions[len(self.members) :]

    @cached_property
    def counts(self) -> NDArray[np.int64]:
        """Atoms of each element in a formula unit, shape (n_compositions, n_elements)."""
        return np.array([self.counts_of(item) for item in self.compositions])

    @cached_property
    def member_counts(self) -> NDArray[np.int64]:
        """Atoms of each element in a formula unit of each corner, (n_members, n_elements)."""
        return self.counts[: len(self.members)]

    @cached_property
    def coordinates(self) -> NDArray[np.float64]:
        """Atomic fractions of the elements or molar fractions of the end members.

        Shape (n_compositions, n_members); rows add up to 1.
        """
        return np.array([self.coordinates_of(item) for item in self.compositions])

    @cached_property
    def _places(self) -> dict[str, int]:
        return {key_of(item.counts): k for k, item in enumerate(self.compositions)}

    def counts_of(self, composition: Composition) -> list[int]:
        """Return how many atoms of each element of the field a formula unit has."""
        return [composition.counts.get(symbol, 0) for symbol in self.elements]

    def index_of(self, composition: Composition | str) -> int | None:
        """Return the place of a composition, or None if it is none of the field's."""
        if isinstance(composition, str):
            composition = Composition.from_formula(composition)
        return self._places.get(key_of(composition.counts))

    def contains(self, composition: Composition) -> bool:
        """Return whether a composition, of the grid or not, is within the field."""
        if not set(composition.counts) <= set(self.elements):
            return False
        return amounts_of(self.counts_of(composition), self.member_counts) is not None

    def coordinates_of(self, composition: Composition) -> NDArray[np.float64]:
        """Return the fractions of the corners in a composition.

        Raises
        ------
        InputError
            If it is not within the field.
        """
        amounts = amounts_of(self.counts_of(composition), self.member_counts)
        if amounts is None or not set(composition.counts) <= set(self.elements):
            raise InputError(f"{composition.formula} is not in the field {self.system}.")
        return amounts / amounts.sum()


def field_of(settings: MapSettings | FieldSettings) -> Field:
    """Return the compositions of an input.

    Raises
    ------
    InputError
        If a key cannot be used, or no composition is left; the message names key, value and remedy.
    """
    options: FieldSettings = getattr(settings, "field", settings)  # type: ignore[assignment]
    bare = _without_grid(options)
    elements, members, neutral = bare.elements, bare.members, bare.is_neutral
    has_end_members = bare.has_end_members
    inside = partial(in_windows, bare=bare, options=options)
    if has_end_members:
        grid, limit = member_grid(members, elements, options, inside)
    else:
        grid, limit = element_grid(elements, options, inside, neutral=neutral)
    if neutral and has_end_members:
        grid = grid[[row_is_neutral(row, elements, options) for row in grid]]
    if not len(grid) and not options.lines and not options.points:
        raise _nothing_left(options, neutral=neutral)
    _check_that_states_serve(options, grid, elements)
    if has_end_members:
        _check_that_states_fit(options, [*bare.member_counts, *grid], elements)
    grid = windowed(bare, grid, options)
    found = dict.fromkeys(map(named, members), "corner")
    points = of_points(bare, options)
    for name, rows in (
        ("grid", [composition_of(row, elements) for row in grid]),
        ("line", of_lines(bare, options)),
        ("point", points),
    ):
        for item in rows:
            found.setdefault(named(item), name)
    if len(found) > MOST_COMPOSITIONS:
        raise InputError(
            f"field.system = {options.system!r}: {len(found)} compositions are more than "
            f"{MOST_COMPOSITIONS}. Lower field.max_atoms_per_formula ({limit}) or field.max_ratio, "
            "or give field.windows."
        )
    ordered = sorted(found.items(), key=lambda pair: _place(pair[0], pair[1], bare))
    return Field(
        elements,
        members,
        has_end_members,
        tuple(item for item, _ in ordered),
        tuple(origin for _, origin in ordered),
        neutral,
        limit,
        frozenset(map(named, points)),
    )


def empty_lines(options: FieldSettings) -> list[str]:
    """Return a sentence for each line of an input between whose ends no composition lies."""
    if not options.lines:
        return []
    found = []
    bare = _without_grid(options)
    for line in options.lines:
        alone = options.model_copy(update={"lines": [line]})
        if not _is_empty(of_lines(bare, alone)):
            continue
        start = f"field.lines: {line!r} adds nothing between its ends, as "
        if bare.is_neutral and not _is_empty(of_lines(replace(bare, is_neutral=False), alone)):
            found.append(
                f"{start}none of the compositions on it is charge-neutral. Give "
                "field.oxidation_states, or write field.neutral = false."
            )
            continue
        size = min(options.cell_limit, options.max_atoms_per_formula or options.cell_limit)
        found.append(
            f"{start}no formula unit on it has at most {size} atoms. Raise "
            "field.max_atoms_per_formula (--max-formula)."
        )
    return found


def _without_grid(options: FieldSettings) -> Field:
    """Return the field of an input with its corners alone."""
    members, has_end_members = _members(options.system)
    elements = tuple(chemical_order({s for member in members for s in member.counts}))
    if not has_end_members:
        members = tuple(Composition.from_counts({symbol: 1}) for symbol in elements)
    _check_states(options, elements)
    _check_pairs(options, elements)
    neutral = _is_neutral(options, elements, has_end_members=has_end_members)
    return Field(elements, members, has_end_members, members, (), neutral, 0)


def _is_empty(line: Sequence[Composition]) -> bool:
    return len({key_of(item.counts) for item in line}) <= 2


def check_models(field: Field, tiers: Iterable[TierSettings]) -> None:
    """Check that every tier can treat the field, as far as that is found without its model.

    Raises
    ------
    InputError
        For the first tier that does not know an element, cannot be run, or has charges that do not
        add up to 0 at a corner.
    """
    for tier in tiers:
        check_elements([tier], field.elements)
        refusal = getattr(tier.engine, "refusal", lambda _: None)
        for member in field.members:
            problem = refusal(member.counts)
            if problem:
                raise InputError(
                    f"tier {tier.name!r} cannot treat the corner {member.formula}: {problem} Give "
                    "neutral end members in field.system, such as SrO-TiO2."
                )


def _members(system: str) -> tuple[tuple[Composition, ...], bool]:
    parts = [part.strip() for part in system.split("-")]
    if not 2 <= len(parts) <= MOST_MEMBERS or not all(parts):
        raise InputError(
            f"field.system = {system[:80]!r} must have 2 to {MOST_MEMBERS} elements or end "
            "members. Join them by hyphens, such as Y-Sr-Ti-O or Li2O-SiO2-LiCl."
        )
    try:
        members = tuple(named(Composition.from_formula(part)) for part in parts)
    except InputError as error:
        raise InputError(f"field.system = {system[:80]!r}: {error}") from None
    for place, member in enumerate(members):
        if member in members[:place]:
            raise InputError(
                f"field.system = {system!r} has {member.formula} twice. Remove one of them."
            )
    if all(member.n_atoms == 1 for member in members):
        return members, False
    elements = sorted({symbol for member in members for symbol in member.counts})
    table = np.array([[m.counts.get(symbol, 0) for symbol in elements] for m in members])
    if np.linalg.matrix_rank(table) < len(members):
        raise InputError(
            f"field.system = {system!r}: one of the end members is a mixture of the others, so "
            "fractions have no meaning. Remove one of them, or give the elements."
        )
    return members, True


def _check_states(options: FieldSettings, elements: Sequence[str]) -> None:
    for symbol, states in options.oxidation_states.items():
        if symbol not in elements:
            raise InputError(
                f"field.oxidation_states: {symbol} is not an element of {options.system}. Remove "
                "it."
            )
        try:
            whole_states(symbol, states)
        except InputError as error:
            raise InputError(f"field.{error}") from None


def _check_pairs(options: FieldSettings, elements: Sequence[str]) -> None:
    """Refuse minimum distances of pairs that no composition of the field has."""
    for pair, distance in options.min_distances.items():
        ends = pair.split("-")
        if len(ends) != 2 or any(end not in elements for end in ends):
            raise InputError(
                f"field.min_distances: {pair} = {distance:g} has no effect, as {pair!r} is no pair "
                f"of the elements {', '.join(elements)}. Write it like "
                f"'{elements[0]}-{elements[-1]}', or leave it out."
            )


def _check_that_states_serve(
    options: FieldSettings, grid: NDArray[np.int64], elements: Sequence[str]
) -> None:
    """Refuse given states of an element that fit no composition of the grid."""
    for symbol, states in options.oxidation_states.items():
        if len(grid) and not grid[:, elements.index(symbol)].any():
            raise InputError(
                f"field.oxidation_states: with {symbol} = {states} no composition of "
                f"{options.system} that has {symbol} adds up to charge 0. Change the state, or "
                "leave it out."
            )


def _check_that_states_fit(
    options: FieldSettings, rows: Sequence[NDArray[np.int64]], elements: Sequence[str]
) -> None:
    """Refuse given states with which no mixture of end members is neutral: they have no effect."""
    if not options.oxidation_states:
        return
    fitting = [row for row in rows if row_is_neutral(row, elements, options)]
    for symbol, states in options.oxidation_states.items():
        if not any(row[elements.index(symbol)] for row in fitting):
            raise InputError(
                f"field.oxidation_states: {symbol} = {states} fits no composition of "
                f"{options.system}, as none that has {symbol} adds up to charge 0. Change the "
                "state, leave it out, or give other end members."
            )


def _is_neutral(options: FieldSettings, elements: Sequence[str], *, has_end_members: bool) -> bool:
    neutral = options.neutral
    if neutral is None:
        neutral = not has_end_members and any(symbol in ANION_FORMERS for symbol in elements)
    if not neutral and options.oxidation_states and not has_end_members:
        raise InputError(
            "field.oxidation_states has no effect where compositions need not be neutral. Leave "
            "it out, or write field.neutral = true."
        )
    return neutral


def _nothing_left(options: FieldSettings, *, neutral: bool) -> InputError:
    size = options.max_atoms_per_formula or options.cell_limit
    given = dict(options.oxidation_states)
    key = "max_atoms" if options.max_atoms_per_formula is None else "max_atoms_per_formula"
    if not neutral or size < SMALLEST_FORMULA:
        return InputError(
            f"field.{key} = {size}: {options.system} has no composition with so few atoms beside "
            "its corners. Raise it."
        )
    if given:
        return InputError(
            f"field.oxidation_states = {given}: no composition of {options.system} with up to "
            f"{size} atoms adds up to charge 0. Change the states, write field.neutral = false, or "
            f"raise field.{key}."
        )
    return InputError(
        f"field.system = {options.system!r}: no composition with up to {size} atoms is neutral "
        "with usual oxidation states. Give field.oxidation_states, write field.neutral = false, or "
        f"raise field.{key}."
    )


def _place(composition: Composition, origin: str, bare: Field) -> tuple[object, ...]:
    if origin == "corner":
        return 0, bare.members.index(composition)
    counts = bare.counts_of(composition)
    return 1, len(composition.items), composition.n_atoms, [-count for count in counts]
