"""Messages between the driver and its workers: length-prefixed JSON.

A frame is four bytes (little-endian length of the rest) and a JSON object with the key ``op``.
Floats survive unchanged. What an outcome looks like: :mod:`nucleate.run.codec`.
"""

from __future__ import annotations

import json
from typing import Any, BinaryIO

Message = dict[str, Any]

PREFIX_BYTES = 4
LONGEST = 1 << 28
"""Bytes of a message; a longer one is no message."""


class BrokenMessageError(ValueError):
    """What came is no message of a worker."""


def frame(message: Message) -> bytes:
    """Return a message as bytes."""
    body = json.dumps(message, separators=(",", ":")).encode("ascii")
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
            size = int.from_bytes(self._bytes[:PREFIX_BYTES], "little")
            if size > LONGEST:
                raise BrokenMessageError(f"a message of {size} bytes was announced")
            end = PREFIX_BYTES + size
            if len(self._bytes) < end:
                break
            messages.append(_message(bytes(self._bytes[PREFIX_BYTES:end])))
            del self._bytes[:end]
        return messages


def _message(body: bytes) -> Message:
    try:
        message = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise BrokenMessageError(f"a message cannot be read ({error})") from error
    if not isinstance(message, dict) or not isinstance(message.get("op"), str):
        raise BrokenMessageError("a message has no operation")
    return message
