"""MLIP relaxations from generated crystals, raw and relaxed with the proxy potentials first.

    python benchmarks/proxy_starts.py --count 6 --out starts.csv

For each benchmark composition the same generated crystals are relaxed with CHGNet as they are
(with the tier's own pre-relaxation, which every start gets) and after the tier ``spp``. Ratios
under 1 mean that the proxy relaxation saved steps or seconds.
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
from nucleate.relax.outcome import Outcome, Relaxed
from nucleate.relax.relaxer import Relaxer
from nucleate.relax.settings import TierSettings, build_relaxer

COMPOUNDS = (
    "CoAs2", "Cu7S4", "Mn", "WCl2", "YWB4", "Ca3Ti2O7", "Li2Sn2S3Cl4", "Li3Si3O5Cl5", "Li4OBrCl",
    "Pb5As3O12Cl", "Si6Al6B3Fe3NaO30F",
)  # fmt: skip


def relax(relaxer: Relaxer, crystal: Crystal) -> tuple[Outcome, float]:
    """Return the outcome of one relaxation and its CPU seconds."""
    begin = time.process_time()
    relaxer.add(0, crystal)
    while not (ended := relaxer.step()):
        pass
    return ended[0][1], time.process_time() - begin


def compare(formula: str, count: int, largest: int, tier: TierSettings, seed: int) -> list[dict]:
    """Return a row for each generated crystal of a compound."""
    composition = Composition.from_formula(formula)
    units = max(1, largest // composition.n_atoms)
    space = SearchSpace.create(composition, formula_units=(units,))
    generator = BlocksGenerator(space)
    rng = np.random.default_rng(seed)
    mlip = build_relaxer(tier)
    proxy = build_relaxer(TierSettings(name="spp", engine={"kind": "spp"}))
    rows: list[dict] = []
    attempts = 0
    while len(rows) < count and attempts < 20 * count:
        attempts += 1
        candidate = generator.generate(rng=rng)
        if candidate is None:
            continue
        raw, raw_s = relax(mlip, candidate.crystal)
        before, proxy_s = relax(proxy, candidate.crystal)
        if not isinstance(before, Relaxed):
            continue
        after, after_s = relax(mlip, before.crystal)
        if isinstance(raw, Relaxed) and isinstance(after, Relaxed):
            rows.append({
                "formula": formula, "atoms": raw.crystal.n_atoms, "raw_steps": raw.evaluations,
                "spp_steps": after.evaluations, "raw_s": round(raw_s, 2),
                "spp_s": round(proxy_s + after_s, 2), "proxy_s": round(proxy_s, 3),
                "raw_energy": round(raw.energy_per_atom, 4),
                "spp_energy": round(after.energy_per_atom, 4),
                "raw_converged": raw.converged, "spp_converged": after.converged,
            })  # fmt: skip
    return rows


def summary(rows: list[dict]) -> str:
    """Return geometric mean ratios, the share slowed and the change of energy."""
    steps = np.array([row["spp_steps"] / row["raw_steps"] for row in rows])
    seconds = np.array([row["spp_s"] / row["raw_s"] for row in rows])
    change = np.array([row["spp_energy"] - row["raw_energy"] for row in rows])
    return (
        f"{rows[0]['formula']:20s} {len(rows):3d} pairs  steps x{np.exp(np.log(steps).mean()):.2f}"
        f"  seconds x{np.exp(np.log(seconds).mean()):.2f}  slowed {np.mean(seconds > 1):.0%}"
        f"  energy {1e3 * np.mean(change):+.0f} meV/atom"
    )


def main() -> None:
    """Run every compound and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=6)
    parser.add_argument("--largest", type=int, default=16, help="atoms, where a unit fits in it")
    parser.add_argument("--formulas", nargs="*", default=list(COMPOUNDS))
    parser.add_argument("--no-pre-relax", action="store_true", help="truly raw starts")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("proxy_starts.csv"))
    arguments = parser.parse_args()
    tier = TierSettings(
        name="chgnet", fmax=0.05, max_steps=400, pre_relax=not arguments.no_pre_relax
    )
    everything: list[dict] = []
    for formula in arguments.formulas:
        rows = compare(formula, arguments.count, arguments.largest, tier, arguments.seed)
        if rows:
            print(summary(rows), flush=True)
        everything += rows
        with arguments.out.open("w", newline="") as handle:
            writer = csv.DictWriter(handle, list(everything[0]) if everything else ["formula"])
            writer.writeheader()
            writer.writerows(everything)


if __name__ == "__main__":
    main()
