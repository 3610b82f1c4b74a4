"""The table of columns from which every table, file and page is made.

A column has a key with its unit, which names it in CSV, JSON and data frames, and a short head for
the terminal and the page. Energies in eV and in the arbitrary units of a proxy potential are never
in one column: the key has a place for the unit, and each row fills the column of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from nucleate.crystal.symmetry import SYMPREC_LADDER, space_group
from nucleate.relax.outcome import Failed, Relaxed
from nucleate.report.naming import (
    log_likelihood,
    nearest,
    nearest_distance,
    pearson,
    prior_weight,
    short_structure_type,
    structure_type,
    type_in_words,
)
from nucleate.report.opinions import opinion_text
from nucleate.search.polished import level_of_tier
from nucleate.units import GPA_PER_EV_A3

if TYPE_CHECKING:
    from collections.abc import Callable

    from nucleate.crystal.crystal import Crystal
    from nucleate.crystal.symmetry import SymmetryRung
    from nucleate.relax.outcome import Outcome
    from nucleate.report.rows import Row

Value: TypeAlias = str | int | float | bool | None

AMU_PER_ANG3_IN_G_PER_CM3 = 1.66053906660
LOOSE, TIGHT = SYMPREC_LADDER[0], SYMPREC_LADDER[-1]


def _unit_of_row(row: Row) -> str:
    return unit_of(row.relaxed)


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    Attributes
    ----------
    key : str
        Name with its unit; ``{e}`` is ``ev`` or ``arbitrary``, ``{s}`` the unit of a stress.
    value : callable
        From a row to its value; None where the row has none.
    head : str
        Short name for people; ``{e}`` is ``eV`` or ``arb. unit``, ``{s}`` the unit of a stress.
    digits : int or None
        Decimals for people.
    factor : float
        By which a number is multiplied for people (1000 for meV).
    unit : callable
        From a row to ``ev``, ``arbitrary`` or, where it has no energy, an empty text.
    """

    key: str
    value: Callable[[Row], Value]
    head: str
    digits: int | None = None
    factor: float = 1.0
    unit: Callable[[Row], str] = _unit_of_row

    @property
    def has_unit(self) -> bool:
        """Whether the key depends on the unit of the energies."""
        return "{" in self.key

    def key_in(self, unit: str) -> str:
        """Return the key for energies in ``ev`` or ``arbitrary``."""
        return self.key.format(e=unit, s="gpa" if unit == "ev" else "arbitrary_per_ang3")

    def head_in(self, unit: str) -> str:
        """Return the head for energies in ``ev`` or ``arbitrary``."""
        if unit == "ev":
            return self.head.format(e="eV", m="meV", s="GPa")
        return self.head.format(e="arb. unit", m="arb. unit", s="arb. unit/Å³")

    def text(self, value: Value) -> str:
        """Return a value for people."""
        if value is None:
            return ""
        if isinstance(value, bool):
            return "yes" if value else "no"
        if isinstance(value, int | float) and self.digits is not None:
            return f"{value * self.factor:.{self.digits}f}"
        return str(value)


def unit_of(outcome: Outcome | None) -> str:
    """Return ``ev`` or ``arbitrary``; an empty text where there is no energy."""
    if not isinstance(outcome, Relaxed):
        return ""
    return "ev" if outcome.level.unit == "eV" else "arbitrary"


def status_of(outcome: Outcome | None) -> str:
    """Return ``converged``, ``not converged`` or why, ``failed: reason``, or an empty text."""
    if outcome is None:
        return ""
    if isinstance(outcome, Failed):
        return f"failed: {outcome.reason}"
    return "converged" if outcome.converged else outcome.note or "not converged"


def density(crystal: Crystal) -> float:
    """Return the mass density in g/cm³."""
    from ase.data import atomic_masses

    mass = float(atomic_masses[crystal.numbers].sum())
    return mass / crystal.volume * AMU_PER_ANG3_IN_G_PER_CM3


def stress_in(outcome: Relaxed, stress_gpa: float) -> float:
    """Return a stress in GPa in the unit of the outcome: GPa, or arbitrary units per Å³."""
    return stress_gpa if outcome.level.unit == "eV" else stress_gpa / GPA_PER_EV_A3


