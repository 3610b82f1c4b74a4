"""Relaxed structures of files as rows, JSON, text and extxyz."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nucleate.crystal.symmetry import space_group
from nucleate.errors import InputError
from nucleate.relax.outcome import Failed, FailReason, Outcome, Relaxed
from nucleate.report.tables import LOOSE, geometry_columns, write_rows
from nucleate.units import GPA_PER_EV_A3

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from nucleate.crystal.crystal import Crystal
    from nucleate.run.relaxation import FileCrystal
    from nucleate.search.record import Record


def relaxed_row(item: FileCrystal, record: Record | None) -> dict[str, Any]:
    """Return one structure and its outcome as flat values, units in the keys.

    Energies of a proxy potential are in arbitrary units, and their keys say so.
    """
    row: dict[str, Any] = {"file": item.file, "name": item.name}
    outcome = _outcome(item, record)
    if outcome is None:
        return row | {"status": "not done"}
    relaxed = None if record is None else record.relaxed
    crystal = item.crystal if relaxed is None else relaxed.crystal
    if not isinstance(crystal, InputError):
        row |= geometry_columns(crystal)
    if not isinstance(item.crystal, InputError):
        row["start_space_group_0p1_angstrom"] = space_group(item.crystal, LOOSE)[1]
    if isinstance(outcome, Failed):
        row |= {
            "status": "failed",
            "converged": False,
            "reason": str(outcome.reason),
            "message": outcome.message,
        }
    else:
        state = "converged" if outcome.converged else outcome.note
        row |= {"status": state, "converged": outcome.converged, "reason": outcome.note}
    return row if record is None or relaxed is None else row | _energies(record, relaxed)


def relaxed_json(item: FileCrystal, record: Record | None) -> dict[str, Any]:
    """Return :func:`relaxed_row` with forces, stress and the final geometry."""
    row = relaxed_row(item, record)
    relaxed = None if record is None else record.relaxed
    if relaxed is None:
        return row
    unit, crystal = _unit(relaxed), relaxed.crystal
    row[f"forces_{unit}_per_angstrom"] = relaxed.forces.tolist()
    row[_stress_key("stress", unit)] = _stress(relaxed, relaxed.stress_gpa).tolist()
    row["atomic_numbers"] = crystal.numbers.tolist()
    row["cell_angstrom"] = crystal.cell.tolist()
    row["scaled_positions"] = crystal.scaled.tolist()
    return row


def write_relaxed(
    folder: Path, items: Sequence[FileCrystal], records: Mapping[int, Record]
) -> None:
    """Write ``relaxed.csv`` and ``relaxed.extxyz`` (those with an energy) into a folder."""
    from nucleate.crystal.files import write_extxyz

    rows = [relaxed_row(item, records.get(number)) for number, item in enumerate(items)]
    columns = dict.fromkeys(key for row in rows for key in row)
    write_rows(folder / "relaxed.csv", [{key: row.get(key, "") for key in columns} for row in rows])
    write_extxyz(
        folder / "relaxed.extxyz",
        (
            _frame(item, relaxed)
            for number, item in enumerate(items)
            if number in records and (relaxed := records[number].relaxed) is not None
        ),
    )


def _outcome(item: FileCrystal, record: Record | None) -> Outcome | None:
    """Return the failure of a structure, if there is one, else the outcome of its last tier."""
    if isinstance(item.crystal, InputError):
        return Failed(FailReason.INVALID, str(item.crystal))
    if record is None:
        return None
    return (record.failure or record.outcomes[-1]).outcome


def _energies(record: Record, relaxed: Relaxed) -> dict[str, Any]:
    unit = _unit(relaxed)
    return {
        "tier": record.tier,
        "model": relaxed.level.model,
        f"energy_{unit}": relaxed.energy,
        f"energy_{unit}_per_atom": relaxed.energy_per_atom,
        f"enthalpy_{unit}_per_atom": relaxed.enthalpy_per_atom,
        f"max_force_{unit}_per_angstrom": relaxed.max_force,
        _stress_key("max_stress", unit): float(_stress(relaxed, relaxed.max_stress_gpa)),
        "steps": relaxed.steps,
        "evaluations": relaxed.evaluations,
        "wall_s": round(relaxed.wall_s, 4),
    }


def _unit(relaxed: Relaxed) -> str:
    return "ev" if relaxed.level.unit == "eV" else "arbitrary"


def _stress_key(name: str, unit: str) -> str:
    return f"{name}_gpa" if unit == "ev" else f"{name}_arbitrary_per_ang3"


def _stress(relaxed: Relaxed, stress_gpa: Any) -> Any:
    return stress_gpa if relaxed.level.unit == "eV" else stress_gpa / GPA_PER_EV_A3


def _frame(item: FileCrystal, relaxed: Relaxed) -> tuple[str, Crystal, dict[str, Any]]:
    info: dict[str, Any] = {
        "file": item.file,
        "model": relaxed.level.model,
        "converged": relaxed.converged,
    }
    if relaxed.level.unit == "eV":
        info["energy"] = relaxed.energy
        info["stress"] = relaxed.stress_gpa / GPA_PER_EV_A3
        info["forces"] = relaxed.forces
    else:
        info["energy_arbitrary"] = relaxed.energy
    return item.name, relaxed.crystal, info
