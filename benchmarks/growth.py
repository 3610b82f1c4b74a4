"""How time and memory of the commands grow with the size of a run.

Makes a store of the real format with many records, without relaxing anything, and measures
`status`, the continuation of the same command, and `export`, each in a process of its own; then
`relax` on many crystals with an engine that takes no time. Linux only.

    python benchmarks/growth.py [--records 200000] [--best 1000] [--only ...]

The records are isotropically scaled copies of random crystals: all of them are distinct in volume
or shape, and the fingerprint of a scaled crystal is known without computing it.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nucleate.crystal.candidate import Candidate, Origin
from nucleate.crystal.crystal import Crystal
from nucleate.crystal.files import write_extxyz
from nucleate.crystal.fingerprint import fingerprint
from nucleate.crystal.packed import pack
from nucleate.energy.level import LevelOfTheory
from nucleate.relax.outcome import Failed, FailReason, Relaxed
from nucleate.run.folder import open_store
from nucleate.run.settings import RunSettings
from nucleate.run.store import STORE_NAME
from nucleate.search.memo import Memo
from nucleate.search.record import Record, SearchUpdate, TierOutcome

if TYPE_CHECKING:
    from collections.abc import Callable

    Result = tuple[float, float, float, str]

BASES = 2000
FORMULA = "SrTiO3"
UNIT = [38, 22, 8, 8, 8]
LEVEL = LevelOfTheory("CHGNet", "0.4", "chgnet", "0" * 8, "", "eV")


def settings_of(kind: str) -> RunSettings:
    """Return the input of the synthetic run."""
    return RunSettings.from_dict(
        {
            "problem": {"formula": FORMULA, "max_atoms": 20},
            "search": {"kind": kind, "generators": [{"kind": "symmetric"}]},
            "stop": {"without_improvement": 10**9},
            "run": {"workers": 1},
        }
    )


def bases(rng: np.random.Generator) -> list[tuple[Crystal, np.ndarray]]:
    """Return random crystals of one to four formula units and their fingerprints."""
    found = []
    for _ in range(BASES):
        numbers = np.array(UNIT * int(rng.integers(1, 5)))
        cell = np.eye(3) + rng.normal(scale=0.15, size=(3, 3))
        cell *= (12.0 * len(numbers) / abs(np.linalg.det(cell))) ** (1 / 3)
        if np.linalg.det(cell) < 0:
            cell[0] *= -1
        crystal = Crystal(numbers, cell, rng.random((len(numbers), 3)))
        found.append((crystal, fingerprint(crystal)))
    return found


def scaled(crystal: Crystal, factor: float) -> Crystal:
    """Return a crystal with all lengths multiplied."""
    return crystal.replace(cell=crystal.cell * factor)


def records(number: int, rng: np.random.Generator):
    """Yield records and updates: a fifth repeat another one, a twentieth failed."""
    found = bases(rng)
    best, lowest, originals = None, np.inf, []
    for n in range(number):
        base, print_ = found[int(rng.integers(len(found)))]
        factor = float(np.exp(rng.normal(scale=0.03)))
        start, relaxed = scaled(base, factor * 1.02), scaled(base, factor)
        origin = Origin("symmetric", detail={"space_group": int(rng.integers(1, 230))})
        if n > 10 and rng.random() < 0.5:
            origin = Origin("move:rattle", parents=(int(rng.integers(n)),), detail={"step": 0.1})
        kind = rng.random()
        outcome: Failed | Relaxed
        duplicate_of = None
        if kind < 0.05:
            outcome = Failed(FailReason.TOO_CLOSE, "two atoms are too close", start, 0.2)
        else:
            if kind < 0.25 and originals:
                duplicate_of = originals[int(rng.integers(len(originals)))]
            energy = -7.0 + float(rng.gamma(3.0, 0.08))
            outcome = relaxed_of(relaxed, energy)
            if duplicate_of is None:
                originals.append(n)
                if energy < lowest:
                    best, lowest = n, energy
        record = Record(
            n,
            Candidate(start, origin),
            (TierOutcome("chgnet", outcome),),
            finished_s=n * 0.5,
            core_s=n * 0.5,
        )
        update = SearchUpdate(
            accepted=duplicate_of is None,
            new_minimum=best == n,
            duplicate_of=duplicate_of,
            current=best,
            best=best,
            memo=memo_of(print_, start, relaxed, is_new=kind >= 0.05 and duplicate_of is None),
        )
        yield record, update


def memo_of(print_: np.ndarray, start: Crystal, relaxed: Crystal, *, is_new: bool) -> bytes:
    """Return what a search keeps of a record; of scaled crystals only the volumes differ."""
    head = 1 + 2 * int(print_[0])
    packed = []
    for crystal in (start, relaxed):
        print_[head] = np.log(crystal.volume_per_atom)
        packed.append(pack(print_))
    return Memo(packed[0], packed[1] if is_new else b"", relaxed.n_atoms * is_new).pack()


def relaxed_of(crystal: Crystal, energy: float) -> Relaxed:
    """Return an outcome with this energy in eV/atom."""
    return Relaxed(
        crystal=crystal,
        energy=energy * crystal.n_atoms,
        enthalpy=energy * crystal.n_atoms,
        forces=np.zeros((crystal.n_atoms, 3)),
        stress_gpa=np.zeros((3, 3)),
        max_force=0.0,
        max_stress_gpa=0.0,
        converged=True,
        steps=80,
        evaluations=90,
        level=LEVEL,
        wall_s=0.5,
    )


def make_store(folder: Path, number: int, kind: str) -> dict[str, int]:
    """Write a store of many records."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(1)
    with open_store(folder, settings_of(kind)) as store:
        for record, update in records(number, rng):
            store.add_candidate(record.number, record.candidate, asked_s=record.asked_s)
            for place, item in enumerate(record.outcomes):
                store.add_outcome(record.number, place, item.tier, item.outcome)
            store.add_record(record, update)
        store.commit()
    return {"records": number}


