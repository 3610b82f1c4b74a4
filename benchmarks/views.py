"""What the views of a run of 10,000 structures cost: page, notebook, status, watch.

Makes the run with the proxy potentials, which takes some minutes, unless the folder has it already.
Processor times are of this machine; Linux only.

    python benchmarks/views.py FOLDER [--structures 10000] [--seconds 60]
"""

from __future__ import annotations

import argparse
import os
import pty
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import nucleate as nc
from nucleate.report.live import write_live_page
from nucleate.run.lock import locked
from nucleate.run.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable


def make(folder: Path, structures: int) -> None:
    """Search SrTiO3 with the proxy potentials."""
    source = {
        "problem": {"formula": "SrTiO3", "max_atoms": 20},
        "tier": [{"name": "spp", "engine": {"kind": "spp"}}],
        "search": {"generators": ["symmetric", "blocks"], "seed": 1},
        "stop": {"structures": structures, "without_improvement": 10 * structures},
        "run": {"workers": 2},
        "final": {"best": 0},
    }
    nc.predict(source, folder=folder, display=False)


def timed(name: str, call: Callable[[], object]) -> None:
    """Print running time and processor time of a call."""
    begun, used = time.monotonic(), time.process_time()
    call()
    wall_s, core_s = time.monotonic() - begun, time.process_time() - used
    print(f"{name}: {wall_s:.1f} s, {core_s:.1f} s of processor time", flush=True)


def watched_s(folder: Path, seconds: float) -> float:
    """Return the processor time of `nucleate watch` on a terminal, its start left out."""
    with locked(folder):  # as a driver does, so that it does not end at once
        pid, stream = pty.fork()
        if not pid:
            os.execv(sys.executable, [sys.executable, "-m", "nucleate", "watch", str(folder)])
        begun, first = time.monotonic(), None
        while time.monotonic() - begun < 10.0 + seconds:
            os.read(stream, 65536)
            if first is None and time.monotonic() - begun > 10.0:
                first = _used_s(pid)
        last = _used_s(pid)
        os.kill(pid, 9)
        os.waitpid(pid, 0)
    return last - (first or 0.0)


def _used_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Make the run and measure."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--structures", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=60.0)
    options = parser.parse_args()
    if not Store.exists(options.folder):
        make(options.folder, options.structures)
    run = nc.open(options.folder)
    timed("page", lambda: write_live_page(options.folder))
    print(f"page: {(options.folder / 'report.html').stat().st_size / 1e6:.2f} MB")
    timed("notebook", run._repr_html_)
    timed("status", run.status)
    timed("export", run.export)
    used_s = watched_s(options.folder, options.seconds)
    print(f"watch: {used_s:.2f} s of processor time in {options.seconds:.0f} s")


if __name__ == "__main__":
    main()
