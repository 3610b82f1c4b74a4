"""The hull of a map that exchanges one element with a reservoir, at one condition."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from fractions import Fraction
from math import isfinite, lcm
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nucleate.crystal.composition import Composition
from nucleate.errors import InputError
from nucleate.mapping.decomposition import units_of
from nucleate.mapping.gases import GASES, STANDARD_BAR, potential
from nucleate.mapping.hull import ON_HULL
from nucleate.mapping.potentials import open_hull
from nucleate.report.maps.reservoir import has_gas
from nucleate.report.maps.status import lacking_words
from nucleate.report.render import write_rows

if TYPE_CHECKING:
    from nucleate.mapping.hull import Hull
    from nucleate.mapping.reading import MapState


@dataclass(frozen=True, slots=True)
class OpenRow:
    """A composition in contact with the reservoir.

    Attributes
    ----------
    formula : str
    is_stable : bool
    formation_ev_per_atom, above_hull_ev_per_atom : float
        Grand potential per atom of the other elements, relative to their stable states in the
        reservoir, and to the open hull.
    reaction : str
        What it turns into, the element that is taken up or given off included; empty of a stable
        one.
    """

    formula: str
    is_stable: bool
    formation_ev_per_atom: float
    above_hull_ev_per_atom: float
    reaction: str


@dataclass(frozen=True, slots=True, eq=False)
class OpenHull:
    """What is stable while one element is exchanged with a reservoir.

    Attributes
    ----------
    symbol : str
        The open element.
    potential_ev : float
        Its chemical potential in eV per atom, relative to the element in the map.
    temperature_k, pressure_bar : float or None
        Of the gas, where they were given.
    hull : Hull
        Of grand potentials, over the other elements.
    rows : tuple of OpenRow
        The stable ones first.
    doubts : tuple of str
        What the hull lacks, in words: known structures that are not in it, and corners whose energy
        comes from a search.
    """

    symbol: str
    potential_ev: float
    temperature_k: float | None
    pressure_bar: float | None
    hull: Hull
    rows: tuple[OpenRow, ...]
    doubts: tuple[str, ...] = ()

    @property
    def stable(self) -> list[str]:
        """Formulas of what is stable."""
        return [row.formula for row in self.rows if row.is_stable]

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the hull, JSON-ready, with the units in the keys."""
        return {
            "open_element": self.symbol,
            "potential_ev": self.potential_ev,
            "temperature_k": self.temperature_k,
            "pressure_bar": self.pressure_bar,
            "rows": [asdict(row) for row in self.rows],
            "doubts": list(self.doubts),
        }

    def write_csv(self, path: str | Path) -> Path:
        """Write a row for each composition; an existing file is replaced.

        Raises
        ------
        InputError
            If the file cannot be written.
        """
        facts = {k: value for k, value in self.to_dict().items() if k not in ("rows", "doubts")}
        try:
            write_rows(Path(path), [asdict(row) | facts for row in self.rows])
        except OSError as error:
            raise InputError(
                f"{path}: cannot be written ({error.strerror}). Choose another file."
            ) from error
        return Path(path)

    def text(self, most: int | None = None) -> str:
        """Return the first rows and what the hull lacks as text."""
        state = ""
        if self.temperature_k is not None:
            state = f", the gas at {self.temperature_k:g} K and {self.pressure_bar:g} bar"
        lines = [f"open to {self.symbol} at {self.potential_ev:.3f} eV per atom{state}"]
        width = max((len(row.formula) for row in self.rows[:most]), default=0)
        for row in self.rows[:most]:
            height = f"{1000.0 * row.above_hull_ev_per_atom:.0f} meV/atom above the open hull"
            words = "stable" if row.is_stable else f"{height}; {row.reaction}"
            lines.append(f"{row.formula:<{width}}  {words}")
        return "\n".join([*lines, *self.doubts])


