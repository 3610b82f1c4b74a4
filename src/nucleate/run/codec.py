"""Outcomes and crystals as plain values, for both the wire and the store.

An outcome becomes one flat row: numbers, texts, and arrays as little-endian bytes. The store keeps
the row unchanged; on the wire, which is JSON, bytes are base64.
"""

from __future__ import annotations

import base64
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from nucleate.crystal.crystal import Crystal
from nucleate.energy.level import LevelOfTheory
from nucleate.relax.outcome import Failed, FailReason, Relaxed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from nucleate.relax.outcome import Outcome

GEOMETRY = ("numbers", "cell", "scaled")
"""Columns of a crystal."""

_SCALARS = {
    "energy_ev": ("energy", float),
    "enthalpy_ev": ("enthalpy", float),
    "max_force_ev_per_angstrom": ("max_force", float),
    "max_stress_gpa": ("max_stress_gpa", float),
    "converged": ("converged", bool),
    "steps": ("steps", int),
    "evaluations": ("evaluations", int),
}
"""Column, attribute of ``Relaxed`` and type."""

COLUMNS = (
    "status", "reason", "message", "wall_s", "level", *_SCALARS, *GEOMETRY, "forces", "stress_gpa",
)  # fmt: skip
"""Columns of an outcome, in their order."""

Row = dict[str, Any]


def floats(array: NDArray[np.float64]) -> bytes:
    """Return an array as little-endian float64."""
    return np.ascontiguousarray(array, dtype="<f8").tobytes()


def geometry(crystal: Crystal | None) -> Row:
    """Return the columns of a crystal; None in each for no crystal."""
    if crystal is None:
        return dict.fromkeys(GEOMETRY)
    return {
        "numbers": np.ascontiguousarray(crystal.numbers, dtype="<i8").tobytes(),
        "cell": floats(crystal.cell),
        "scaled": floats(crystal.scaled),
    }


def crystal_of(row: Mapping[str, Any]) -> Crystal | None:
    """Undo :func:`geometry`."""
    if row["numbers"] is None:
        return None
    return Crystal(
        np.frombuffer(row["numbers"], dtype="<i8"),
        np.frombuffer(row["cell"], dtype="<f8").reshape(3, 3),
        np.frombuffer(row["scaled"], dtype="<f8").reshape(-1, 3),
    )


def encode(outcome: Outcome) -> Row:
    """Return an outcome as a row; ``level`` is a :class:`LevelOfTheory`."""
    row: Row = dict.fromkeys(COLUMNS)
    row["wall_s"] = float(outcome.wall_s)
    if isinstance(outcome, Failed):
        row |= {"status": "failed", "reason": str(outcome.reason), "message": outcome.message}
        return row | geometry(outcome.last)
    row |= {"status": "relaxed", "message": outcome.note, "level": outcome.level}
    row |= {key: kind(getattr(outcome, name)) for key, (name, kind) in _SCALARS.items()}
    row |= {"forces": floats(outcome.forces), "stress_gpa": floats(outcome.stress_gpa)}
    return row | geometry(outcome.crystal)


def decode(row: Mapping[str, Any]) -> Outcome:
    """Undo :func:`encode`."""
    crystal = crystal_of(row)
    if row["status"] == "failed":
        return Failed(FailReason(row["reason"]), row["message"], crystal, row["wall_s"])
    assert crystal is not None
    return Relaxed(
        crystal=crystal,
        forces=np.frombuffer(row["forces"], dtype="<f8").reshape(-1, 3),
        stress_gpa=np.frombuffer(row["stress_gpa"], dtype="<f8").reshape(3, 3),
        wall_s=row["wall_s"],
        level=row["level"],
        note=row["message"],
        **{name: kind(row[key]) for key, (name, kind) in _SCALARS.items()},
    )


def checked(outcome: Outcome) -> Outcome:
    """Return an outcome of an engine; a failure if one of its numbers is not finite."""
    if isinstance(outcome, Failed):
        return outcome
    values = (outcome.energy, outcome.enthalpy, outcome.max_force, outcome.max_stress_gpa)
    crystal = outcome.crystal
    arrays = (crystal.cell, crystal.scaled, outcome.forces, outcome.stress_gpa)
    if np.isfinite(values).all() and all(np.isfinite(array).all() for array in arrays):
        return outcome
    message = "the engine returned an energy, force or geometry that is not a finite number"
    return Failed(FailReason.NOT_FINITE, message, None, outcome.wall_s)


def to_json(row: Row) -> Row:
    """Return a row as JSON-ready values."""
    return {key: _plain(value) for key, value in row.items() if value is not None}


def from_json(data: Mapping[str, Any]) -> Row:
    """Undo :func:`to_json`."""
    row: Row = {**dict.fromkeys(COLUMNS), **data}
    for key in (*GEOMETRY, "forces", "stress_gpa"):
        if row[key] is not None:
            row[key] = base64.b64decode(row[key])
    if row["level"] is not None:
        row["level"] = LevelOfTheory(**row["level"])
    return row


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    return asdict(value) if isinstance(value, LevelOfTheory) else value
