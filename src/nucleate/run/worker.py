"""A worker: a process of its own that holds its relaxers loaded and can be killed.

It is started by :mod:`nucleate.run.pool` as ``python -m nucleate.run.worker`` and talks over its
standard streams (:mod:`nucleate.run.wire`). After it has reported finished crystals it waits for
``go`` before the next step, so with one worker the course of a run does not depend on timing. It
ends when its standard input does, that is, with the driver.
"""

from __future__ import annotations

import importlib
import logging
import os
import sys
import threading
import time
import traceback
from collections import deque
from contextlib import suppress
from dataclasses import asdict
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, BinaryIO

from nucleate import clock
from nucleate.compiling import compiled, watch_compilation
from nucleate.crystal.crystal import Crystal
from nucleate.errors import REPORTED, NucleateError
from nucleate.processes import end_own_group
from nucleate.relax.relaxer import expect, extra_of
from nucleate.run.codec import encode, to_json
from nucleate.run.isolation import MARK, end_marked, end_with_parent, limit_memory, take_streams
from nucleate.run.wire import Message, frame, read_frame
from nucleate.text import clean
from nucleate.trouble import machine_trouble

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
        self._waiting: list[deque[tuple[Any, ...]]] = [deque() for _ in relaxers]
        self._in_flight = [0] * len(relaxers)
        self._last_sent = 0.0
        self._pid = os.getpid()

    def serve(self) -> None:
        """Report that the relaxers are loaded, then work until the process is ended."""
        levels = [asdict(relaxer.level) for relaxer in self._relaxers]
        self._send({"op": "ready", "levels": levels, "free": self._free()})
        while True:
            self._wait_for_go()
            finished: list[list[Any]] = []
            while not finished and (any(self._in_flight) or any(self._waiting)):
                if not self._inbox.empty():
                    self._take(self._inbox.get())
                    continue
                finished = self._step()
                if not finished and time.monotonic() - self._last_sent > HEARTBEAT_S:
                    self._send({"op": "alive"})
            self._send({"op": "finished", "items": finished, "free": self._free()})

    def _wait_for_go(self) -> None:
        while (message := self._inbox.get())["op"] != "go":
            self._take(message)

    def _take(self, message: Message) -> None:
        if message["op"] == "release":
            self._send({"op": "released", "items": self._released(), "free": self._free()})
        elif message["op"] == "relax" and message.get("unfinished") is not None:
            self._relaxers[message["tier"]].resume(message["key"], message["unfinished"])  # type: ignore[attr-defined]
            self._in_flight[message["tier"]] += 1
        elif message["op"] == "relax":
            crystal = Crystal.from_dict(message["crystal"])
            held = (message["fixed"],) if "fixed" in message else ()
            job = (message["key"], crystal, *held)
            self._waiting[message["tier"]].append((message.get("options", {}), job))

    def _released(self) -> list[list[Any]]:
        """Give back what can continue elsewhere: [key, tier, unfinished or None]."""
        released: list[list[Any]] = []
        for tier, relaxer in enumerate(self._relaxers):
            waiting = self._waiting[tier]
            released += [[job[0], tier, None] for _, job in waiting]
            waiting.clear()
            if hasattr(relaxer, "release"):
                given = relaxer.release()  # type: ignore[attr-defined]
                self._in_flight[tier] -= len(given)
                released += [[key, tier, unfinished] for key, unfinished in given]
        return released

    def _step(self) -> list[list[Any]]:
        """Advance every relaxer that has work; return [key, tier, outcome, extra] of each end."""
        finished: list[list[Any]] = []
        for tier, relaxer in enumerate(self._relaxers):
            waiting = self._waiting[tier]
            while waiting and (relaxer.free_slots() > 0 or not self._in_flight[tier]):
                options, job = waiting.popleft()
                expect(relaxer, job[0], options)
                relaxer.add(*job)
                self._in_flight[tier] += 1
            if self._in_flight[tier]:
                ended = relaxer.step()
                self._in_flight[tier] -= len(ended)
                for key, outcome in ended:
                    row = to_json(encode(outcome))
                    finished.append([key, tier, row, extra_of(relaxer, key)])
        return finished

    def _free(self) -> list[int]:
        pairs = zip(self._relaxers, self._waiting, strict=True)
        return [max(relaxer.free_slots() - len(waiting), 0) for relaxer, waiting in pairs]

    def _send(self, message: Message) -> None:
        if os.getpid() != self._pid:
            os._exit(1)  # a copy of this worker that an engine has forked has no say
        self._last_sent = time.monotonic()
        self._stream.write(frame(message | {"core_s": time.process_time() - compiled().core_s}))
        self._stream.flush()


