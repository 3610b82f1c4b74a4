"""Messages between the driver and its workers: length-prefixed JSON.

A frame is four bytes (little-endian length of the rest) and a JSON object with the key ``op``.
Floats survive unchanged. What an outcome looks like: :mod:`nucleate.run.codec`.
"""

from __future__ import annotations

import json
from typing import Any, BinaryIO

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