def energy_columns(
    outcome: Callable[[Row], Outcome | None], *, prefix: str = "", head: str = ""
) -> dict[str, Column]:
    """Return the columns of one outcome of a row, by their short names.

    Parameters
    ----------
    outcome
        From a row to the outcome.
    prefix, head
        Put before every key and every head.
    """

    def of(value: Callable[[Relaxed], Value]) -> Callable[[Row], Value]:
        def read(row: Row) -> Value:
            found = outcome(row)
            return value(found) if isinstance(found, Relaxed) else None

        return read

    def unit(row: Row) -> str:
        return unit_of(outcome(row))

    def wall_s(row: Row) -> Value:
        found = outcome(row)
        return None if found is None else round(found.wall_s, 4)

    made = {
        "status": Column("status", lambda row: status_of(outcome(row)), "state"),
        "model": Column("model", of(lambda item: item.level.model), "model"),
        "energy_cell": Column("energy_{e}", of(lambda item: item.energy), "{e}", 4),
        "energy": Column(
            "energy_{e}_per_atom", of(lambda item: item.energy_per_atom), "{e}/atom", 5
        ),
        "enthalpy": Column(
            "enthalpy_{e}_per_atom", of(lambda item: item.enthalpy_per_atom), "{e}/atom", 4
        ),
        "pressure": Column(
            "pressure_{s}",
            of(lambda item: float(stress_in(item, item.pressure_gpa))),
            "pressure {s}",
            2,
        ),
        "max_force": Column(
            "max_force_{e}_per_angstrom", of(lambda item: item.max_force), "force {e}/Å", 3
        ),
        "max_stress": Column(
            "max_stress_{s}",
            of(lambda item: float(stress_in(item, item.max_stress_gpa))),
            "stress {s}",
            3,
        ),
        "converged": Column("converged", of(lambda item: item.converged), "converged"),
        "steps": Column("steps", of(lambda item: item.steps), "steps"),
        "evaluations": Column("evaluations", of(lambda item: item.evaluations), "evaluations"),
        "wall_s": Column("wall_s", wall_s, "s", 1),
    }  # fmt: skip
    return {
        name: Column(
            prefix + column.key, column.value, head + column.head, column.digits, unit=unit
        )
        for name, column in made.items()
    }


def _rung(row: Row, symprec: float) -> SymmetryRung | None:
    return next((rung for rung in row.symmetry if rung.symprec == symprec), None)


def _symbol(symprec: float) -> Callable[[Row], Value]:
    return lambda row: None if (rung := _rung(row, symprec)) is None else rung.symbol


def _number(row: Row) -> Value:
    rung = _rung(row, LOOSE)
    return None if rung is None else rung.number


def _of_crystal(value: Callable[[Crystal], Value]) -> Callable[[Row], Value]:
    return lambda row: None if row.crystal is None else value(row.crystal)


def _seconds(name: str) -> Callable[[Row], Value]:
    return lambda row: None if row.record is None else round(getattr(row.record, name), 3)


def _reason(row: Row) -> Value:
    if row.failure is not None:
        return str(row.failure.reason)
    return None if row.relaxed is None else row.relaxed.note


def _state(row: Row) -> Value:
    if row.failure is not None:
        return "failed"
    return "not done" if row.outcome is None else status_of(row.outcome)


def _is_converged(row: Row) -> Value:
    if row.outcome is None:
        return None
    return row.failure is None and row.relaxed is not None and row.relaxed.converged


def _tier_above(row: Row) -> Value:
    if row.failed is None or isinstance(row.outcome, Failed):
        return ""
    return f"{row.failed.tier} {status_of(row.failed.outcome)}"


def _change(row: Row) -> Value:
    end = _symbol(LOOSE)(row)
    start = None if row.start is None or row.outcome is None else space_group(row.start, LOOSE)[1]
    return end if start is None or start == end else f"{start} → {end}"


def _finding(name: str) -> Callable[[Row], Value]:
    return lambda row: None if row.finding is None else getattr(row.finding, name)


def _opinion(name: str) -> Callable[[Row], Value]:
    def read(row: Row) -> Value:
        opinion = None if row.finding is None else row.finding.opinion
        return None if opinion is None else getattr(opinion, name)

    return read


def _opinion_in_words(row: Row) -> Value:
    return None if row.finding is None else opinion_text(row.finding.opinion) or None


def _same_as(row: Row) -> Value:
    """Return the other records that were polished into this structure, with the displacement."""
    if row.finding is None or row.record is None:
        return None
    nearest: dict[int, float] = {}
    for copy in row.finding.same:
        if copy.record != row.record.number:
            nearest[copy.record] = min(copy.displacement, nearest.get(copy.record, 1.0))
    return " ".join(f"{record} ({value:.3f})" for record, value in nearest.items()) or None