def open_to(
    state: MapState,
    symbol: str,
    *,
    temperature_k: float | None = None,
    pressure_bar: float | None = None,
    potential_ev: float | None = None,
) -> OpenHull:
    """Return the hull of a map that exchanges one element with a reservoir.

    Parameters
    ----------
    state
        The map.
    symbol
        The open element.
    temperature_k, pressure_bar
        Of its gas (O, N, H, Cl, F; NIST-JANAF); default pressure 1 bar.
    potential_ev
        In place of these, its chemical potential in eV per atom relative to the element of the map,
        at most 0.

    Raises
    ------
    InputError
        If the field has no such element or end members, a corner has no energy, or the condition
        is none or out of range.
    """
    elements = state.field.elements
    if symbol not in elements:
        raise InputError(
            f"open element = {symbol!r} is none of the field {state.field.system}. Choose one of "
            f"{', '.join(elements)}."
        )
    if not has_gas(state) and (temperature_k is not None or pressure_bar is not None):
        raise InputError(
            f"temperature and pressure of a gas say nothing at the {state.options.pressure_gpa:g} "
            f"GPa of this map. Give the potential of {symbol} relative to its own phase there."
        )
    mu = _potential(symbol, temperature_k, pressure_bar, potential_ev)
    whole = state.energies.hull()
    if state.field.has_end_members:
        raise InputError(
            f"open element = {symbol!r}: the corners of {state.field.system} are compounds. Map "
            f"the elements: {'-'.join(elements)}."
        )
    if whole.missing:
        raise InputError(
            f"{', '.join(whole.missing)} has no energy in this map yet. Continue the map."
        )
    hull = open_hull(whole, elements, symbol, mu)
    if temperature_k is not None:
        pressure_bar = STANDARD_BAR if pressure_bar is None else pressure_bar
    rows = sorted(_rows(hull, elements, symbol), key=_order)
    doubts = tuple(lacking_words(state))
    return OpenHull(symbol, mu, temperature_k, pressure_bar, hull, tuple(rows), doubts)


def _potential(
    symbol: str, temperature_k: float | None, pressure_bar: float | None, potential_ev: float | None
) -> float:
    """Return the chemical potential in eV; raises InputError if the condition is none."""
    if potential_ev is not None:
        if temperature_k is not None or pressure_bar is not None:
            raise InputError(
                f"potential = {potential_ev:g} eV and a temperature or pressure are given. Leave "
                "one of them out."
            )
        mu, remedy = potential_ev, "Give 0 or less"
    elif temperature_k is None:
        gas = "a temperature in K (and a pressure in bar), or " if symbol in GASES else ""
        raise InputError(
            f"open element = {symbol!r} has no condition. Give {gas}its chemical potential in eV."
        )
    else:
        pressure = STANDARD_BAR if pressure_bar is None else pressure_bar
        mu, remedy = potential(symbol, temperature_k, pressure), "Lower the pressure"
    if not isfinite(mu) or mu > 0.0:
        raise InputError(
            f"potential = {mu:g} eV of {symbol} is above that of the element itself, which would "
            f"condense. {remedy}."
        )
    return float(mu)


def _rows(hull: Hull, elements: tuple[str, ...], symbol: str) -> list[OpenRow]:
    stable = set(hull.vertices)
    rest = [name for name in elements if name != symbol]
    rows = []
    for place, name in enumerate(hull.names):
        height = float(hull.above_hull[place])
        is_stable = place in stable
        reaction = "" if is_stable else _reaction(name, hull, rest, symbol)
        rows.append(
            OpenRow(
                name,
                is_stable,
                float(hull.formation[place]),
                0.0 if height <= ON_HULL else height,
                reaction,
            )
        )
    return rows


def _reaction(formula: str, hull: Hull, rest: list[str], symbol: str) -> str:
    """Return the balanced reaction with the reservoir, in whole numbers."""
    own = Composition.from_formula(formula).counts
    counts = [own.get(name, 0) for name in rest]
    found = hull.decompose(counts)
    phases = [Composition.from_formula(hull.names[place]).counts for place in found.phases]
    exact = units_of(counts, [[phase.get(name, 0) for name in rest] for phase in phases])
    missing = own.get(symbol, 0) - sum(
        (u * phase.get(symbol, 0) for u, phase in zip(exact, phases, strict=True)), Fraction(0)
    )
    units = [(u, hull.names[place]) for u, place in zip(exact, found.phases, strict=True)]
    gas = f"{symbol}2" if symbol in GASES else symbol
    molecules = missing / (2 if symbol in GASES else 1)
    factor = lcm(molecules.denominator, *(unit.denominator for unit, _ in units))
    left, right = [_term(factor, formula)], [_term(int(u * factor), name) for u, name in units]
    if molecules:
        side = right if molecules > 0 else left
        side.append(_term(int(abs(molecules) * factor), gas))
    return f"{' + '.join(left)} → {' + '.join(right)}"


def _term(number: int, formula: str) -> str:
    return formula if number == 1 else f"{number} {formula}"


def _order(row: OpenRow) -> tuple[bool, float, str]:
    return not row.is_stable, row.above_hull_ev_per_atom, row.formula
