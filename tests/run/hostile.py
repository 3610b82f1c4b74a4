"""Relaxers that misbehave in ways of their own: by the number of the first atom."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from .toys import ToyRelaxer

(KILLED, CLOSES, NONSENSE, FORKS, READS, FULL_DISK, GREEDY, SHOUTS, SURROGATE, LEAVES, HUGE_FRAME,
 CLOSES_ALL) = range(60, 72)  # fmt: skip


class HostileRelaxer(ToyRelaxer):
    """Does what its crystal says, else as the toy."""

    def __init__(self, state="", **settings):
        super().__init__(**settings)
        self._state = state

    def step(self):
        for crystal, _ in list(self._jobs.values()):
            self._be_hostile(int(crystal.numbers[0]))
        return super().step()

    def _be_hostile(self, kind):
        if kind == KILLED:
            mark = Path(self._state) / "killed"
            if not mark.exists():
                mark.touch()
                os.kill(os.getpid(), signal.SIGKILL)
        if kind == CLOSES:
            for number in (0, 1, 2):
                os.close(number)
            raise RuntimeError("after closing")
        if kind == CLOSES_ALL:
            os.closerange(0, 256)
        if kind == NONSENSE:
            for number in range(3, 20):
                _try_write(number, b"\x05\x00\x00\x00hello")
        if kind == HUGE_FRAME:
            for number in range(3, 20):
                _try_write(number, b"\xff\xff\xff\xff")
            time.sleep(0.1)
        if kind == FORKS and os.fork() == 0:
            return
        if kind == READS:
            assert sys.stdin.read() == ""
            subprocess.run(["cat"], check=True, timeout=5.0)
        if kind == FULL_DISK:
            raise OSError(28, "No space left on device", "/scratch/x")
        if kind == GREEDY:
            held = bytearray(3 << 30)
            raise RuntimeError(f"{len(held)} bytes were given")
        if kind == SHOUTS:
            sys.stderr.write("x" * (3 << 20))
            sys.stderr.flush()
        if kind == SURROGATE:
            raise RuntimeError("\ud800 \x1b[31m" + "z" * (50 << 20))
        if kind == LEAVES:
            child = subprocess.Popen(["sleep", "317"], start_new_session=True)
            (Path(self._state) / "child").write_text(str(child.pid))
            time.sleep(0.2)


def _try_write(number, data):
    import contextlib
    import stat

    with contextlib.suppress(OSError):
        if stat.S_ISFIFO(os.fstat(number).st_mode):
            os.write(number, data)


def build(tiers, *, pressure_gpa):
    """Return hostile relaxers with the settings of the tiers; a file counts the starts."""
    for tier in tiers:
        dies = tier.pop("dies", 0)
        if dies:
            count = Path(tier["state"]) / "starts"
            starts = int(count.read_text()) + 1 if count.exists() else 1
            count.write_text(str(starts))
            if starts <= dies:
                os.kill(os.getpid(), signal.SIGKILL)
    return [HostileRelaxer(**tier) for tier in tiers]
