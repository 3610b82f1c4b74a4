"""A phase field: its elements or end members, and the compositions that are looked at."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from nucleate.crystal.composition import Composition
from nucleate.crystal.formula import chemical_order
from nucleate.crystal.oxidation import whole_states
from nucleate.errors import InputError
from nucleate.mapping.grid import element_grid, member_grid, on_line
from nucleate.mapping.states import ANION_FORMERS, neutral_rows
from nucleate.mapping.windows import Window, read_window

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from nucleate.mapping.settings import FieldSettings, MapSettings
    from nucleate.relax.settings import TierSettings

MOST_MEMBERS = 6
MOST_COMPOSITIONS = 2000
_INSIDE = 1e-9


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
    """

    elements: tuple[str, ...]
    members: tuple[Composition, ...]
    has_end_members: bool
    compositions: tuple[Composition, ...]
    origins: tuple[str, ...]
    is_neutral: bool
    max_atoms_per_formula: int

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
        return _amounts(self.counts_of(composition), self.member_counts) is not None

    def coordinates_of(self, composition: Composition) -> NDArray[np.float64]:
        """Return the fractions of the corners in a composition.

        Raises
        ------
        InputError
            If it is not within the field.
        """
        amounts = _amounts(self.counts_of(composition), self.member_counts)
        if amounts is None or not set(composition.counts) <= set(self.elements):
            raise InputError(f"{composition.formula} is not in the field {self.system}.")
        return amounts / amounts.sum()


def key_of(counts: Mapping[str, int]) -> str:
    """Return a formula in chemical order, the same for every order of the elements."""
    return "".join(f"{symbol}{counts[symbol]}" for symbol in chemical_order(counts))


def field_of(settings: MapSettings | FieldSettings) -> Field:
    """Return the compositions of an input.

    Raises
    ------
    InputError
        If a key cannot be used, or no composition is left; the message names key, value and remedy.
    """
    options: FieldSettings = getattr(settings, "field", settings)
    members, has_end_members = _members(options.system)
    elements = tuple(chemical_order({s for member in members for s in member.counts}))
    if not has_end_members:
        members = tuple(Composition.from_counts({symbol: 1}) for symbol in elements)
    _check_states(options, elements)
    neutral = _is_neutral(options, elements, has_end_members=has_end_members)
    if has_end_members:
        grid, limit = member_grid(members, elements, options)
    else:
        grid, limit = element_grid(elements, options, neutral=neutral)
    if neutral and has_end_members:
        grid = grid[[_row_is_neutral(row, elements, options) for row in grid]]
    bare = Field(elements, members, has_end_members, members, (), neutral, limit)
    if not len(grid) and not options.lines and not options.points:
        raise _nothing_neutral(options)
    _check_that_states_serve(options, grid, elements)
    grid = _windowed(bare, grid, options)
    found = dict.fromkeys(map(_named, members), "corner")
    for name, rows in (
        ("grid", [_composition(row, elements) for row in grid]),
        ("line", _of_lines(bare, options)),
        ("point", _of_points(bare, options)),
    ):
        for item in rows:
            found.setdefault(_named(item), name)
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
    )


def check_models(field: Field, tiers: Iterable[TierSettings]) -> None:
    """Check that every tier can treat the field, as far as that is found without its model.

    Raises
    ------
    InputError
        For the first tier that does not know an element, cannot be run, or has charges that do not
        add up to 0 at a corner.
    """
    for tier in tiers:
        for problem in tier.engine.problems(field.elements):
            raise InputError(f"tier {tier.name!r}: {problem}")
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
        members = tuple(_named(Composition.from_formula(part)) for part in parts)
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


