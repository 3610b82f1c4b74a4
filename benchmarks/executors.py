"""How well workers on many nodes are used, and how many of them one driver can feed.

    python benchmarks/executors.py use [--structures 2000] [--cost 0.2] [--nodes 4] [--workers 2]
    python benchmarks/executors.py driver --cost 2.0 [--told 300]
    python benchmarks/executors.py real [--formula CoAs2,Ca3Ti2O7] [--structures 40]

``use`` starts blocks of Parsl's local provider on this machine, whose workers wait a fixed time for
each structure and write down when they did, and prints the share of the time in which they had one
and how long they waited for the next. ``driver`` puts workers that only count time in place of
nodes, 4 to 256 of them, and prints the processor time of the driver's thread for each structure,
and from that the number of workers that one driver feeds. ``real`` runs
the same search with workers of this machine and with two kinds of blocks, one for spp and one for
CHGNet, and prints structures per core-hour.
"""

from __future__ import annotations

import argparse
import heapq
import os
import sys
import tempfile
import threading
import time
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any

import numpy as np

from nucleate import __version__
from nucleate.energy.level import LevelOfTheory
from nucleate.plugins import find
from nucleate.relax.outcome import Relaxed
from nucleate.run.campaign import Campaign
from nucleate.run.events import Silent
from nucleate.run.executor import Finished
from nucleate.run.folder import open_store
from nucleate.run.journal import StoreJournal
from nucleate.run.predict import build_ladder, build_search, predict
from nucleate.run.process import WorkerSpec
from nucleate.run.remote.messages import Reply, job_from, plain_finished, shallow
from nucleate.run.settings import RunSettings
from nucleate.run.starting import ExecutorContext
from nucleate.run.store import Store
from nucleate.run.window import window_for
from nucleate.search.stop import Stop

HERE = str(Path(__file__).resolve().parent)
REAL_TIERS = ("spp", "chgnet")
LEVEL = LevelOfTheory("stand-in", "1", "fixed cost")


def outcome_of(crystal: Any, cost_s: float) -> Relaxed:
    """Return an outcome whose energy is a smooth function of the crystal."""
    energy = float(np.sin(crystal.positions).sum() + 0.01 * crystal.volume)
    return Relaxed(
        crystal=crystal, energy=energy, enthalpy=energy,
        forces=np.zeros((crystal.n_atoms, 3)), stress_gpa=np.zeros((3, 3)), max_force=0.0,
        max_stress_gpa=0.0, converged=True, steps=1, evaluations=1, wall_s=cost_s, level=LEVEL,
    )  # fmt: skip


class FixedCost:
    """A relaxer that waits."""

    level = LEVEL

    def __init__(self, cost_s: float, diary: str = "") -> None:
        self._cost_s = cost_s
        self._diary = Path(diary, f"{os.getpid()}.txt") if diary else None
        self._waiting: list[Any] = []

    def free_slots(self) -> int:
        """Return whether it is free."""
        return 1 - len(self._waiting)

    def add(self, key: int, crystal: Any) -> None:
        """Take a crystal."""
        self._waiting.append((key, crystal))

    def step(self) -> list[Any]:
        """Wait for as long as a relaxation takes."""
        waiting, self._waiting = self._waiting, []
        began = time.time()
        time.sleep(self._cost_s * len(waiting))
        if self._diary is not None:
            with self._diary.open("a") as stream:
                stream.write(f"{began} {time.time()}\n")
        return [(key, outcome_of(crystal, self._cost_s)) for key, crystal in waiting]


def build(tiers: Any, *, pressure_gpa: float) -> list[FixedCost]:
    """Return the relaxer of each tier."""
    del pressure_gpa
    return [FixedCost(**tier) for tier in tiers]