def build_relaxers(tiers: Sequence[dict[str, Any]], *, pressure_gpa: float) -> list[Relaxer]:
    """Build the relaxer of every tier from its settings as in the input file."""
    from nucleate.relax.settings import TierSettings, relaxers_of

    settings = [TierSettings.model_validate(tier) for tier in tiers]
    return relaxers_of(settings, pressure_gpa=pressure_gpa)


def main() -> None:
    """Serve the driver at the other end of the standard streams."""
    end_with_parent()
    source, stream = take_streams()
    limit_memory()
    clock.watch()
    log_to_stderr()
    inbox: SimpleQueue[Message] = SimpleQueue()
    threading.Thread(target=_read_forever, args=(source, inbox), daemon=True).start()
    try:
        start = inbox.get()
        extend_path(start["path"])
        watch_compilation(partial(_say_compiling, stream))
        module, function = start["factory"].split(":")
        relaxers = getattr(importlib.import_module(module), function)(
            start["tiers"], pressure_gpa=start["pressure_gpa"]
        )
        for relaxer in relaxers:
            warm_up(relaxer, start.get("warm_up", ()))
        watch_compilation()
        Worker(relaxers, inbox, stream).serve()
    except Exception as error:  # noqa: BLE001  whatever it is, the driver must hear of it
        with suppress(OSError, ValueError):
            stream.write(frame(_report(error)))
            stream.flush()
        os._exit(1)


def warm_up(relaxer: Relaxer, numbers: Sequence[int]) -> None:
    """Let a relaxer compile what it needs, if it can; a failure shows with the first crystal."""
    if numbers and hasattr(relaxer, "warm_up"):
        with suppress(Exception):
            relaxer.warm_up(numbers)  # pyright: ignore[reportAttributeAccessIssue]


def _say_compiling(stream: BinaryIO, function: str, number: int) -> None:
    """Tell the driver that a function is being compiled."""
    del function
    stream.write(frame({"op": "compiling", "functions": number}))
    stream.flush()


def log_to_stderr() -> None:
    """Let what the package logs go to standard error, which the driver keeps in a file."""
    logger = logging.getLogger("nucleate")
    logger.addHandler(logging.StreamHandler(sys.stderr))
    logger.setLevel(logging.INFO)


def extend_path(folders: Sequence[str]) -> None:
    """Let engines be imported from some folders and the working one, which come last.

    A ``random.py`` that happens to lie there must not take the place of the standard library's.
    """
    sys.path += [path for path in (*folders, str(Path.cwd())) if path not in sys.path]


def _report(error: Exception) -> Message:
    """Return what is reported of an error to the driver: whose it is, and the error in full."""
    remedy = clean(error) if isinstance(error, NucleateError) else ""
    return {
        "op": "error",
        "kind": next((kind.__name__ for kind in REPORTED if isinstance(error, kind)), ""),
        "message": clean(traceback.format_exc()),
        "remedy": remedy,
        "machine": machine_trouble(error),
        "memory": isinstance(error, MemoryError),
    }


def _read_forever(source: BinaryIO, inbox: SimpleQueue[Message]) -> None:
    """Pass on the driver's messages; end everything of this worker when the driver is gone."""
    try:
        while (message := read_frame(source)) is not None:
            inbox.put(message)
    finally:
        end_marked(os.environ.get(MARK, "none"))
        end_own_group()


if __name__ == "__main__":
    main()