def _check_that_states_serve(
    options: FieldSettings, grid: NDArray[np.int64], elements: Sequence[str]
) -> None:
    """Refuse given states of an element that is in no composition of the grid."""
    for symbol, states in options.oxidation_states.items():
        if len(grid) and not grid[:, elements.index(symbol)].any():
            raise InputError(
                f"field.oxidation_states: with {symbol} = {states} no composition of "
                f"{options.system} that has {symbol} adds up to charge 0. Change the state, or "
                "leave it out."
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


def _nothing_neutral(options: FieldSettings) -> InputError:
    size = options.max_atoms_per_formula or options.cell_limit
    given = dict(options.oxidation_states)
    if given:
        return InputError(
            f"field.oxidation_states = {given}: no composition of {options.system} with up to "
            f"{size} atoms adds up to charge 0. Change the states, or write field.neutral = false."
        )
    return InputError(
        f"field.system = {options.system!r}: no composition with up to {size} atoms is neutral "
        "with usual oxidation states. Give field.oxidation_states, or write field.neutral = false."
    )


def _windowed(bare: Field, grid: NDArray[np.int64], options: FieldSettings) -> NDArray[np.int64]:
    inside = np.ones(len(grid), dtype=bool)
    for text in options.windows:
        window = read_window(text)
        fractions = _fractions(bare, grid, window, text)
        inside &= window.contains(fractions)
        if len(grid) and not inside.any():
            raise InputError(
                f"field.windows: {text!r} leaves no composition of the grid, where "
                f"x({window.name}) is from {fractions.min():.3g} to {fractions.max():.3g}. Widen "
                "it, or raise field.max_atoms_per_formula."
            )
    return grid[inside]


def _fractions(
    bare: Field, grid: NDArray[np.int64], window: Window, text: str
) -> NDArray[np.float64]:
    try:
        named = _named(Composition.from_formula(window.name))
    except InputError as error:
        raise InputError(f"field.windows: {text!r}: {error}") from None
    if bare.has_end_members and named in bare.members:
        place = bare.members.index(named)
        amounts = np.linalg.lstsq(bare.member_counts.T.astype(float), grid.T, rcond=None)[0].T
        return amounts[:, place] / amounts.sum(axis=1)
    if window.name in bare.elements:
        return grid[:, bare.elements.index(window.name)] / grid.sum(axis=1)
    names = dict.fromkeys((*bare.elements, *(member.formula for member in bare.members)))
    raise InputError(
        f"field.windows: {text!r}: {window.name} is not in the field {bare.system}. Use one of "
        f"{', '.join(names)}."
    )


def _of_lines(bare: Field, options: FieldSettings) -> list[Composition]:
    found: list[Composition] = []
    for line in options.lines:
        ends = [part.strip() for part in line.split("-")]
        if len(ends) != 2:
            raise InputError(
                f"field.lines: {line[:80]!r} is not a line. Write two compositions, such as "
                "'SrO-TiO2'."
            )
        first, last = (_inside(bare, end, "lines", line, options) for end in ends)
        limit = min(options.cell_limit, options.max_atoms_per_formula or options.cell_limit)
        rows = on_line(bare.counts_of(first), bare.counts_of(last), options.max_ratio, limit)
        found += [first, *(_composition(row, bare.elements) for row in rows), last]
    return found


def _of_points(bare: Field, options: FieldSettings) -> list[Composition]:
    return [_inside(bare, point, "points", point, options) for point in options.points]


def _inside(bare: Field, formula: str, key: str, value: str, options: FieldSettings) -> Composition:
    """Return a composition of the input; raises InputError unless it is one of the field."""
    try:
        composition = _named(Composition.from_formula(formula))
    except InputError as error:
        raise InputError(f"field.{key}: {value[:80]!r}: {error}") from None
    if not bare.contains(composition):
        raise InputError(
            f"field.{key}: {composition.formula} is not in the field {bare.system}. Remove it, or "
            "change field.system."
        )
    is_corner = composition in bare.members
    row = np.array(bare.counts_of(composition))
    if bare.is_neutral and not is_corner and not _row_is_neutral(row, bare.elements, options):
        raise InputError(
            f"field.{key}: {composition.formula} is not charge-neutral. Correct it, give "
            "field.oxidation_states, or write field.neutral = false."
        )
    return composition


def _row_is_neutral(
    row: NDArray[np.int64], elements: Sequence[str], options: FieldSettings
) -> bool:
    present = [symbol for symbol, count in zip(elements, row, strict=True) if count]
    counts = row[row > 0][None]
    return bool(neutral_rows(present, counts, options.oxidation_states)[0])


def _amounts(counts: Sequence[int], member_counts: NDArray[np.int64]) -> NDArray[np.float64] | None:
    """Return how much of each corner adds up to a formula unit, or None if nothing does."""
    wanted = np.array(counts, dtype=np.float64)
    table = member_counts.T.astype(np.float64)
    amounts = np.linalg.lstsq(table, wanted, rcond=None)[0]
    amounts[np.abs(amounts) < _INSIDE] = 0.0
    if np.abs(table @ amounts - wanted).max() > _INSIDE * wanted.sum() or (amounts < 0).any():
        return None
    return amounts


def _composition(row: Sequence[int], elements: Sequence[str]) -> Composition:
    return Composition.from_counts(
        {symbol: int(count) for symbol, count in zip(elements, row, strict=True) if count}
    )


def _named(composition: Composition) -> Composition:
    """Return a composition in chemical order and without states, so that equal ones are equal."""
    counts = composition.counts
    return Composition.from_counts({symbol: counts[symbol] for symbol in chemical_order(counts)})


def _place(composition: Composition, origin: str, bare: Field) -> tuple[object, ...]:
    if origin == "corner":
        return 0, bare.members.index(composition)
    counts = bare.counts_of(composition)
    return 1, len(composition.items), composition.n_atoms, [-count for count in counts]