class CountedNodes(Executor):
    """Workers that only count time, and give an answer when it is over."""

    def __init__(self, workers: int, cost_s: float) -> None:
        self._free_at = [0.0] * workers
        self._cost_s = cost_s
        self._due: list[Any] = []
        self._count = 0
        self._change = threading.Condition()
        threading.Thread(target=self._run, daemon=True).start()

    def submit(self, function: Any, /, *args: Any, **options: Any) -> Future[Any]:
        """Give a task to the worker that is free first."""
        del function, options
        future: Future[Any] = Future()
        with self._change:
            begin = max(heapq.heappop(self._free_at), time.monotonic())
            end = begin + self._cost_s * max(len(args[0]["jobs"]), 0.01)
            heapq.heappush(self._free_at, end)
            self._count += 1
            heapq.heappush(self._due, (end, self._count, args[0], future))
            self._change.notify()
        return future

    def _run(self) -> None:
        while True:
            with self._change:
                while not self._due or self._due[0][0] > time.monotonic():
                    wait_s = self._due[0][0] - time.monotonic() if self._due else None
                    self._change.wait(wait_s)
                _, _, data, future = heapq.heappop(self._due)
            future.set_result(self._reply(data))

    def _reply(self, data: dict[str, Any]) -> dict[str, Any]:
        jobs = [job_from(item) for item in data["jobs"]]
        ended = [Finished(job, outcome_of(job.crystal, self._cost_s)) for job in jobs]
        level = {"code": "stand-in", "version": "1", "model": "fixed cost", "checkpoint": "",
                 "settings": "", "unit": "eV"}  # fmt: skip
        return shallow(
            Reply(__version__, "counted", time.time(), [level], [1], plain_finished(ended), [], [])
        )

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Do nothing."""


class Marks(Silent):
    """Notes the time and the processor time of this thread between two records that are told."""

    def __init__(self, first: int, last: int) -> None:
        self.first, self.last, self.finished = first, last, 0
        self.times: list[tuple[float, float]] = []

    def on_record(self, record: Any, update: Any, *, replayed: bool) -> None:
        """Count it."""
        del update, replayed
        self.finished += bool(record.outcomes)
        if record.outcomes and self.finished in (self.first, self.last):
            self.times.append((time.monotonic(), time.thread_time()))

    @property
    def driver_s(self) -> float:
        """Processor time of this thread for each record between them."""
        return (self.times[1][1] - self.times[0][1]) / (self.last - self.first)

    @property
    def elapsed_s(self) -> float:
        """Time between them."""
        return self.times[1][0] - self.times[0][0]


def search(executor: Any, spec: WorkerSpec, workers: int, structures: int, marks: Marks) -> Marks:
    """Run a search on stand-in models; return when it was where."""
    settings = RunSettings.from_dict(
        {
            "problem": {"formula": "CaTiO3", "max_atoms": 20},
            "stop": {"without_improvement": 10**9},
            "tier": [{"name": "spp", "engine": {"kind": "spp"}}],
        }
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        relaxing = executor.build(ExecutorContext(spec, workers, ("spp",), folder))
        relaxing.wait_until_ready()
        with open_store(folder, settings) as store:
            campaign = Campaign(
                StoreJournal(store), build_search(settings), build_ladder(settings), relaxing,
                stop=Stop(structures=structures), callback=marks,
            )  # fmt: skip
            campaign.run()
        relaxing.close()
        if relaxing.losses:
            print("lost:", *(loss.message for loss in relaxing.losses), sep="\n  ")
    return marks


def measure_use(args: argparse.Namespace) -> None:
    """Print the share of the time in which workers had a structure."""
    block = {"provider": "local", "workers_per_node": args.workers, "max_blocks": args.nodes,
             "init_blocks": args.nodes, "worker_init": "renice -n 5 $$ > /dev/null"}  # fmt: skip
    workers = args.nodes * args.workers
    for kind in args.kinds.split(","):
        keys = {"block": [block]} if kind == "parsl" else {}
        executor = find(kind, "executors").model_validate(keys)
        with tempfile.TemporaryDirectory() as diary:
            tier = {"cost_s": args.cost, "diary": diary}
            spec = WorkerSpec((tier,), factory="executors:build", search_path=(HERE,))
            last = args.structures - window_for(workers, workers)
            marks = Marks(max(last // 10, 1), last)
            search(executor, spec, workers, args.structures, marks)
            use, since_all, waits = use_of(Path(diary), workers)
        print(
            f"{executor.kind}: {workers} workers, {marks.finished} structures of {args.cost} s: "
            f"{100 * use:.1f} % use, {100 * since_all:.1f} % since all had begun, "
            f"wait for the next one {1000 * np.median(waits):.0f} ms "
            f"(median), {1000 * np.quantile(waits, 0.95):.0f} ms (95 %), driver "
            f"{1000 * marks.driver_s:.2f} ms per structure, "
            f"load {os.getloadavg()[0]:.1f}",
            flush=True,
        )


def use_of(diary: Path, workers: int) -> tuple[float, float, np.ndarray]:
    """Return the share of the time in which workers had a structure, and their waits in s.

    The time is that between the first structure and the last one, for all workers; for the second
    share, from the moment at which the last worker has begun with its first one.
    """
    times = [np.loadtxt(path, ndmin=2) for path in diary.iterdir()]
    end_s, waits = max(t.max() for t in times), [t[1:, 0] - t[:-1, 1] for t in times]
    shares = []
    for begin_s in (min(t.min() for t in times), max(t.min() for t in times)):
        busy_s = sum(
            float(np.clip(t[:, 1] - t[:, 0].clip(begin_s), 0.0, None).sum()) for t in times
        )
        shares.append(busy_s / (workers * (end_s - begin_s)))
    return shares[0], shares[1], np.concatenate(waits)


def measure_driver(args: argparse.Namespace) -> None:
    """Print the processor time of the driver for each structure."""
    spec = WorkerSpec(({"cost_s": args.cost},), factory="executors:build", search_path=(HERE,))
    for workers in (4, 16, 64, 256):
        nodes = {"function": "executors:CountedNodes", "workers": workers,
                 "options": {"workers": workers, "cost_s": args.cost}}  # fmt: skip
        last = max(args.told, 4 * workers)
        structures = last + window_for(workers, workers)  # up to the last one, each is a new draw
        marks = Marks(20, last)
        executor = find("futures", "executors").model_validate(nodes)
        search(executor, spec, workers, structures, marks)
        use = (last - 20) * args.cost / (workers * marks.elapsed_s)
        print(
            f"{workers} workers, {last} structures of {args.cost} s: driver "
            f"{1000 * marks.driver_s:.2f} ms per structure, {100 * use:.1f} % use; one driver "
            f"feeds {args.cost / marks.driver_s:.0f} workers",
            flush=True,
        )


def measure_real(args: argparse.Namespace) -> None:
    """Print structures per core-hour with workers of this machine and with two blocks."""
    blocks = [
        {"name": tier, "tiers": [tier], "provider": "local", "workers_per_node": 1}
        for tier in REAL_TIERS
    ]
    for formula in args.formula.split(","):
        rates = {}
        for executor in ({"kind": "local"}, {"kind": "parsl", "block": blocks}):
            rates[executor["kind"]] = real_rate(formula, executor, args.structures)
        print(f"{formula}: parsl / local {rates['parsl'] / rates['local']:.3f}", flush=True)


def real_rate(formula: str, executor: dict[str, Any], structures: int) -> float:
    """Return structures per core-hour of one search; print it with the spread of their costs."""
    settings = RunSettings.from_dict(
        {
            "problem": {"formula": formula, "max_atoms": 24},
            "stop": {"structures": structures},
            "tier": [{"name": kind, "engine": {"kind": kind}} for kind in REAL_TIERS],
            "final": {"best": 0},
            "run": {"workers": 2},
            "executor": executor,
        }
    )
    with tempfile.TemporaryDirectory() as name:
        began = time.monotonic()
        summary = predict(settings, name)
        with Store.read(Path(name)) as store:
            records = [record for record, _ in store.records()]
    costs = [
        sum(item.outcome.evaluations for item in record.outcomes if item.tier == "chgnet")
        * record.crystal.n_atoms
        for record in records
        if all(isinstance(item.outcome, Relaxed) for item in record.outcomes)
    ]
    spread = float(np.log([cost for cost in costs if cost]).std())
    rate = summary.n_structures / (summary.progress.core_s / 3600.0)
    print(
        f"{executor['kind']}: {formula}, {summary.n_structures} structures, "
        f"{summary.progress.core_s:.0f} core s in {time.monotonic() - began:.0f} s: "
        f"{rate:.1f} per core-hour; spread of ln(evaluations x atoms) {spread:.2f}, "
        f"evaluations {sum(costs)}",
        flush=True,
    )
    return rate


def main() -> None:
    """Measure what the first argument says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("use", "driver", "real"))
    parser.add_argument("--structures", type=int, default=2000)
    parser.add_argument("--cost", type=float, default=0.2, help="seconds of a structure")
    parser.add_argument("--kinds", default="local,parsl", help="of executors, with commas")
    parser.add_argument("--told", type=int, default=300, help="records that driver measures")
    parser.add_argument("--nodes", type=int, default=4)
    parser.add_argument("--workers", type=int, default=2, help="of each node")
    parser.add_argument("--formula", default="CoAs2,Ca3Ti2O7", help="of real, with commas")
    args = parser.parse_args()
    sys.path.insert(0, HERE)
    {"use": measure_use, "driver": measure_driver, "real": measure_real}[args.what](args)


if __name__ == "__main__":
    main()