COLUMNS: dict[str, Column] = {
    "rank": Column("rank", lambda row: row.rank, "rank"),
    "file": Column("file", lambda row: row.file, "file"),
    "name": Column("name", lambda row: row.name, "name"),
    "record": Column(
        "record", lambda row: None if row.record is None else row.record.number, "record"
    ),
    "origin": Column("origin", lambda row: row.origin, "origin"),
    "parents": Column(
        "parents",
        lambda row: (
            "" if row.record is None else " ".join(map(str, row.record.candidate.origin.parents))
        ),
        "parents",
    ),
    "tier": Column("tier", lambda row: level_of_tier(row.tier), "tier"),
    "family": Column("family", _finding("family"), "family"),
    "probability": Column("probability", _finding("probability"), "p", 2),
    "same_as": Column("same_as", _same_as, "same as"),
    "note": Column("note", lambda row: _finding("note")(row) or None, "note"),
    "judge_enthalpy": Column("judge_enthalpy_ev_per_atom", _opinion("energy"), "judge eV/atom", 4),
    "judge_rank": Column("judge_rank", _opinion("rank"), "judge rank"),
    "own_rank": Column("own_rank", _opinion("own_rank"), "own rank"),
    "judge_difference": Column(
        "judge_difference_ev_per_atom", _opinion("difference"), "judge higher by meV", 0, 1000.0
    ),
    "is_unphysical": Column("probably_unphysical", _opinion("is_unphysical"), "unphysical"),
    "opinion": Column("second_opinion", _opinion_in_words, "second opinion"),
    "formula": Column("formula", _of_crystal(lambda crystal: crystal.reduced_formula), "formula"),
    "formula_units": Column(
        "formula_units", _of_crystal(lambda crystal: crystal.formula_units), "Z"
    ),
    "n_atoms": Column("n_atoms", _of_crystal(lambda crystal: crystal.n_atoms), "atoms"),
    "space_group": Column("space_group_0p1_angstrom", _symbol(LOOSE), "space group"),
    "space_group_number": Column("space_group_number_0p1_angstrom", _number, "number"),
    "tight_space_group": Column("space_group_0p01_angstrom", _symbol(TIGHT), "(0.01 Å)"),
    "start_space_group": Column(
        "start_space_group_0p1_angstrom",
        lambda row: None if row.start is None else space_group(row.start, LOOSE)[1],
        "start",
    ),
    "space_group_change": Column("space_group_change_0p1_angstrom", _change, "space group"),
    "volume": Column(
        "volume_ang3_per_atom",
        _of_crystal(lambda crystal: round(crystal.volume_per_atom, 6)),
        "Å³/atom",
        2,
    ),
    "density": Column(
        "density_g_per_cm3", _of_crystal(lambda crystal: round(density(crystal), 5)), "g/cm³", 3
    ),
    **energy_columns(lambda row: row.outcome),
    "structure_type": Column("structure_type", structure_type, "type"),
    "short_type": Column("structure_type", short_structure_type, "type"),
    "type_and_nearest": Column("structure_type", type_in_words, "type, nearest known"),
    "pearson": Column("pearson", pearson, "Pearson"),
    "nearest": Column("nearest", nearest, "nearest known"),
    "nearest_distance": Column("nearest_distance", nearest_distance, "distance", 2),
    "prior_weight": Column("prior_weight", prior_weight, "weight", 4),
    "log_likelihood": Column("log_likelihood", log_likelihood, "ln p", 2),
    "above_best": Column(
        "above_best_{e}_per_atom", lambda row: row.above_best, "above best {e}", 4
    ),
    "copies": Column("copies", lambda row: row.copies, "copies"),
    "state": Column("status", _state, "state"),
    "is_converged": Column("converged", _is_converged, "converged"),
    "reason": Column("reason", _reason, "reason"),
    "message": Column(
        "message",
        lambda row: None if row.failure is None else row.failure.message,
        "message",
    ),
    "tier_above": Column("tier_above", _tier_above, "tier above"),
    "failed_tier": Column(
        "failed_tier", lambda row: "" if row.failed is None else row.failed.tier, "failed tier"
    ),
    "fail_reason": Column(
        "fail_reason", lambda row: "" if row.failure is None else str(row.failure.reason), "reason"
    ),
    "fail_message": Column(
        "fail_message", lambda row: "" if row.failure is None else row.failure.message, "message"
    ),
    "accepted": Column(
        "accepted", lambda row: None if row.update is None else row.update.accepted, "accepted"
    ),
    "new_minimum": Column(
        "new_minimum",
        lambda row: None if row.update is None else row.update.new_minimum,
        "new minimum",
    ),
    "duplicate_of": Column(
        "duplicate_of",
        lambda row: None if row.update is None else row.update.duplicate_of,
        "repeats",
    ),
    "asked_s": Column("asked_s", _seconds("asked_s"), "asked s", 0),
    "finished_s": Column("finished_s", _seconds("finished_s"), "found s", 0),
    "core_s": Column("core_s", _seconds("core_s"), "core s", 0),
}
"""Every column by its short name."""


def columns(*names: str) -> tuple[Column, ...]:
    """Return columns by their short names."""
    return tuple(COLUMNS[name] for name in names)
