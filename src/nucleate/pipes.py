"""Output of child processes that a selector can wait for, on every system."""

from __future__ import annotations

import os
import select
import socket
import sys
import threading
from contextlib import suppress
from typing import IO, Final

RELAYED: Final = sys.platform == "win32"
"""Whether the system waits for sockets alone, not for pipes."""

LINGER_S = 0.5
"""Seconds in which the rest of a relayed pipe arrives after the end of its process."""

CHUNK = 1 << 20


class Pipe:
    """The reading end of the output of a child.

    Parameters
    ----------
    stream
        Standard output of the child.
    relayed
        Let a thread copy it to a socket.
    """

    def __init__(self, stream: IO[bytes], *, relayed: bool | None = None) -> None:
        self._stream = stream
        self._socket: socket.socket | None = None
        if RELAYED if relayed is None else relayed:
            self._socket, target = socket.socketpair()
            threading.Thread(target=_copy, args=(stream.fileno(), target), daemon=True).start()

    def fileno(self) -> int:
        """Return what a selector waits for."""
        return (self._socket or self._stream).fileno()

    def read(self) -> bytes:
        """Return what has come, waiting if nothing has; empty at the end."""
        if self._socket is not None:
            return self._socket.recv(CHUNK)
        return os.read(self._stream.fileno(), CHUNK)

    def has_rest(self) -> bool:
        """Return whether there is something to read, or the end, of a process that has ended."""
        wait_s = 0.0 if self._socket is None else LINGER_S
        ready, _, _ = select.select([self], [], [], wait_s)
        return bool(ready)

    def close(self) -> None:
        """Give the socket back; the stream belongs to the process."""
        if self._socket is not None:
            self._socket.close()


def _copy(source: int, target: socket.socket) -> None:
    with target, suppress(OSError):
        while chunk := os.read(source, CHUNK):
            target.sendall(chunk)
