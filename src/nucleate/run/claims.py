"""Claims on searches: jobs that know nothing of each other divide the rows of a table.

A claim is a file that is made in one step, so that of several jobs one gets it. Its holder touches
it again and again. One that nobody has touched for 5 min belongs to a job that was killed, and
whoever comes next takes it over; the lock of the run folder keeps two from one search even then.
What has ended keeps its file, with the input that it was for.

Ages are differences between times that the file system gives, so clocks of nodes may differ.
"""

from __future__ import annotations

import json
import os
import platform
import threading
import time
import uuid
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

from nucleate.errors import InputError
from nucleate.run.lock import process_is_gone, start_time

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FOLDER = "claims"
"""In the folder of the table."""

TOUCH_S = 20.0
STALE_S = 300.0

JOBS = ("SLURM_JOB_ID", "PBS_JOBID", "LSB_JOBID", "FLUX_JOB_ID", "JOB_ID")
PARTS = ("SLURM_ARRAY_TASK_ID", "PBS_ARRAY_INDEX", "LSB_JOBINDEX", "SGE_TASK_ID")


@dataclass(frozen=True, slots=True)
class Holder:
    """What is in a claim.

    Attributes
    ----------
    token : str
        Of the claim; another one means another holder.
    host, pid, started : str, int, str
        The process, and when it started in ticks of its system.
    job : str
        Number of its job, with that of its part of an array; empty where there is none.
    made : str
        When the claim was made.
    inputs : str
        Digest of the input.
    ended : str
        How the search ended; empty while it is claimed.
    """

    token: str
    host: str
    pid: int
    started: str = ""
    job: str = ""
    made: str = ""
    inputs: str = ""
    ended: str = ""

    def in_words(self) -> str:
        """Return who it is."""
        job = f", job {self.job}" if self.job else ""
        return f"{self.host}{job}"


class Claim:
    """A claim of this process, touched by a thread until it is given up.

    Parameters
    ----------
    path : Path
        Its file, which holds ``holder``.
    holder : Holder
        This process.
    on_loss : callable
        Called once, in the thread, when somebody else has taken it over.
    """

    def __init__(self, path: Path, holder: Holder, on_loss: Callable[[], None]) -> None:
        self._path = path
        self._holder = holder
        self._on_loss = on_loss
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._touch, daemon=True)
        self._thread.start()

    def end(self, reason: str) -> None:
        """Write down how the search ended; nobody claims it again for the same input."""
        if self.is_held:
            _write(self._path, replace(self._holder, ended=reason))
        self._stop()

    def release(self) -> None:
        """Let others have it, unless it has ended."""
        if not self._is_over.is_set() and self.is_held:
            self._path.unlink(missing_ok=True)
        self._stop()

    @property
    def is_held(self) -> bool:
        """Whether the file is still that of this process."""
        found = read(self._path)
        return found is not None and found.token == self._holder.token

    def _stop(self) -> None:
        self._is_over.set()
        self._thread.join()

    def _touch(self) -> None:
        while not self._is_over.wait(TOUCH_S):
            if not self.is_held:
                self._on_loss()
                return
            with suppress(OSError):
                os.utime(self._path)

    def __enter__(self) -> Claim:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def claim(
    folder: Path, name: str, inputs: str, on_loss: Callable[[], None] = lambda: None
) -> Claim | None:
    """Return a claim on a search, or None if another process has it or it has ended.

    Parameters
    ----------
    folder
        Of the table.
    name
        Of the search.
    inputs
        Digest of its input; what has ended with another one may be claimed again.
    on_loss
        See :class:`Claim`.

    Raises
    ------
    InputError
        If the folder cannot be written.
    """
    path = folder / FOLDER / f"{name}.json"
    holder = Holder(
        token=uuid.uuid4().hex,
        host=platform.node(),
        pid=os.getpid(),
        started=start_time(os.getpid()),
        job=job_number(),
        made=time.strftime("%Y-%m-%d %H:%M:%S"),
        inputs=inputs,
    )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        found = read(path)
        if found is not None and not _can_be_taken(path, found, inputs):
            return None
        if found is not None and not _set_aside(path, found):
            return None
        return Claim(path, holder, on_loss) if _make(path, holder) else None
    except OSError as error:
        raise InputError(
            f"{path}: claims cannot be written ({error.strerror}). Choose a folder with --out that "
            "all jobs can write."
        ) from error


def read(path: Path) -> Holder | None:
    """Return what is in a claim; None where there is none, or one that is being written."""
    try:
        return Holder(**json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError):
        return Holder("", "", 0)


def holder_of(folder: Path, name: str) -> Holder | None:
    """Return who has claimed a search that has not ended; None where nobody has."""
    found = read(folder / FOLDER / f"{name}.json")
    return found if found is not None and found.token and not found.ended else None


def job_number() -> str:
    """Return the number of the job of a scheduler that this process is in; empty if it is none."""
    job = next((value for name in JOBS if (value := os.environ.get(name))), "")
    part = next((value for name in PARTS if (value := os.environ.get(name))), "")
    return f"{job}[{part}]" if job and part else job


def _can_be_taken(path: Path, found: Holder, inputs: str) -> bool:
    if found.ended:
        return found.inputs != inputs
    if found.host == platform.node() and found.pid and process_is_gone(found.pid, found.started):
        return True
    return _age_s(path) > STALE_S


def _age_s(path: Path) -> float:
    """Return the time since a file was touched, in the time of its file system."""
    probe = path.with_name(f".{uuid.uuid4().hex}")
    try:
        probe.touch()
        return probe.stat().st_mtime - path.stat().st_mtime
    except FileNotFoundError:
        return 0.0
    finally:
        probe.unlink(missing_ok=True)


def _set_aside(path: Path, found: Holder) -> bool:
    """Remove a claim that is given up; False if it is another one by now."""
    aside = path.with_name(f".{uuid.uuid4().hex}")
    try:
        path.rename(aside)
    except FileNotFoundError:
        return True
    moved = read(aside)
    if moved is not None and moved.token != found.token:
        with suppress(OSError):
            os.link(aside, path)
        aside.unlink(missing_ok=True)
        return False
    aside.unlink(missing_ok=True)
    return True


def _make(path: Path, holder: Holder) -> bool:
    """Make a claim; False if somebody else has just done so."""
    try:
        number = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)
    except FileExistsError:
        return False
    with os.fdopen(number, "w", encoding="utf-8") as stream:
        json.dump(asdict(holder), stream)
    return True


def _write(path: Path, holder: Holder) -> None:
    beside = path.with_name(f".{holder.token}")
    beside.write_text(json.dumps(asdict(holder)), encoding="utf-8")
    beside.replace(path)
