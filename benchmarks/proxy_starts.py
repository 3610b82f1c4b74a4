"""MLIP relaxations from generated crystals, raw and relaxed with the proxy potentials first.

    OMP_NUM_THREADS=1 python benchmarks/proxy_starts.py --count 8 --out starts.csv

For each benchmark composition the same generated crystals are relaxed with CHGNet as they are
(with the tier's own pre-relaxation, which every start gets) and after the tier ``spp``. Ratios
under 1 mean that the proxy relaxation saved steps or seconds (CPU seconds of one thread, the
proxy's own included). What the table holds is not run again, so a run can be cut off and go on;
rows of another library are kept and left out of the summary. ``--report`` prints the summary only.
"""

from __future__ import annotations

import argparse
import csv
import time
from pathlib import Path

import numpy as np

from nucleate.crystal.composition import Composition
from nucleate.crystal.crystal import Crystal
from nucleate.crystal.space import SearchSpace
from nucleate.generate.blocks import BlocksGenerator
from nucleate.potentials.spp import shipped_library
from nucleate.relax.outcome import Outcome, Relaxed
from nucleate.relax.relaxer import Relaxer
from nucleate.relax.settings import TierSettings, build_relaxer

COMPOUNDS = (
    "CoAs2", "Cu7S4", "Mn", "WCl2", "YWB4", "Ca3Ti2O7", "Li2Sn2S3Cl4", "Li3Si3O5Cl5", "Li4OBrCl",
    "Pb5As3O12Cl", "Si6Al6B3Fe3NaO30F",
)  # fmt: skip
FIELDS = (
    "formula", "index", "start", "library", "atoms", "outcome", "converged", "steps", "seconds",
    "proxy_s", "energy",
)  # fmt: skip


def relax(relaxer: Relaxer, crystal: Crystal) -> tuple[Outcome, float]:
    """Return the outcome of one relaxation and its CPU seconds."""
    begin = time.process_time()
    relaxer.add(0, crystal)
    while not (ended := relaxer.step()):
        pass
    return ended[0][1], time.process_time() - begin


def generated(formula: str, index: int, largest: int, seed: int) -> Crystal:
    """Return one generated crystal, the same each time."""
    composition = Composition.from_formula(formula)
    units = max(1, largest // composition.n_atoms)
    generator = BlocksGenerator(SearchSpace.create(composition, formula_units=(units,)))
    rng = np.random.default_rng([seed, index])
    while (candidate := generator.generate(rng=rng)) is None:
        pass
    return candidate.crystal


def row_of(crystal: Crystal, start: str, mlip: Relaxer, proxy: Relaxer) -> dict:
    """Return what one MLIP relaxation took from one kind of start."""
    proxy_s = 0.0
    row: dict = {"start": start, "library": "", "atoms": crystal.n_atoms}
    if start == "spp":
        row["library"] = shipped_library().digest
        before, proxy_s = relax(proxy, crystal)
        if not isinstance(before, Relaxed):
            return {**row, "outcome": f"proxy {before.reason.value}"}
        crystal = before.crystal
    outcome, seconds = relax(mlip, crystal)
    row |= {"seconds": round(proxy_s + seconds, 2), "proxy_s": round(proxy_s, 4)}
    if not isinstance(outcome, Relaxed):
        return {**row, "outcome": outcome.reason.value}
    return {
        **row, "outcome": "relaxed", "converged": int(outcome.converged),
        "steps": outcome.evaluations, "energy": round(outcome.energy_per_atom, 5),
    }  # fmt: skip


def summary(formula: str, rows: list[dict]) -> str:
    """Return geometric mean ratios with 95 % intervals, the share slowed and the energies."""
    raw = {row["index"]: row for row in rows if row["start"] == "raw"}
    spp = {row["index"]: row for row in rows if row["start"] == "spp"}
    pairs = [(raw[k], spp[k]) for k in sorted(raw.keys() & spp.keys(), key=int)]
    lost = [p["outcome"] for pair in pairs for p in pair if p["outcome"] != "relaxed"]
    pairs = [(a, b) for a, b in pairs if a["outcome"] == b["outcome"] == "relaxed"]
    if len(pairs) < 2:
        return f"{formula:20s} {len(pairs)} pairs"
    columns = []
    for key in ("steps", "seconds"):
        logs = np.log([float(b[key]) / float(a[key]) for a, b in pairs])
        error = 1.96 * logs.std(ddof=1) / len(pairs) ** 0.5
        low, middle, high = np.exp([logs.mean() - error, logs.mean(), logs.mean() + error])
        columns.append(f"{key} x{middle:.2f} ({low:.2f}-{high:.2f})")
    slowed = np.mean([float(b["seconds"]) > float(a["seconds"]) for a, b in pairs])
    change = 1e3 * np.array([float(b["energy"]) - float(a["energy"]) for a, b in pairs])
    unfinished = [sum(pair[k]["converged"] == "0" for pair in pairs) for k in (0, 1)]
    return (
        f"{formula:20s} {len(pairs):3d} pairs  {'  '.join(columns)}  slowed {slowed:.0%}  "
        f"median energy {np.median(change):+.0f} meV/atom, lowest "
        f"{1e3 * (min(float(b['energy']) for _, b in pairs) - min(float(a['energy']) for a, _ in pairs)):+.0f}"  # noqa: E501
        f"  not converged {unfinished[0]}, {unfinished[1]}  lost {lost}"
    )


def report(path: Path, formulas: list[str]) -> None:
    """Print a line for each compound, from the table, for the shipped library."""
    with path.open(newline="") as handle:
        rows = [r for r in csv.DictReader(handle) if r["library"] in {"", shipped_library().digest}]
    for formula in formulas:
        print(summary(formula, [row for row in rows if row["formula"] == formula]), flush=True)


def main() -> None:
    """Run what is missing and print a line for each compound."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=8)
    parser.add_argument("--largest", type=int, default=16, help="atoms, where a unit fits in it")
    parser.add_argument("--formulas", nargs="*", default=list(COMPOUNDS))
    parser.add_argument("--starts", nargs="*", default=["raw", "spp"], choices=["raw", "spp"])
    parser.add_argument("--no-pre-relax", action="store_true", help="truly raw starts")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--report", action="store_true")
    parser.add_argument("--out", type=Path, default=Path("proxy_starts.csv"))
    arguments = parser.parse_args()
    if arguments.report:
        report(arguments.out, arguments.formulas)
        return
    tier = TierSettings(
        name="chgnet", fmax_ev_per_ang=0.05, max_steps=400, wall_s=None,
        pre_relax=not arguments.no_pre_relax,
    )  # fmt: skip
    mlip = build_relaxer(tier)
    proxy = build_relaxer(TierSettings(name="spp", engine={"kind": "spp"}))
    done = set()
    if arguments.out.exists():
        with arguments.out.open(newline="") as handle:
            done = {
                (row["formula"], int(row["index"]), row["start"], row["library"])
                for row in csv.DictReader(handle)
            }
    with arguments.out.open("a", newline="") as handle:
        writer = csv.DictWriter(handle, FIELDS)
        if handle.tell() == 0:
            writer.writeheader()
        for start in arguments.starts:
            library = shipped_library().digest if start == "spp" else ""
            for index in range(arguments.count):
                for formula in arguments.formulas:
                    if (formula, index, start, library) in done:
                        continue
                    crystal = generated(formula, index, arguments.largest, arguments.seed)
                    row = row_of(crystal, start, mlip, proxy)
                    writer.writerow({"formula": formula, "index": index, **row})
                    handle.flush()
    report(arguments.out, arguments.formulas)


if __name__ == "__main__":
    main()
