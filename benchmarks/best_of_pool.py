"""The best 25 of 500 candidates of each generator, relaxed: what a search would begin with.

    python benchmarks/best_of_pool.py run --out rows.jsonl [--seeds 0] [--generators blocks ...]
    python benchmarks/best_of_pool.py table rows.jsonl

For each of the eleven compositions of the FUSE2 paper, in cells of the size that
``generators.py`` names, every generator gives ``--number`` candidates. All are ranked by one CHGNet
evaluation, without repeats, and the best ``--best`` are relaxed with CHGNet. The language of
Wyckoff positions is also taken in its own order (``wyckoff-language/own``), and moved to minima of
the graph network first (``wyckoff-language/descent``). ``prototypes`` has all
relatives of the composition held out; the networks hold no structure of the eleven compositions;
CHGNet was trained on relatives of them. ``run`` continues where it was interrupted.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from generators import COMPOUNDS, TIER, mean, relaxed_row
from relaxation_starts import Journal

from nucleate.benchmark.generate_only import drawn
from nucleate.crystal.composition import Composition
from nucleate.crystal.space import SearchSpace
from nucleate.generate.build import named
from nucleate.generate.context import GeneratorContext
from nucleate.generate.distinct import distinct
from nucleate.relax.settings import build_relaxer
from nucleate.run.scoring import single_points

if TYPE_CHECKING:
    from nucleate.crystal.crystal import Crystal

GENERATORS = (
    "graph-search",
    "wyckoff-language",
    "wyckoff-language/descent",
    "symmetric",
    "blocks",
    "prototypes",
)
"""The first is what the others are compared with."""

OWN_ORDER = ("wyckoff-language",)
"""Those that are also taken in their own order."""

SETTINGS: dict[str, dict[str, Any]] = {
    "graph-search": {"refined": 200},
    "wyckoff-language": {"ranking": "likelihood"},
    "wyckoff-language/descent": {"descent_steps": 30},
}


def candidates(space: SearchSpace, kind: str, seed: int, number: int) -> list[Crystal]:
    """Return as many crystals of a generator as it gives, at most ``number``."""
    name, _, _ = kind.partition("/")
    pools = {"number": number} if name in ("graph-search", "wyckoff-language") else {}
    settings = named(name, **pools, **SETTINGS.get(kind, {}))
    context = GeneratorContext(
        space, seed=seed, known="no-relatives", score=single_points(TIER), warn=print
    )
    generator = settings.build(context)
    return [] if generator is None else drawn(generator, number, seed)


def by_single_point(crystals: list[Crystal], best: int) -> list[Crystal]:
    """Return the distinct crystals of the lowest energy before relaxation."""
    score = single_points(TIER)
    assert score is not None
    energies = score(crystals)
    order = [int(k) for k in np.argsort(energies, kind="stable") if np.isfinite(energies[k])]
    ranked = [crystals[k] for k in order]
    return [ranked[k] for k in distinct(ranked, most=best)]


def run(arguments: argparse.Namespace) -> None:
    """Relax the best candidates of all generators, compositions and seeds."""
    journal, relaxer = Journal(arguments.out), build_relaxer(TIER)
    for seed in arguments.seeds:
        for formula in arguments.formulas:
            space = SearchSpace.create(
                Composition.from_formula(formula), formula_units=(COMPOUNDS[formula],)
            )
            for kind in arguments.generators:
                if f"{formula}/{kind}/{seed}" in journal:
                    continue
                begin = time.process_time()
                made = candidates(space, kind, seed, arguments.number)
                spent = time.process_time() - begin
                starts = {kind: by_single_point(made, arguments.best)}
                if kind in OWN_ORDER:
                    starts[f"{kind}/own"] = made[: arguments.best]
                for name, crystals in starts.items():
                    for k, crystal in enumerate(crystals):
                        key = f"{formula}/{name}/{seed}/{k}"
                        if key not in journal:
                            row = relaxed_row(relaxer, crystal)
                            journal.add(key, formula=formula, generator=name, seed=seed, **row)
                journal.add(f"{formula}/{kind}/{seed}", candidates=len(made), spent=spent)
                print(f"{formula} {kind} {seed}: {len(made)} candidates in {spent:.1f} s",
                      flush=True)  # fmt: skip


def table(arguments: argparse.Namespace) -> None:
    """Print energies in eV/atom and evaluations, and how often each is below the first."""
    journal = Journal(arguments.file)
    rows = [row for row in journal if "energy" in row]
    names = list(dict.fromkeys(row["generator"] for row in rows))
    wins = {name: [0, 0, 0, 0] for name in names}
    print("| composition | generator | relaxed | mean | lowest | evaluations |")
    print("|---|---|---|---|---|---|")
    for formula in (f for f in COMPOUNDS if any(row["formula"] == f for row in rows)):
        figures = {}
        for name in names:
            own = [r for r in rows if (r["formula"], r["generator"]) == (formula, name)]
            if own:
                lowest = float(np.mean([
                    min(r["energy"] for r in own if r["seed"] == seed)
                    for seed in {r["seed"] for r in own}
                ]))  # fmt: skip
                figures[name] = (mean(own, "energy"), lowest, mean(own, "steps"))
                print(
                    f"| {formula} | {name} | {len(own)} | {figures[name][0]:.3f} "
                    f"| {lowest:.3f} | {figures[name][2]:.0f} |"
                )
        base = figures.get(GENERATORS[0])
        if base is None:
            continue
        for name, ours in figures.items():
            lower = [a < b - 5e-4 for a, b in zip(ours, base, strict=True)]
            wins[name] = [w + x for w, x in zip(wins[name], (*lower, True), strict=True)]
    for name, (means, bests, steps, both) in wins.items():
        if name != GENERATORS[0]:
            print(f"\n{name} against {GENERATORS[0]}: lower mean in {means}, lower lowest in "
                  f"{bests}, fewer evaluations in {steps} of {both} compositions.")  # fmt: skip


def main() -> None:
    """Run a sub-command."""
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(required=True)
    measured = commands.add_parser("run")
    measured.add_argument("--out", type=Path, required=True)
    measured.add_argument("--best", type=int, default=25)
    measured.add_argument("--number", type=int, default=500)
    measured.add_argument("--seeds", type=int, nargs="+", default=[0])
    measured.add_argument("--generators", nargs="+", choices=GENERATORS, default=GENERATORS)
    measured.add_argument("--formulas", nargs="+", default=list(COMPOUNDS))
    measured.set_defaults(run=run)
    shown = commands.add_parser("table")
    shown.add_argument("file", type=Path)
    shown.set_defaults(run=table)
    arguments = parser.parse_args()
    arguments.run(arguments)


if __name__ == "__main__":
    main()
