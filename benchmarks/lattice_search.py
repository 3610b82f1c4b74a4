"""Searches that begin with arrangements of grids, against the same searches without them.

    python benchmarks/lattice_search.py run --out lattice.csv --seeds 0-19
    python benchmarks/lattice_search.py report --out lattice.csv

Compositions, energies, force field and searches are those of ``policies.py`` (Zamaraeva et al.,
Digital Discovery 2, 1831, 2023). ``lattice`` has the generator of that name beside the
default ones, with its default numbers of grids; the making of its pool counts as time of the
search. Rows are appended seed by seed, so that it can be interrupted and both have the same
seeds. Seconds are processor time of one process.
"""

from __future__ import annotations

import argparse
import csv
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from policies import TARGETS, field_file, read, search_once, settings_of
from scipy.stats import logrank
from survival import censored, in_words

from nucleate.run.settings import RunSettings

VARIANTS = ("search", "lattice")
FIELDS = ("formula", "variant", "seed", "reached", "structures", "seconds", "best")


def input_of(formula: str, variant: str, seed: int, field: str, grids: int) -> RunSettings:
    """Return the input of one search."""
    settings = settings_of("lowest-minima", formula, "uniform", seed, field, None)
    if variant == "search":
        return settings
    data = settings.to_dict()
    own = {"kind": "lattice", "force_field": field, "grids": grids}
    data["search"]["generators"] = [{"kind": "symmetric"}, {"kind": "blocks"}, own]
    return RunSettings.from_dict(data)


def run(arguments: argparse.Namespace, field: str) -> None:
    """Append what the table lacks."""
    low, _, high = arguments.seeds.partition("-")
    done = {(row["formula"], row["variant"], int(row["seed"])) for row in read(arguments.out)}
    is_new = not arguments.out.exists()
    for variant in arguments.variants:  # compiles the kernels
        search_once(input_of("SrY2O4", variant, 99, field, 20), 0.0, 1, None)
    with arguments.out.open("a", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, FIELDS)
        if is_new:
            writer.writeheader()
        for seed in range(int(low), int(high or low) + 1):
            for formula in arguments.formulas:
                for variant in arguments.variants:
                    if (formula, variant, seed) in done:
                        continue
                    settings = input_of(formula, variant, seed, field, arguments.grids)
                    found = search_once(settings, TARGETS[formula], arguments.structures, None)
                    row = {"formula": formula, "variant": variant, "seed": seed, **found}
                    writer.writerow(row)
                    handle.flush()
                    print(row, flush=True)


def report(arguments: argparse.Namespace) -> None:
    """Print medians with intervals and log-rank tests, of the seeds that both variants have."""
    rows = read(arguments.out)
    print("| composition | variant | reached | structures | seconds | best eV/atom | log-rank p |")
    print("|---|---|---|---|---|---|---|")
    for formula in TARGETS:
        own = [row for row in rows if row["formula"] == formula]
        seeds = [{int(r["seed"]) for r in own if r["variant"] == v} for v in VARIANTS]
        common = set.intersection(*seeds)
        data = {
            v: [r for r in own if r["variant"] == v and int(r["seed"]) in common] for v in VARIANTS
        }
        for variant in VARIANTS:
            if common:
                print("| " + " | ".join(_line(formula, variant, data)) + " |")


def _line(formula: str, variant: str, data: dict[str, list[dict[str, Any]]]) -> list[str]:
    rows = data[variant]
    test = ""
    if variant == "lattice":
        tests = {
            key: logrank(censored(rows, key), censored(data["search"], key)).pvalue
            for key in ("structures", "seconds")
        }
        test = ", ".join(f"{p:.2g}" for p in tests.values())
    medians = [in_words(rows, key) for key in ("structures", "seconds")]
    reached = sum(int(row["reached"]) for row in rows)
    best = np.median([float(row["best"]) for row in rows])
    return [formula, variant, f"{reached} of {len(rows)}", *medians, f"{best:.5f}", test]


def main() -> None:
    """Compute or print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("what", choices=("run", "report"))
    parser.add_argument("--out", type=Path, default=Path("lattice.csv"))
    parser.add_argument("--seeds", default="0-19")
    parser.add_argument("--formulas", nargs="*", default=list(TARGETS))
    parser.add_argument("--variants", nargs="*", choices=VARIANTS, default=list(VARIANTS))
    parser.add_argument("--structures", type=int, default=2000)
    parser.add_argument("--grids", type=int, default=1000)
    arguments = parser.parse_args()
    if arguments.what == "report":
        report(arguments)
        return
    with tempfile.TemporaryDirectory() as folder:
        run(arguments, field_file(Path(folder)))


if __name__ == "__main__":
    main()
