"""Tables of a run as CSV, with the unit in each column's name."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, Any

from nucleate.crystal.symmetry import space_group
from nucleate.relax.outcome import Failed, Relaxed
from nucleate.units import GRAM_PER_CM3_PER_AMU_A3

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from nucleate.crystal.crystal import Crystal
    from nucleate.report.ranking import RankedStructure
    from nucleate.search.record import Record, Verdict

LOOSE, TIGHT = 0.1, 0.01


def density(crystal: Crystal) -> float:
    """Return the mass density in g/cm³."""
    from ase.data import atomic_masses

    mass = float(atomic_masses[crystal.numbers].sum())
    return mass / crystal.volume * GRAM_PER_CM3_PER_AMU_A3


def write_results(path: Path, told: Iterable[tuple[Record, Verdict]], tiers: Sequence[str]) -> None:
    """Write every record of a run, in the order in which the search was told of it."""
    rows = [_result_row(record, verdict, tiers) for record, verdict in told]
    write_rows(path, rows)


def write_ranking(path: Path, ranked: Sequence[RankedStructure]) -> None:
    """Write the distinct structures, best first."""
    rows = []
    for item in ranked:
        unit = energy_unit(item.relaxed)
        failed = None if item.failed is None else item.failed.outcome
        rows.append(
            {
                "rank": item.rank,
                "number": item.record.number,
                "tier": item.tier,
                "energy_unit": unit,
                "enthalpy_per_atom": item.relaxed.enthalpy_per_atom,
                "above_best_per_atom": item.above_best,
                "copies": item.copies,
                **geometry_columns(item.relaxed.crystal),
                "converged": item.relaxed.converged,
                "max_force_ev_per_angstrom": item.relaxed.max_force,
                "max_stress_gpa": item.relaxed.max_stress_gpa,
                "origin": item.record.candidate.origin.source,
                "failed_tier": "" if item.failed is None else item.failed.tier,
                "fail_reason": str(failed.reason) if isinstance(failed, Failed) else "",
                "fail_message": failed.message if isinstance(failed, Failed) else "",
            }
        )
    write_rows(path, rows)


def energy_unit(relaxed: Relaxed) -> str:
    """Return ``eV``, or ``arbitrary`` for a proxy potential."""
    return relaxed.level.unit


def tier_status(outcome: Relaxed | Failed | None) -> str:
    """Return ``converged``, ``not converged``, ``failed: reason``, or nothing where no outcome."""
    if outcome is None:
        return ""
    if isinstance(outcome, Failed):
        return f"failed: {outcome.reason}"
    return "converged" if outcome.converged else outcome.note or "not converged"


def failure_words(item: RankedStructure) -> str:
    """Return which tier above failed and why, empty if none did."""
    if item.failed is None:
        return ""
    return f"{item.failed.tier} {tier_status(item.failed.outcome)}"


def _result_row(record: Record, verdict: Verdict, tiers: Sequence[str]) -> dict[str, Any]:
    origin = record.candidate.origin
    row: dict[str, Any] = {
        "number": record.number,
        "origin": origin.source,
        "parents": " ".join(map(str, origin.parents)),
        "tier": record.tier or "",
        "accepted": verdict.accepted,
        "new_minimum": verdict.new_minimum,
        "duplicate_of": "" if verdict.duplicate_of is None else verdict.duplicate_of,
        **geometry_columns(record.crystal),
    }
    by_tier = {item.tier: item.outcome for item in record.outcomes}
    for tier in tiers:
        row |= _tier_columns(tier, by_tier.get(tier))
    failure = record.failure
    failed = failure.outcome if failure is not None else None
    row["fail_reason"] = str(failed.reason) if isinstance(failed, Failed) else ""
    row["fail_message"] = failed.message if isinstance(failed, Failed) else ""
    row["asked_s"] = round(record.asked_s, 3)
    row["finished_s"] = round(record.finished_s, 3)
    row["core_s"] = round(record.core_s, 3)
    return row


def _tier_columns(tier: str, outcome: Relaxed | Failed | None) -> dict[str, Any]:
    good = outcome if isinstance(outcome, Relaxed) else None
    wall_s = round(outcome.wall_s, 3) if outcome is not None else ""
    if good is None:
        values: list[Any] = ["", "", "", "", "", "", wall_s]
    else:
        values = [
            good.energy_per_atom,
            good.enthalpy_per_atom,
            good.max_force,
            good.max_stress_gpa,
            good.converged,
            good.steps,
            wall_s,
        ]
    unit = "" if good is None else good.level.unit
    names = [
        "energy_per_atom",
        "enthalpy_per_atom",
        "max_force_ev_per_angstrom",
        "max_stress_gpa",
        "converged",
        "steps",
        "wall_s",
    ]
    columns = {f"{tier}_status": tier_status(outcome), f"{tier}_energy_unit": unit}
    return columns | {f"{tier}_{name}": value for name, value in zip(names, values, strict=True)}


def geometry_columns(crystal: Crystal) -> dict[str, Any]:
    """Return formula, size and symmetry of a crystal, units in the keys."""
    loose, tight = space_group(crystal, LOOSE), space_group(crystal, TIGHT)
    return {
        "formula": crystal.formula,
        "n_atoms": crystal.n_atoms,
        "space_group_0p1_angstrom": loose[1],
        "space_group_number_0p1_angstrom": loose[0],
        "space_group_0p01_angstrom": tight[1],
        "volume_ang3_per_atom": round(crystal.volume_per_atom, 6),
        "density_g_per_cm3": round(density(crystal), 5),
    }


def write_rows(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Write rows that have the same keys as a CSV table."""
    with path.open("w", newline="", encoding="utf-8") as stream:
        if not rows:
            return
        writer = csv.DictWriter(stream, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
