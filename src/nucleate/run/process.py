"""One worker process as the driver sees it."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nucleate import processes
from nucleate.pipes import Pipe
from nucleate.run.cards import VISIBLE
from nucleate.run.isolation import MARK, MEMORY, end_marked, is_stopped
from nucleate.run.wire import FrameBuffer, Message, frame
from nucleate.run.worker_log import WorkerLog

if TYPE_CHECKING:
    from nucleate.run.executor import Job

DEFAULT_STEP_LIMIT_S = 600.0

_BORROW = """
import importlib.util, runpy, sys
spec = importlib.util.spec_from_file_location("nucleate", sys.argv[1])
sys.modules["nucleate"] = package = importlib.util.module_from_spec(spec)
spec.loader.exec_module(package)
runpy.run_module("nucleate.run.worker", run_name="__main__", alter_sys=True)
"""
"""Run the worker of this very package under an interpreter that need not have it installed."""


@dataclass(frozen=True, slots=True)
class WorkerSpec:
    """How workers are started.

    Attributes
    ----------
    tiers : tuple of dict
        Settings of the tiers as in the input file, for the factory.
    pressure_gpa : float
        External pressure.
    step_limits_s : tuple of float
        Seconds without a sign of life, for each tier, after which a worker hangs.
    pythons : tuple of str
        Interpreter of each tier, which has its engine and the packages that nucleate needs;
        none given means this one.
    threads : int
        Threads of one worker.
    factory : str
        ``module:function(tiers, pressure_gpa=...)`` that returns a relaxer for each tier.
    search_path : tuple of str
        Folders that workers can import from besides their own.
    memory_mb : int, optional
        Memory of a worker, where the system can limit it; a crystal that needs more fails alone.
    warm_up : tuple of int
        Atomic numbers of a crystal that workers relax a little before they are ready, so that
        compilation falls into no search; none: they do not.
    devices : tuple of str
        Names of the cards that workers are pinned to in turn; none: they see all there are.
    """

    tiers: tuple[dict[str, Any], ...]
    pressure_gpa: float = 0.0
    step_limits_s: tuple[float, ...] = ()
    pythons: tuple[str, ...] = ()
    threads: int = 1
    factory: str = "nucleate.run.worker:build_relaxers"
    search_path: tuple[str, ...] = ()
    memory_mb: int | None = None
    warm_up: tuple[int, ...] = ()
    devices: tuple[str, ...] = ()

    def tiers_by_python(self) -> dict[str, tuple[int, ...]]:
        """Return the interpreters with the tiers that each of them serves."""
        pythons = self.pythons or (sys.executable,) * len(self.tiers)
        return {
            python: tuple(tier for tier, other in enumerate(pythons) if other == python)
            for python in pythons
        }


class WorkerProcess:
    """A started worker, the jobs it has and when it was last heard of.

    Parameters
    ----------
    spec
        How workers are started.
    log
        File for what it writes to standard error; None for one without a name.
    python
        Its interpreter.
    tiers
        The tiers that it serves.
    card
        Name of the card that it is pinned to; empty for none.
    """

    def __init__(
        self,
        spec: WorkerSpec,
        log: Path | None,
        *,
        python: str,
        tiers: tuple[int, ...],
        card: str = "",
    ) -> None:
        self.card = card
        self.python = python
        self.tiers = tiers
        self.jobs: dict[int, Job] = {}
        self.free: dict[int, int] = {}
        self.levels: list[dict[str, str]] | None = None
        self.is_waiting = False
        self.alone = False
        self.last_heard = time.monotonic()
        self.error: str | None = None
        self.out_of_memory = False
        self.functions_compiled = 0
        self._loading_core_s: float | None = None
        self._last_core_s = 0.0
        self._words = ""
        self._mark = uuid.uuid4().hex
        self._log = WorkerLog(log)
        self._buffer = FrameBuffer()
        environment = _environment(python, spec.threads, spec.memory_mb) | {MARK: self._mark}
        if card:
            environment[VISIBLE] = card
        self._process = processes.spawn(
            _command(python), stderr=self._log.stream, environment=environment
        )
        assert self._process.stdout is not None
        self.output = Pipe(self._process.stdout)
        self.send(
            {
                "op": "start",
                "factory": spec.factory,
                "tiers": [spec.tiers[tier] for tier in tiers],
                "pressure_gpa": spec.pressure_gpa,
                "path": list(spec.search_path),
                "warm_up": list(spec.warm_up),
            }
        )

    @property
    def pid(self) -> int:
        """Process number."""
        return self._process.pid

    @property
    def is_ready(self) -> bool:
        """Whether its relaxers are loaded."""
        return self.levels is not None

    def send(self, message: Message) -> None:
        """Write a message; a worker that is gone is noticed when it is read from."""
        processes.write(self._process, frame(message))

    def give(self, job: Job) -> None:
        """Hand over a job; it starts with the next :meth:`go`."""
        self.jobs[job.key] = job
        self.free[job.tier] -= 1
        tier = self.tiers.index(job.tier)
        message = {"op": "relax", "key": job.key, "tier": tier, "crystal": job.crystal.to_dict()}
        if job.fixed is not None:
            message["fixed"] = job.fixed.tolist()
        if job.options:
            message["options"] = dict(job.options)
        if job.unfinished is not None:
            message["unfinished"] = job.unfinished
        self.send(message)

    def go(self) -> None:
        """Let it work until something is finished."""
        self.is_waiting = False
        self.last_heard = time.monotonic()
        self.send({"op": "go"})

    def receive(self) -> list[Message] | None:
        """Read what has come; None if the process has ended.

        Raises
        ------
        BrokenMessageError
            If it is no message; the worker cannot be used any longer.
        """
        try:
            chunk = self.output.read()
        except OSError:
            return None
        if not chunk:
            return None
        self.last_heard = time.monotonic()
        messages = self._buffer.feed(chunk)
        self._log.cap()
        for message in messages:
            if message["op"] == "compiling":
                self.functions_compiled = int(message["functions"]) + 1
            if "core_s" in message:
                self._last_core_s = float(message["core_s"])
                if self._loading_core_s is None:
                    self._loading_core_s = self._last_core_s
        return messages

    @property
    def core_s(self) -> float:
        """Processor time in seconds since its relaxers were loaded, as it last reported."""
        return 0.0 if self._loading_core_s is None else self._last_core_s - self._loading_core_s

    def silent_s(self) -> float:
        """Return the seconds since it was last heard of."""
        return time.monotonic() - self.last_heard

    def kill(self) -> int:
        """End the process and everything it started; return its exit status."""
        status = processes.end(self._process)
        self.output.close()
        end_marked(self._mark)
        self._words = self.last_words()
        self._log.close()
        return status

    @property
    def has_ended(self) -> bool:
        """Whether the process is gone, even if a copy of it holds its streams open."""
        return self._process.poll() is not None

    @property
    def is_stopped(self) -> bool:
        """Whether it has been suspended from outside."""
        return is_stopped(self.pid)

    def exit_status(self) -> int:
        """Return the status of a process that has closed its output, waiting for its end."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=5.0)
        return self.kill()

    def last_words(self) -> str:
        """Return the end of what it wrote to standard error."""
        return self._words or self._log.end()


def _command(python: str) -> list[str]:
    if python == sys.executable:
        return [python, "-P", "-m", "nucleate.run.worker"]
    package = Path(__file__).resolve().parents[1] / "__init__.py"
    return [python, "-P", "-c", _BORROW, str(package)]


def _environment(python: str, threads: int, memory_mb: int | None) -> dict[str, str]:
    """Return the environment of a worker; compiled code is kept apart for each interpreter."""
    environment = dict(
        os.environ, PYTHONUNBUFFERED="1", PYTHONSAFEPATH="1", PYTHONIOENCODING="utf-8:replace"
    )
    if memory_mb is not None:
        environment[MEMORY] = str(memory_mb)
    environment["MPLBACKEND"] = "agg"
    for name in ("OMP", "MKL", "OPENBLAS", "NUMBA"):
        environment[f"{name}_NUM_THREADS"] = str(threads)
    if python != sys.executable:
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        digest = hashlib.sha256(python.encode()).hexdigest()[:12]
        environment.setdefault("NUMBA_CACHE_DIR", str(cache / "nucleate" / "numba" / digest))
    return environment
