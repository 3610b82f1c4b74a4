"""Messages between the driver and its workers: length-prefixed JSON.

A frame is four bytes (little-endian length of the rest) and a JSON object with the key ``op``.
Floats survive unchanged.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from nucleate.crystal.crystal import Crystal
from nucleate.energy.level import LevelOfTheory
from nucleate.relax.outcome import Failed, FailReason, Relaxed

if TYPE_CHECKING:
    from nucleate.relax.outcome import Outcome

Message = dict[str, Any]

PREFIX_BYTES = 4


def frame(message: Message) -> bytes:
    """Return a message as bytes."""
    body = json.dumps(message, separators=(",", ":")).encode()
    return len(body).to_bytes(PREFIX_BYTES, "little") + body


def read_frame(stream: BinaryIO) -> Message | None:
    """Read one message from a blocking stream; None at its end."""
    prefix = stream.read(PREFIX_BYTES)
    if len(prefix) < PREFIX_BYTES:
        return None
    size = int.from_bytes(prefix, "little")
    body = stream.read(size)
    return json.loads(body) if len(body) == size else None


class FrameBuffer:
    """Collects bytes as they come and gives back whole messages."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    def feed(self, chunk: bytes) -> list[Message]:
        """Take some bytes; return the messages that are complete now."""
        self._bytes += chunk
        messages = []
        while len(self._bytes) >= PREFIX_BYTES:
            end = PREFIX_BYTES + int.from_bytes(self._bytes[:PREFIX_BYTES], "little")
            if len(self._bytes) < end:
                break
            messages.append(json.loads(self._bytes[PREFIX_BYTES:end]))
            del self._bytes[:end]
        return messages


def outcome_to_dict(outcome: Outcome) -> Message:
    """Return an outcome as JSON-ready values."""
    if isinstance(outcome, Failed):
        last = None if outcome.last is None else outcome.last.to_dict()
        return {
            "reason": str(outcome.reason),
            "message": outcome.message,
            "last": last,
            "wall_s": outcome.wall_s,
        }
    return {
        "crystal": outcome.crystal.to_dict(),
        "energy": float(outcome.energy),
        "enthalpy": float(outcome.enthalpy),
        "forces": outcome.forces.tolist(),
        "stress_gpa": outcome.stress_gpa.tolist(),
        "max_force": float(outcome.max_force),
        "max_stress_gpa": float(outcome.max_stress_gpa),
        "converged": bool(outcome.converged),
        "steps": int(outcome.steps),
        "evaluations": int(outcome.evaluations),
        "wall_s": float(outcome.wall_s),
        "level": asdict(outcome.level),
        "note": outcome.note,
    }


def outcome_from_dict(data: Message) -> Outcome:
    """Undo :func:`outcome_to_dict`; an energy that is not finite becomes a failure."""
    if "reason" in data:
        last = None if data["last"] is None else Crystal.from_dict(data["last"])
        return Failed(FailReason(data["reason"]), data["message"], last, data["wall_s"])
    relaxed = Relaxed(
        **{
            **data,
            "crystal": Crystal.from_dict(data["crystal"]),
            "forces": np.array(data["forces"], dtype=np.float64).reshape(-1, 3),
            "stress_gpa": np.array(data["stress_gpa"], dtype=np.float64),
            "level": LevelOfTheory(**data["level"]),
        }
    )
    values = (relaxed.energy, relaxed.enthalpy, relaxed.max_force, relaxed.max_stress_gpa)
    arrays = (relaxed.crystal.cell, relaxed.crystal.scaled, relaxed.forces, relaxed.stress_gpa)
    if np.isfinite(values).all() and all(np.isfinite(array).all() for array in arrays):
        return relaxed
    message = "the engine returned an energy, force or geometry that is not a finite number"
    return Failed(FailReason.NOT_FINITE, message, None, relaxed.wall_s)