def measured(*words: str) -> Result:
    """Run Python in a process of its own; return wall and processor s, peak MB and what it said."""
    with tempfile.TemporaryFile() as printed:
        start = time.perf_counter()
        process = subprocess.Popen([sys.executable, *words], stdout=printed)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        printed.seek(0)
        text = printed.read().decode()
    if process.returncode:
        raise SystemExit(f"{words} failed")
    core_s = usage.ru_utime + usage.ru_stime
    return seconds, core_s, usage.ru_maxrss / 1024, text


def nucleate(*words: str) -> Result:
    """Run a command of nucleate."""
    return measured("-c", "from nucleate.cli import main; main()", *words)


def relax(folder: Path, number: int) -> Result:
    """Compute single points of many crystals in one file."""
    rng = np.random.default_rng(2)
    path = folder / f"{number}.extxyz"
    cell = 3.6 * np.eye(3)
    scaled = np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
    crystals = (
        (f"c{place}", Crystal([29] * 4, cell, scaled + rng.normal(scale=0.01, size=(4, 3))))
        for place in range(number)
    )
    write_extxyz(path, crystals)
    return nucleate("relax", str(path), "--tier", "ase=ase.calculators.emt:EMT", "--workers", "1",
                    "--single-point", "--out", str(folder / f"relaxed-{number}"))  # fmt: skip


def resume(folder: Path, kind: str) -> dict[str, float]:
    """Restore a campaign from the store, draw one candidate and tell some records."""
    from nucleate.run.campaign import Campaign
    from nucleate.run.journal import StoreJournal
    from nucleate.run.predict import build_ladder, build_search
    from nucleate.run.store import Store

    settings = settings_of(kind)
    search = build_search(settings)

    class Nobody:
        n_workers, losses, core_s, backlog = 1, (), 0.0, 0

        def capacity(self) -> int:
            return 1

    start = time.perf_counter()
    with Store.append_to(folder) as store:
        campaign = Campaign(StoreJournal(store), search, build_ladder(settings), Nobody())
        campaign._resume()  # what `run` does first
        restored = time.perf_counter() - start
        asked = time.perf_counter()
        first = search.ask()
        asked = time.perf_counter() - asked
        laps = []
        rng = np.random.default_rng(5)
        for record, _ in records(200, rng):
            trial = search.ask() or first
            again = Record(trial.number, record.candidate, record.outcomes)
            begin = time.process_time()
            search.tell(again)
            laps.append(time.process_time() - begin)
        told = float(np.mean(laps))
    return {"restore_s": restored, "first_ask_s": asked, "tell_ms": told * 1000}


def main() -> None:
    """Make the store, then measure each command in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=200_000)
    parser.add_argument("--best", type=int, default=1000)
    parser.add_argument("--crystals", type=int, default=100_000, help="For relax.")
    parser.add_argument("--kind", default="lowest-minima")
    parser.add_argument("--folder", type=Path, help="Keep the store here and use it again.")
    parser.add_argument("--step", choices=("make", "resume"), help=argparse.SUPPRESS)
    parser.add_argument("--only", nargs="+", default=["status", "resume", "export", "relax"])
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.folder or Path(temporary) / "run"
        if args.step:
            make = args.step == "make"
            facts = make_store(folder, args.records, args.kind) if make else None
            print(json.dumps(facts or resume(folder, args.kind)))
            return
        own = (__file__, "--folder", str(folder), "--records", str(args.records), "--kind",
               args.kind, "--step")  # fmt: skip
        steps: dict[str, Callable[[], Result]] = {
            "status": lambda: nucleate("status", str(folder)),
            "resume": lambda: measured(*own, "resume"),
            "export": lambda: nucleate(
                "export", str(folder), "--out", f"{temporary}/out", "--best", str(args.best)
            ),
        }
        if not folder.exists() and args.only != ["relax"]:
            report("make", *measured(*own, "make"))
        if folder.exists():
            size = (folder / STORE_NAME).stat().st_size / 1e6
            print(f"{args.records} records, {size:.0f} MB", flush=True)
        for name in args.only:
            if name != "relax":
                report(name, *steps[name]())
        for number in (args.crystals // 10, args.crystals) if "relax" in args.only else ():
            report(f"relax {number}", *relax(Path(temporary), number))


def report(name: str, seconds: float, core_s: float, peak_mb: float, text: str) -> None:
    """Print a line."""
    last = (text.strip().splitlines() or [""])[-1]
    print(
        f"{name:8s} {seconds:7.1f} s, {core_s:7.1f} s of processor time, {peak_mb:6.0f} MB  {last}",
        flush=True,
    )


if __name__ == "__main__":
    main()
