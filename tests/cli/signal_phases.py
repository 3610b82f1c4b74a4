"""Signals in chosen phases of commands: when a sentence is shown, and when the process has ended.

As a script: ``python -m tests.cli.signal_phases 5 600`` prints counts and the longest answers.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

POSCAR = "x\n1.0\n4.2 0 0\n0 4.2 0\n0 0 4.2\nMg O\n1 1\nDirect\n0 0 0\n0.4 0.5 0.5\n"
LIMIT_S = 2.0
WRITING_S, WRITING_CORE_S = 40.0, 2.5
"""For the end of a run loop, as what was found is written after it has stopped: by the clock on a
machine that does other things as well, and of processor time where the system tells it."""

MAIN = """
import functools, importlib, os
module, _, name = os.environ["DRILL_AT"].partition(":")
owner = importlib.import_module(module)
*outer, last = name.split(".")
for one in outer:
    owner = getattr(owner, one)
before = getattr(owner, last)

@functools.wraps(before)
def reached(*args, **options):
    open(os.environ["DRILL_MARKER"], "w").close()
    return before(*args, **options)

setattr(owner, last, reached)
from nucleate.cli import main
main()
"""
"""The command, with a file made as soon as a function is reached."""

SEARCH = ("predict", "CaTiO3", "--tier", "spp", "--workers", "1", "--out", "run")
SMALL = (*SEARCH, "--max-atoms", "10", "--structures", "12", "--judge", "off", "--seed", "3")
LONG = (*SEARCH, "--max-atoms", "20")
RELAX = ("relax", "in", "--workers", "1", "--out", "relaxed", "--tier")
REFINE = ("refine", "done", "--workers", "1", "--best", "12")


@dataclass(frozen=True)
class Phase:
    """A command, the function that marks the phase, and what follows a stop."""

    words: tuple[str, ...]
    at: str
    writes: bool = False
    """Whether tables are written after the stop."""


LOOP = "nucleate.run.campaign:Campaign."
PHASES = {
    "predict: compiling": Phase(LONG, "nucleate.run.predict:build_source"),
    "predict: workers load": Phase(LONG, "nucleate.run.pool:Pool.wait_until_ready"),
    "predict: pool of a graph search": Phase(
        (*LONG, "--generator", "graph-search"), "nucleate.generate.mix:GeneratorMix.prepare"
    ),
    "predict: first turns": Phase(LONG, LOOP + "_turn", writes=True),
    "predict: drawing": Phase(LONG, "nucleate.search.checked:CheckedSearch.ask", writes=True),
    "predict: drawing blocks": Phase(
        (*LONG, "--generator", "blocks"), "nucleate.search.checked:CheckedSearch.ask", writes=True
    ),
    "predict: page of the running search": Phase(
        LONG, "nucleate.report.live:write_live_page", writes=True
    ),
    "predict: replay": Phase((*LONG, "--out", "done"), LOOP + "_resume", writes=True),
    "predict: polish": Phase(SMALL, "nucleate.run.polishing:PhaseJournal.add_event", writes=True),
    "predict: comparison": Phase(SMALL, "nucleate.api.final:decide"),
    "predict: list": Phase(SMALL, "nucleate.api.run:status_of"),
    "predict: export": Phase(SMALL, "nucleate.report.export:export_run"),
    "predict: page": Phase(SMALL, "nucleate.report.export:write_page"),
    "relax: reading": Phase((*RELAX, "spp"), "nucleate.run.relaxation:survey_of"),
    "relax: chgnet loads": Phase((*RELAX, "chgnet"), "nucleate.run.pool:Pool.wait_until_ready"),
    "relax: loop": Phase((*RELAX, "spp"), LOOP + "_turn", writes=True),
    "relax: tables": Phase((*RELAX, "spp"), "nucleate.report.series:write_series"),
    "refine: loop": Phase((*REFINE, "--tier", "spp", "--name", "two"), LOOP + "_turn", writes=True),
    "refine: polish": Phase(REFINE, LOOP + "_turn", writes=True),
    "generate": Phase(
        ("generate", "CaTiO3", "--number", "5000", "--out", "made.extxyz"),
        "nucleate.generate.mix:GeneratorMix.generate",
    ),
    "check": Phase(("check", "CaTiO3"), "nucleate.api.check:_describe"),
    "identify": Phase(("identify", "in"), "nucleate.crystal.files:iter_structures"),
    "export": Phase(("export", "done"), "nucleate.report.export:export_run"),
    "benchmark": Phase(
        ("benchmark", "run", "--experiments", "mlgen-SPP", "--workers", "1", "--out", "bench"),
        LOOP + "_turn",
        writes=True,
    ),
}


@dataclass(frozen=True)
class Answer:
    """Seconds from the signal to the first word and to the end, of them on the processor; what was
    said, and the status."""

    said_s: float
    ended_s: float
    used_s: float
    words: str
    status: int

    def is_late(self, phase: Phase, *, twice: bool) -> bool:
        """Return whether neither a sentence nor the end came in time, or the end far too late."""
        limit = WRITING_S if phase.writes and not twice else LIMIT_S
        is_silent = min(self.said_s, self.ended_s) > LIMIT_S
        return is_silent or self.ended_s > limit or self.used_s > WRITING_CORE_S


def prepare(folder: Path, *, done: Path | None = None) -> None:
    """Write what the commands need."""
    (folder / "in").mkdir()
    for number in range(200):
        (folder / "in" / f"{number}.vasp").write_text(POSCAR)
    if done is not None:
        shutil.copytree(done, folder / "done")


def make_done(folder: Path) -> Path:
    """Make the run that other commands continue."""
    words = (*LONG, "--structures", "60", "--polish", "0")
    code = "from nucleate.cli import main; main()"
    subprocess.run([sys.executable, "-c", code, *words], cwd=folder, check=True, timeout=600,
                   stdout=subprocess.DEVNULL)  # fmt: skip
    return folder / "run"


def take_signals() -> None:
    """Undo what `nohup` and shells do to programs in the background."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def answer(
    phase: Phase, folder: Path, number: int, delay_s: float, *, twice: bool
) -> Answer | None:
    """Send a signal some time after a phase has begun; None if the command had ended before."""
    marker = folder / "marker"
    process = subprocess.Popen(
        [sys.executable, "-c", MAIN, *phase.words],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        cwd=folder,
        preexec_fn=take_signals,
        env={**os.environ, "DRILL_AT": phase.at, "DRILL_MARKER": str(marker)},
    )
    began = time.monotonic()
    heard: list[tuple[float, bytes]] = []
    reader = threading.Thread(target=_hear, args=(process, heard))
    reader.start()
    try:
        while not marker.exists() and process.poll() is None and time.monotonic() < began + 180:
            time.sleep(0.01)
        if not marker.exists() and process.poll() is None:
            raise AssertionError(f"{phase.at} was never reached")
        time.sleep(delay_s)
        if process.poll() is not None:
            return None
        before = used = processor_s(process.pid) or 0.0
        sent = time.monotonic()
        process.send_signal(number)
        if twice:
            time.sleep(0.1)
            process.send_signal(number)
        while process.poll() is None and time.monotonic() < sent + 60:
            used = processor_s(process.pid) or used
            time.sleep(0.01)
        status = process.wait(timeout=1)
        ended_s = time.monotonic() - sent
    finally:
        process.kill()
        reader.join(timeout=5.0)
    said = (at - sent for at, words in heard if at > sent and b"Stopp" in words)
    words = b"".join(words for _, words in heard).decode(errors="replace")
    return Answer(min(said, default=ended_s), ended_s, used - before, words, status)


