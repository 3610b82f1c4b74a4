"""Between objects and the columns of the store; arrays are little-endian blobs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from nucleate.crystal.candidate import Candidate, Origin
from nucleate.crystal.crystal import Crystal
from nucleate.relax.outcome import Failed, FailReason, Relaxed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from nucleate.energy.level import LevelOfTheory
    from nucleate.relax.outcome import Outcome


def floats(array: NDArray[np.float64]) -> bytes:
    """Return an array as little-endian float64."""
    return np.ascontiguousarray(array, dtype="<f8").tobytes()


def geometry_values(crystal: Crystal | None) -> tuple[bytes | None, bytes | None, bytes | None]:
    """Return the blobs of numbers, cell and scaled; None for no crystal."""
    if crystal is None:
        return None, None, None
    numbers = np.ascontiguousarray(crystal.numbers, dtype="<i8").tobytes()
    return numbers, floats(crystal.cell), floats(crystal.scaled)


def crystal_from(numbers: bytes, cell: bytes, scaled: bytes) -> Crystal:
    """Undo :func:`geometry_values`."""
    return Crystal(
        np.frombuffer(numbers, dtype="<i8"),
        np.frombuffer(cell, dtype="<f8").reshape(3, 3),
        np.frombuffer(scaled, dtype="<f8").reshape(-1, 3),
    )


def candidate_from(row: Sequence[Any]) -> Candidate:
    """Return the candidate of (source, parents, detail, numbers, cell, scaled)."""
    source, parents, detail, *geometry = row
    origin = Origin(source, tuple(json.loads(parents)), json.loads(detail))
    return Candidate(crystal_from(*geometry), origin)


def outcome_values(outcome: Outcome, level: int | None) -> tuple[Any, ...]:
    """Return the columns of an outcome from ``status`` on; ``level`` is the id of its level."""
    if isinstance(outcome, Failed):
        nothing = (None,) * 8
        values = ("failed", str(outcome.reason), outcome.message, outcome.wall_s, *nothing)
        return (*values, *geometry_values(outcome.last), None, None)
    return (
        "relaxed",
        None,
        outcome.note,
        outcome.wall_s,
        level,
        outcome.energy,
        outcome.enthalpy,
        outcome.max_force,
        outcome.max_stress_gpa,
        outcome.converged,
        outcome.steps,
        outcome.evaluations,
        *geometry_values(outcome.crystal),
        floats(outcome.forces),
        floats(outcome.stress_gpa),
    )


def outcome_from(row: Sequence[Any], levels: Mapping[int, LevelOfTheory]) -> Outcome:
    """Undo :func:`outcome_values`."""
    status, reason, message, wall_s, level, *numbers_and_blobs = row
    energy, enthalpy, max_force, max_stress, converged, steps, evaluations = numbers_and_blobs[:7]
    *geometry, forces, stress = numbers_and_blobs[7:]
    if status == "failed":
        last = None if geometry[0] is None else crystal_from(*geometry)
        return Failed(FailReason(reason), message, last, wall_s)
    return Relaxed(
        crystal=crystal_from(*geometry),
        energy=energy,
        enthalpy=enthalpy,
        forces=np.frombuffer(forces, dtype="<f8").reshape(-1, 3),
        stress_gpa=np.frombuffer(stress, dtype="<f8").reshape(3, 3),
        max_force=max_force,
        max_stress_gpa=max_stress,
        converged=bool(converged),
        steps=steps,
        evaluations=evaluations,
        wall_s=wall_s,
        level=levels[level],
        note=message,
    )
