"""Frames as bytes, for messages and for the store: about 300 bytes for 20 atoms.

Digits that a fit does not see are left out. Coordinates keep 1/65536 of a lattice vector, forces
and stresses half precision (relative 0.0005, where the fit assumes 0.06 eV/Å and more as noise).
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import numpy as np

from nucleate.crystal.crystal import Crystal
from nucleate.errors import InputError
from nucleate.surrogate.frames import Frame

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

VERSION = 0xF2

_HEAD = struct.Struct("<BHI")
"""Version, number of frames and of atoms, which all of them have in common."""

_STEPS = 65536

_DAMAGED = (
    "frames: {} bytes are damaged ({}). A run that holds them learns without them; to learn from "
    "another run, give one that is whole."
)


def pack(frames: Sequence[Frame]) -> bytes:
    """Return frames of the same atoms as bytes.

    Raises
    ------
    InputError
        If the atoms of the frames differ.
    """
    if not frames:
        return _HEAD.pack(VERSION, 0, 0)
    numbers = frames[0].crystal.numbers
    parts = [_HEAD.pack(VERSION, len(frames), len(numbers)), numbers.astype("<u1").tobytes()]
    for frame in frames:
        if not np.array_equal(frame.crystal.numbers, numbers):
            raise InputError("frames: their atoms differ. Pack each relaxation by itself.")
        scaled = np.rint(frame.crystal.scaled % 1.0 * _STEPS).astype(np.int64) % _STEPS
        parts += [
            struct.pack("<d", frame.energy_ev),
            frame.crystal.cell.astype("<f4").tobytes(),
            scaled.astype("<u2").tobytes(),
            _half(frame.forces_ev_per_ang),
            _half(frame.stress_gpa),
        ]
    return b"".join(parts)


def unpack(data: bytes) -> list[Frame]:
    """Undo :func:`pack`.

    Raises
    ------
    InputError
        If the bytes do not hold what they say, or another version wrote them.
    """
    try:
        count, n = _counts(data)
        numbers = np.frombuffer(data, "<u1", n, _HEAD.size).astype(np.int64)
        offset, found = _HEAD.size + n, []
        for _ in range(count):
            (energy,) = struct.unpack_from("<d", data, offset)
            cell = np.frombuffer(data, "<f4", 9, offset + 8).astype(np.float64)
            scaled = np.frombuffer(data, "<u2", 3 * n, offset + 44) / _STEPS
            half = np.frombuffer(data, "<f2", 3 * n + 9, offset + 44 + 6 * n).astype(np.float64)
            crystal = Crystal(numbers, cell.reshape(3, 3), scaled.reshape(n, 3))
            forces, stress = half[: 3 * n].reshape(n, 3), half[3 * n :].reshape(3, 3)
            found.append(Frame(crystal, energy, forces, stress))
            offset += 44 + 12 * n + 18
    except (struct.error, ValueError) as error:
        raise InputError(_DAMAGED.format(len(data), error)) from error
    return found


def elements_in(data: bytes) -> frozenset[int]:
    """Return the atomic numbers in a packed group, without unpacking it.

    Raises
    ------
    InputError
        If the bytes are cut short, or another version wrote them.
    """
    _, n = _counts(data)
    if len(data) < _HEAD.size + n:
        raise InputError(_DAMAGED.format(len(data), f"{n} atoms are missing"))
    return frozenset(data[_HEAD.size : _HEAD.size + n])


def _counts(data: bytes) -> tuple[int, int]:
    if len(data) < _HEAD.size:
        raise InputError(_DAMAGED.format(len(data), "they are cut short"))
    version, count, n = _HEAD.unpack_from(data)
    if version != VERSION:
        raise InputError(
            "frames: another version of nucleate wrote them. A run that holds them learns without "
            "them; to learn from another run, give one of this version."
        )
    return count, n


def _half(values: NDArray[np.float64]) -> bytes:
    """Return values in half precision; those beyond its range, which no fit learns, at its end."""
    largest = float(np.finfo(np.float16).max)
    return np.clip(values, -largest, largest).astype("<f2").tobytes()
