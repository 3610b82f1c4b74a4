"""Composition: a reduced formula with oxidation states, sizes and volume."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from math import gcd
from typing import TYPE_CHECKING, Literal

import numpy as np

from nucleate.crystal.elements import element, ionic_radius
from nucleate.crystal.formula import counts_of, formula_text
from nucleate.crystal.oxidation import guess_oxidation_states, neutral_states
from nucleate.crystal.volumes import expected_volume
from nucleate.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import ArrayLike, NDArray

    from nucleate.crystal.oxidation import States

_TOKEN = re.compile(r"([A-Z][a-z]?)|([(\[{])|([)\]}])|(\d+(?:\.\d+)?)", re.ASCII)
_COUNT = re.compile(r"-?\d+(?:\.\d*)?|\.\d+", re.ASCII)

LONGEST_FORMULA = 200
"""Characters."""

LARGEST_FORMULA_UNIT = 10_000
"""Atoms."""

MOST_ATOMS_IN_A_CELL = 10_000
"""Upper limit of ``max_atoms``."""

_CLOSING = {"(": ")", "[": "]", "{": "}"}


@dataclass(frozen=True, slots=True)
class Composition:
    """The composition of one formula unit; immutable and hashable.

    Attributes
    ----------
    items : tuple of (str, int)
        Element symbols and their counts in one (reduced) formula unit, in the order given.
    given_states : tuple of (str, float)
        Oxidation states given by the user, the mean where an element has several; empty where
        none were given.
    """

    items: tuple[tuple[str, int], ...]
    given_states: tuple[tuple[str, float], ...] = ()

    @classmethod
    def from_formula(cls, formula: str, oxidation_states: States | None = None) -> Composition:
        """Read a formula such as ``Ca3Ti2O7`` or ``Ca(OH)2``.

        Parameters
        ----------
        formula
            Element symbols with whole counts; brackets may be nested.
        oxidation_states
            One whole charge for each element, or a list of them for mixed valence, such as
            ``{"Fe": [2, 3], "O": -2}``; they must add up to zero.

        Raises
        ------
        InputError
            If the formula or the oxidation states cannot be used.

        Examples
        --------
        >>> Composition.from_formula("Ca6Ti4O14").formula
        'Ca3Ti2O7'
        """
        return cls.from_counts(_parse(formula), oxidation_states)

    @classmethod
    def from_counts(
        cls, counts: Mapping[str, int], oxidation_states: States | None = None
    ) -> Composition:
        """Build from a mapping of symbols to counts, which is reduced to the smallest unit.

        Raises
        ------
        InputError
            If it is empty, an element is unknown, a count is not a positive whole number, or
            the oxidation states do not fit.
        """
        if not counts:
            raise InputError("formula is empty. Give one such as Ca3Ti2O7.")
        for symbol, count in counts.items():
            element(symbol)
            if isinstance(count, bool) or count != int(count) or count < 1:
                raise InputError(
                    f"formula: the count of {symbol} is {count}; counts must be positive whole "
                    "numbers. Multiply the formula until they are."
                )
        divisor = gcd(*(int(count) for count in counts.values()))
        items = tuple((symbol, int(count) // divisor) for symbol, count in counts.items())
        return cls(items, _checked_states(items, oxidation_states))

    @classmethod
    def from_numbers(cls, numbers: ArrayLike) -> Composition:
        """Return the composition of a crystal with these atomic numbers, in chemical order."""
        return cls.from_counts(counts_of(numbers))

    @property
    def formula(self) -> str:
        """Reduced formula, elements in the order given."""
        return formula_text(dict(self.items))

    @property
    def counts(self) -> dict[str, int]:
        """Atoms of each element in one formula unit."""
        return dict(self.items)

    @property
    def n_atoms(self) -> int:
        """Atoms in one formula unit."""
        return sum(count for _, count in self.items)

    @property
    def elements(self) -> tuple[int, ...]:
        """Atomic numbers of the elements, in the order of the formula."""
        return tuple(element(symbol).number for symbol, _ in self.items)

    def numbers(self, formula_units: int) -> NDArray[np.int64]:
        """Return the sorted atomic numbers of ``formula_units`` formula units."""
        repeats = [count * formula_units for _, count in self.items]
        return np.sort(np.repeat(np.array(self.elements, dtype=np.int64), repeats))

    def formula_units_of(self, numbers: ArrayLike) -> int | None:
        """Return how many formula units these atoms are, or None if they are not a multiple."""
        array = np.asarray(numbers, dtype=np.int64)
        units, rest = divmod(array.size, self.n_atoms)
        if rest or units == 0:
            return None
        for number, count in _numbered(self.items):
            if np.count_nonzero(array == number) != units * count:
                return None
        return units

    def allowed_formula_units(self, max_atoms: int) -> tuple[int, ...]:
        """Return every number of formula units with at most ``max_atoms`` atoms.

        Raises
        ------
        InputError
            If not even one formula unit fits.
        """
        if max_atoms > MOST_ATOMS_IN_A_CELL:
            raise InputError(
                f"max_atoms = {max_atoms} is larger than {MOST_ATOMS_IN_A_CELL}, which no search "
                "can treat. Lower it."
            )
        if max_atoms < self.n_atoms:
            raise InputError(
                f"max_atoms = {max_atoms} is smaller than one formula unit of {self.formula} "
                f"({self.n_atoms} atoms). Raise max_atoms to at least {self.n_atoms}."
            )
        return tuple(range(1, max_atoms // self.n_atoms + 1))

    @property
    def oxidation_states(self) -> Mapping[str, float] | None:
        """Charge of each element: given, or guessed from common states, or None.

        Elements of mixed valence have their mean charge.
        """
        return dict(self.given_states) if self.given_states else guess_oxidation_states(self.items)

    @property
    def oxidation_source(self) -> Literal["given", "guessed", "none"]:
        """Where :attr:`oxidation_states` come from."""
        if self.given_states:
            return "given"
        return "none" if self.oxidation_states is None else "guessed"

    @property
    def submodule_size(self) -> float:
        """Edge ``ap`` of a sub-module in Å; a sub-module is ap × ap × ap/2.

        ``2 (R_cation + R_anion)`` with the mean ionic radii over the ions of one formula unit
        where oxidation states were given, else ``4 R`` with the mean atomic radius
        (doi:10.1039/d4fd00094c). Garnet Ca3Al2Si3O12: 4.24 Å.
        """
        if not self.given_states:
            total = sum(element(symbol).atomic_radius * count for symbol, count in self.items)
            return 4.0 * total / self.n_atoms
        states = dict(self.given_states)
        return 2.0 * sum(_mean_ionic_radius(self.items, states, sign=sign) for sign in (1, -1))

    @property
    def volume_per_atom(self) -> float:
        """Expected volume in Å³ per atom, from volumes fitted on real structures."""
        return _volume_per_atom(self.items)


@lru_cache(maxsize=256)
def _numbered(items: tuple[tuple[str, int], ...]) -> tuple[tuple[int, int], ...]:
    """Return atomic numbers and counts of a formula."""
    return tuple((element(symbol).number, count) for symbol, count in items)


@lru_cache(maxsize=256)
def _volume_per_atom(items: tuple[tuple[str, int], ...]) -> float:
    return expected_volume(dict(items)) / sum(count for _, count in items)


def _mean_ionic_radius(
    items: tuple[tuple[str, int], ...], states: dict[str, float], *, sign: int
) -> float:
    ions = [(symbol, count) for symbol, count in items if states[symbol] * sign > 0]
    total = sum(ionic_radius(symbol, states[symbol]) * count for symbol, count in ions)
    return total / sum(count for _, count in ions)


def _checked_states(
    items: tuple[tuple[str, int], ...], states: States | None
) -> tuple[tuple[str, float], ...]:
    if not states:
        return ()
    symbols = [symbol for symbol, _ in items]
    unknown = [symbol for symbol in states if symbol not in symbols]
    missing = [symbol for symbol in symbols if symbol not in states]
    if unknown or missing:
        wrong = f"{unknown[0]} is not in the formula" if unknown else f"{missing[0]} is missing"
        raise InputError(
            f"oxidation_states = {dict(states)}: {wrong}. Give one state for each of "
            f"{', '.join(symbols)}."
        )
    return neutral_states(items, {symbol: states[symbol] for symbol in symbols})


def _parse(formula: str) -> dict[str, int]:
    if len(formula) > LONGEST_FORMULA:
        raise _bad_formula(formula, f"it has more than {LONGEST_FORMULA} characters")
    text = "".join(formula.split())
    if not text:
        raise InputError("formula is empty. Give one such as Ca3Ti2O7.")
    stack: list[tuple[str, dict[str, int]]] = [("", {})]
    group: dict[str, int] = {}
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            rest = text[position : position + 20]
            raise _bad_formula(formula, f"{rest!r} is not an element or a whole count")
        symbol, opening, closing, number = match.groups()
        position = match.end()
        if opening:
            stack.append((_CLOSING[opening], {}))
            continue
        if number:
            raise _bad_formula(formula, f"the count {number} follows nothing")
        if symbol:
            element(symbol)
            group = {symbol: 1}
        elif closing:
            expected, group = stack.pop()
            if closing != expected or not group:
                raise _bad_formula(formula, f"bracket {closing!r} closes nothing")
        count, position = _count_at(text, position, formula)
        for name, inner in group.items():
            stack[-1][1][name] = stack[-1][1].get(name, 0) + inner * count
    if len(stack) > 1:
        raise _bad_formula(formula, f"bracket {stack[-1][0]!r} is missing")
    total = sum(stack[0][1].values())
    if total > LARGEST_FORMULA_UNIT * gcd(*stack[0][1].values()):
        raise _bad_formula(formula, f"more than {LARGEST_FORMULA_UNIT} atoms in a formula unit")
    return stack[0][1]


def _count_at(text: str, position: int, formula: str) -> tuple[int, int]:
    match = _COUNT.match(text, position)
    if match is None:
        return 1, position
    number = match.group()
    if len(number) > 9:
        raise _bad_formula(formula, f"the count {number[:12]}... is too large")
    if not number.isdigit() or int(number) == 0:
        raise _bad_formula(formula, f"the count {number} is not a positive whole number")
    return int(number), match.end()


def _bad_formula(formula: str, problem: str) -> InputError:
    shown = formula if len(formula) <= 60 else f"{formula[:57]}..."
    return InputError(
        f"formula = {shown!r}: {problem}. Write element symbols with positive whole counts, "
        "such as Ca3Ti2O7 or Ca(OH)2."
    )
