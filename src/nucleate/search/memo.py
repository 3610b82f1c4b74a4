"""What a search wants to have back of a record when its run is continued."""

from __future__ import annotations

import struct
from dataclasses import dataclass

_HEAD = struct.Struct("<BIHH")
_VERSION = 1


@dataclass(frozen=True, slots=True)
class Memo:
    """What takes long to compute again.

    Attributes
    ----------
    start, minimum : bytes
        Packed fingerprints of the geometry proposed and of the new minimum; empty where none is
        kept.
    n_primitive : int
        Atoms in the primitive cell of the new minimum; 0 where nobody asked.
    """

    start: bytes = b""
    minimum: bytes = b""
    n_primitive: int = 0

    def pack(self) -> bytes:
        """Return it as bytes."""
        head = _HEAD.pack(_VERSION, self.n_primitive, len(self.start), len(self.minimum))
        return head + self.start + self.minimum

    @classmethod
    def unpack(cls, data: bytes) -> Memo:
        """Undo :meth:`pack`; an empty memo for what another version wrote, or for nothing."""
        if len(data) < _HEAD.size:
            return cls()
        version, n_primitive, n_start, n_minimum = _HEAD.unpack_from(data)
        if version != _VERSION or len(data) != _HEAD.size + n_start + n_minimum:
            return cls()
        start = data[_HEAD.size : _HEAD.size + n_start]
        return cls(start, data[_HEAD.size + n_start :], n_primitive)
