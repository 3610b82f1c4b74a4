"""Frames as bytes, for messages and for the store: about 600 bytes for 20 atoms."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import numpy as np

from nucleate.crystal.crystal import Crystal
from nucleate.errors import InputError
from nucleate.surrogate.frames import Frame

if TYPE_CHECKING:
    from collections.abc import Sequence

_HEAD = struct.Struct("<HI")
"""Number of frames and of atoms, which all of them have in common."""


def pack(frames: Sequence[Frame]) -> bytes:
    """Return frames of the same atoms as bytes; coordinates, forces and stress as float32.

    Raises
    ------
    InputError
        If the atoms of the frames differ.
    """
    if not frames:
        return _HEAD.pack(0, 0)
    numbers = frames[0].crystal.numbers
    parts = [_HEAD.pack(len(frames), len(numbers)), numbers.astype("<u1").tobytes()]
    for frame in frames:
        if not np.array_equal(frame.crystal.numbers, numbers):
            raise InputError("frames: their atoms differ. Pack each relaxation by itself.")
        parts += [
            np.append(frame.crystal.cell.ravel(), frame.energy_ev).astype("<f8").tobytes(),
            (frame.crystal.scaled % 1.0).astype("<f4").tobytes(),
            frame.forces_ev_per_ang.astype("<f4").tobytes(),
            frame.stress_gpa.astype("<f4").tobytes(),
        ]
    return b"".join(parts)


def unpack(data: bytes) -> list[Frame]:
    """Undo :func:`pack`.

    Raises
    ------
    InputError
        If the bytes do not hold what they say.
    """
    try:
        count, n = _HEAD.unpack_from(data)
        numbers = np.frombuffer(data, "<u1", n, _HEAD.size).astype(np.int64)
        offset, found = _HEAD.size + n, []
        for _ in range(count):
            real = np.frombuffer(data, "<f8", 10, offset)
            single = np.frombuffer(data, "<f4", 6 * n + 9, offset + 80).astype(np.float64)
            scaled, forces = single[: 3 * n].reshape(n, 3), single[3 * n : 6 * n].reshape(n, 3)
            crystal = Crystal(numbers, real[:9].reshape(3, 3), scaled)
            found.append(Frame(crystal, float(real[9]), forces, single[6 * n :].reshape(3, 3)))
            offset += 80 + 4 * (6 * n + 9)
    except (struct.error, ValueError) as error:
        raise InputError(f"frames: {len(data)} bytes are damaged ({error}).") from error
    return found


def elements_in(data: bytes) -> frozenset[int]:
    """Return the atomic numbers in a packed group, without unpacking it."""
    _, n = _HEAD.unpack_from(data)
    return frozenset(data[_HEAD.size : _HEAD.size + n])
