"""A worker: a process of its own that holds its relaxers loaded and can be killed.

It is started by :mod:`nucleate.run.pool` as ``python -m nucleate.run.worker`` and talks over its
standard streams (:mod:`nucleate.run.wire`). After it has reported finished crystals it waits for
``go`` before the next step, so with one worker the course of a run does not depend on timing. It
ends when its standard input does, that is, with the driver.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
import threading
import time
import traceback
from collections import deque
from dataclasses import asdict
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, BinaryIO

from nucleate.crystal.crystal import Crystal
from nucleate.errors import NucleateError
from nucleate.processes import end_own_group
from nucleate.run.codec import encode, to_json
from nucleate.run.wire import Message, frame, read_frame

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nucleate.relax.relaxer import Relaxer

HEARTBEAT_S = 1.0


class Worker:
    """Relaxes what it is sent, one relaxer for each tier."""

    def __init__(
        self, relaxers: Sequence[Relaxer], inbox: SimpleQueue[Message], stream: BinaryIO
    ) -> None:
        self._relaxers = relaxers
        self._inbox = inbox
        self._stream = stream
        self._waiting: list[deque[tuple[int, Crystal]]] = [deque() for _ in relaxers]
        self._in_flight = [0] * len(relaxers)
        self._last_sent = 0.0

    def serve(self) -> None:
        """Report that the relaxers are loaded, then work until the process is ended."""
        levels = [asdict(relaxer.level) for relaxer in self._relaxers]
        self._send({"op": "ready", "levels": levels, "free": self._free()})
        while True:
            self._wait_for_go()
            finished: list[list[Any]] = []
            while not finished and (any(self._in_flight) or any(self._waiting)):
                finished = self._step()
                if not finished and time.monotonic() - self._last_sent > HEARTBEAT_S:
                    self._send({"op": "alive"})
            self._send({"op": "finished", "items": finished, "free": self._free()})

    def _wait_for_go(self) -> None:
        while (message := self._inbox.get())["op"] != "go":
            if message["op"] == "relax":
                crystal = Crystal.from_dict(message["crystal"])
                self._waiting[message["tier"]].append((message["key"], crystal))

    def _step(self) -> list[list[Any]]:
        """Advance every relaxer that has work; return [key, tier, outcome] of what ended."""
        finished: list[list[Any]] = []
        for tier, relaxer in enumerate(self._relaxers):
            waiting = self._waiting[tier]
            while waiting and (relaxer.free_slots() > 0 or not self._in_flight[tier]):
                relaxer.add(*waiting.popleft())
                self._in_flight[tier] += 1
            if self._in_flight[tier]:
                ended = relaxer.step()
                self._in_flight[tier] -= len(ended)
                finished += [[key, tier, to_json(encode(outcome))] for key, outcome in ended]
        return finished

    def _free(self) -> list[int]:
        pairs = zip(self._relaxers, self._waiting, strict=True)
        return [max(relaxer.free_slots() - len(waiting), 0) for relaxer, waiting in pairs]

    def _send(self, message: Message) -> None:
        self._last_sent = time.monotonic()
        self._stream.write(frame(message | {"core_s": time.process_time()}))
        self._stream.flush()


def build_relaxers(tiers: Sequence[dict[str, Any]], *, pressure_gpa: float) -> list[Relaxer]:
    """Build the relaxer of every tier from its settings as in the input file."""
    from nucleate.relax.settings import TierSettings, build_relaxer

    settings = [TierSettings.model_validate(tier) for tier in tiers]
    return [build_relaxer(tier, pressure_gpa=pressure_gpa) for tier in settings]


def main() -> None:
    """Serve the driver at the other end of the standard streams."""
    stream = _take_stdout()
    inbox: SimpleQueue[Message] = SimpleQueue()
    threading.Thread(target=_read_forever, args=(inbox,), daemon=True).start()
    try:
        start = inbox.get()
        sys.path[:0] = [path for path in start["path"] if path not in sys.path]
        module, function = start["factory"].split(":")
        relaxers = getattr(importlib.import_module(module), function)(
            start["tiers"], pressure_gpa=start["pressure_gpa"]
        )
        Worker(relaxers, inbox, stream).serve()
    except Exception as error:  # noqa: BLE001  whatever it is, the driver must hear of it
        remedy = str(error) if isinstance(error, NucleateError) else ""
        stream.write(frame({"op": "error", "message": traceback.format_exc(), "remedy": remedy}))
        stream.flush()
        os._exit(1)


def _take_stdout() -> BinaryIO:
    """Keep standard output for messages; what libraries print goes to standard error."""
    stream = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    return stream


def _read_forever(inbox: SimpleQueue[Message]) -> None:
    """Pass on the driver's messages; end the whole process group when the driver is gone."""
    while (message := read_frame(sys.stdin.buffer)) is not None:
        inbox.put(message)
    end_own_group()


if __name__ == "__main__":
    main()
