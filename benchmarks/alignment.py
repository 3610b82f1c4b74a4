"""What an alignment buys: relaxed candidates of two languages, side by side.

    python benchmarks/alignment.py run mp_structures.parquet --before mp --after model.safetensors
        --out DIR [--compositions 60] [--number 20]
    python benchmarks/alignment.py table --out DIR

The same compositions of the ``val`` split, at the reference's size, for both; the likeliest
candidates of each, with the generator's own settings, are relaxed by CHGNet together with the
reference. ``run`` continues where it was interrupted. Energies are relative to the lowest crystal
of the composition by either; intervals are from 10,000 bootstrap samples of the compositions.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from pathlib import Path

import numpy as np

from nucleate.api.relax import relax_files
from nucleate.benchmark.csp import read_entries
from nucleate.crystal.composition import Composition
from nucleate.crystal.files import write_extxyz
from nucleate.crystal.space import SearchSpace
from nucleate.generate.distinct import distinct
from nucleate.generate.wyckoff_language.checkpoint import load_language
from nucleate.generate.wyckoff_language.generator import WyckoffLanguageGenerator
from nucleate.relax.outcome import Relaxed

SIDES = ("reference", "before", "after")


def candidates(table: Path, checkpoints: list[str], out: Path, n: int, number: int) -> Path:
    """Write references and candidates once; the name of a frame is composition, side, place."""
    path = out / "candidates.extxyz"
    if path.is_file():
        return path
    frames = []
    for place, entry in enumerate(read_entries(table, number=n, seed=31)):
        composition = Composition.from_numbers(entry.crystal.numbers)
        units = composition.formula_units_of(entry.crystal.numbers)
        assert units is not None
        space = SearchSpace.create(
            composition, max_atoms=entry.crystal.n_atoms, formula_units=(units,)
        )
        frames.append((f"{place}-0-0", entry.crystal))
        for side, checkpoint in enumerate(checkpoints, start=1):
            pool = WyckoffLanguageGenerator(space, load_language(checkpoint), number=number)
            made = pool.make_pool().members
            frames += [(f"{place}-{side}-{k}", member.crystal) for k, member in enumerate(made)]
    write_extxyz(path.with_suffix(".part"), frames)
    path.with_suffix(".part").replace(path)
    return path


def run(table: Path, checkpoints: list[str], out: Path, n: int, number: int, workers: int) -> None:
    """Relax all, and keep energies and how many are distinct."""
    out.mkdir(parents=True, exist_ok=True)
    file = candidates(table, checkpoints, out, n, number)
    series = relax_files(file, folder=out / "relaxed", workers=workers)
    found = defaultdict(list)
    for item, outcome in zip(series.items, series.outcomes, strict=True):
        composition, side, place = map(int, item.name.split("-")[:3])
        relaxed = outcome if isinstance(outcome, Relaxed) else None
        found[composition, side].append((place, relaxed))
    rows = []
    for composition in sorted({key[0] for key in found}):
        row = {"formula": "", "sides": {}}
        for side, name in enumerate(SIDES):
            items = [r for _, r in sorted(found[composition, side], key=lambda i: i[0]) if r]
            energies = [r.enthalpy_per_atom for r in items]
            kept = distinct([items[k].crystal for k in np.argsort(energies)]) if items else []
            row["sides"][name] = {"energies": energies, "distinct": len(kept)}
            if items:
                row["formula"] = Composition.from_numbers(items[0].crystal.numbers).formula
        rows.append(row)
    (out / "energies.json").write_text(json.dumps(rows))


def table(out: Path, limit: float = 0.2) -> None:
    """Print the comparison; energies further below the reference than ``limit`` are left out."""
    rows = json.loads((out / "energies.json").read_text())
    measures = defaultdict(list)
    for row in rows:
        reference = row["sides"]["reference"]["energies"]
        if not reference:
            continue
        sides = [
            np.array([e for e in row["sides"][name]["energies"] if e > reference[0] - limit])
            for name in SIDES
        ]
        if any(side.size == 0 for side in sides):
            continue
        low = min(side.min() for side in sides)
        for name, side in zip(SIDES[1:], sides[1:], strict=True):
            measures[name, "mean, meV/atom"].append(1000 * (side.mean() - low))
            measures[name, "median, meV/atom"].append(1000 * (np.median(side) - low))
            measures[name, "lowest, meV/atom"].append(1000 * (side.min() - low))
            measures[name, "first, meV/atom"].append(1000 * (side[0] - low))
            measures[name, "reference reached or undercut, %"].append(
                100.0 * (side.min() < reference[0] + 0.002)
            )
            measures[name, "distinct of relaxed, %"].append(
                100.0 * row["sides"][name]["distinct"] / len(row["sides"][name]["energies"])
            )
    rng = np.random.default_rng(0)
    n = len(next(iter(measures.values())))
    print(f"{n} compositions")
    print("| | before | after | difference (95 %) |\n|---|---|---|---|")
    for what in dict.fromkeys(key[1] for key in measures):
        before, after = (np.array(measures[name, what]) for name in SIDES[1:])
        means = (after - before)[rng.integers(0, n, (10_000, n))].mean(axis=1)
        low, high = np.percentile(means, [2.5, 97.5])
        print(
            f"| {what} | {before.mean():.1f} | {after.mean():.1f} | "
            f"{(after - before).mean():+.1f} ({low:+.1f} to {high:+.1f}) |"
        )


def main() -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("run", "table"))
    parser.add_argument("data", nargs="?", type=Path)
    parser.add_argument("--before", default="mp")
    parser.add_argument("--after", default="")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--compositions", type=int, default=60)
    parser.add_argument("--number", type=int, default=20)
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    if given.what == "run":
        pair = [given.before, given.after]
        run(given.data, pair, given.out, given.compositions, given.number, given.workers)
    table(given.out)


if __name__ == "__main__":
    main()