def processor_s(pid: int) -> float | None:
    """Return the processor time of a process; None after its end, or where nothing tells."""
    try:
        words = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return None
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK") if words[0] != "Z" else None


def _hear(process: subprocess.Popen[bytes], heard: list[tuple[float, bytes]]) -> None:
    assert process.stderr is not None
    while chunk := os.read(process.stderr.fileno(), 65536):
        heard.append((time.monotonic(), chunk))


def drill(rounds: int, *, seed: int = 0, end: float | None = None, names=tuple(PHASES)):
    """Return for every phase the counts and the longest times, signals once and twice apart."""
    rng = np.random.default_rng(seed)
    counts: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as place:
        done = make_done(Path(place))
        for turn in range(rounds):
            for name in names:
                if end is not None and time.time() > end:
                    return counts
                _one(name, turn, float(rng.uniform(0.0, 0.6)), done, counts)
    return counts


def _one(name: str, turn: int, delay_s: float, done: Path, counts) -> None:
    phase, twice = PHASES[name], bool(turn % 2)
    number = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)[turn % 3]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as where:
        prepare(Path(where), done=done if "done" in phase.words else None)
        found = answer(phase, Path(where), number, delay_s, twice=twice)
    row = counts.setdefault(
        name,
        dict.fromkeys(("answered", "over", "late", "said", "ended", "ended_twice", "used"), 0),
    )
    if found is None:
        row["over"] += 1
        return
    assert "Traceback" not in found.words, f"{name}: {found.words[-2000:]}"
    row["answered"] += 1
    row["late"] += found.is_late(phase, twice=twice)
    row["used"] = max(row["used"], round(found.used_s, 2))
    row["said"] = max(row["said"], round(min(found.said_s, found.ended_s), 2))
    key = "ended_twice" if twice else "ended"
    row[key] = max(row[key], round(found.ended_s, 2))


if __name__ == "__main__":
    last = time.time() + float(sys.argv[2]) if len(sys.argv) > 2 else None
    chosen = tuple(sys.argv[3:]) or tuple(PHASES)
    for title, numbers in drill(int(sys.argv[1]), end=last, names=chosen).items():
        print(f"{title:38s} {json.dumps(numbers)}", flush=True)
