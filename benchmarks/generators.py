"""How good the starts of three generators are, and how long the graph search takes.

    python benchmarks/generators.py starts --out starts.jsonl --best 10 --seeds 0
    python benchmarks/generators.py table starts.jsonl
    python benchmarks/generators.py time --formula Ca3Ti2O7 --formula-units 2 --number 5000

``starts`` relaxes, for each of the eleven compositions of the FUSE2 paper and each seed, the best
crystals of a pool of ``graph-search`` (made with the given number of crystals) and as many of
``blocks`` and ``symmetric`` in cells of the same size with CHGNet, and writes one line for each.
It goes on where it was interrupted. The network, its training data and the prior hold no structure
of the eleven compositions; CHGNet was trained on relatives of them.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from relaxation_starts import Journal

from nucleate.crystal.composition import Composition
from nucleate.crystal.space import SearchSpace
from nucleate.generate.blocks import BlocksGenerator
from nucleate.generate.graph_search.generator import GraphSearchGenerator
from nucleate.generate.graph_search.pool import Plan
from nucleate.generate.graph_search.sizes import make_pool
from nucleate.generate.pool import ranked
from nucleate.generate.symmetric import SymmetricGenerator
from nucleate.networks.graph_network.network import GraphNetwork
from nucleate.relax.outcome import Relaxed
from nucleate.relax.settings import TierSettings, build_relaxer
from nucleate.run.scoring import single_points

if TYPE_CHECKING:
    from nucleate.crystal.crystal import Crystal
    from nucleate.generate.pool import Ranking
    from nucleate.relax.relaxer import Relaxer

COMPOUNDS = {
    "CoAs2": 4, "WCl2": 4, "Mn": 8, "YWB4": 2, "Li4OBrCl": 2, "Ca3Ti2O7": 2, "Cu7S4": 2,
    "Li2Sn2S3Cl4": 2, "Li3Si3O5Cl5": 2, "Pb5As3O12Cl": 1, "Si6Al6B3Fe3NaO30F": 1,
}  # fmt: skip
"""Formula units in the cells compared."""

TIER = TierSettings(name="chgnet", fmax_ev_per_ang=0.05, max_steps=500)


def ranked_pools(
    space: SearchSpace, network: GraphNetwork, seed: int, number: int, rankings: list[Ranking]
) -> dict[str, list[Crystal]]:
    """Return the pool by each ranking, the best first."""
    members, _ = make_pool(space, network, Plan(number=number, seed=seed))
    return {
        ranking: [
            member.crystal
            for member in ranked(
                members, ranking, space=space, network=network, score=single_points(TIER)
            )
        ]
        for ranking in rankings
    }


def random_crystals(space: SearchSpace, name: str, seed: int, count: int) -> list[Crystal]:
    """Return crystals of one of the random generators."""
    generator = BlocksGenerator(space) if name == "blocks" else SymmetricGenerator(space)
    crystals: list[Crystal] = []
    for draw in range(20 * count):
        candidate = generator.generate(rng=np.random.default_rng([seed, draw]))
        if candidate is not None:
            crystals.append(candidate.crystal)
        if len(crystals) == count:
            break
    return crystals


def relaxed_row(relaxer: Relaxer, crystal: Crystal) -> dict[str, Any]:
    """Return energy, evaluations and processor seconds of one relaxation."""
    begin = time.process_time()
    relaxer.add(0, crystal)
    while not (ended := relaxer.step()):
        pass
    outcome = ended[0][1]
    row: dict[str, Any] = {"seconds": round(time.process_time() - begin, 3)}
    if isinstance(outcome, Relaxed):
        row |= {
            "energy": round(outcome.energy_per_atom, 5),
            "steps": outcome.evaluations,
            "converged": outcome.converged,
        }
    return row


def measure_starts(arguments: argparse.Namespace) -> None:
    """Relax the starts of all generators, compositions and seeds."""
    journal = Journal(arguments.out)
    network, relaxer = GraphNetwork.load(), build_relaxer(TIER)
    for seed in arguments.seeds:
        for formula in arguments.formulas:
            units = COMPOUNDS[formula]
            space = SearchSpace.create(Composition.from_formula(formula), formula_units=(units,))
            names = [
                name
                for name in ("blocks", "symmetric", *arguments.rankings)
                if f"{formula}/{name}/{seed}/{arguments.best - 1}" not in journal
            ]
            random = [name for name in names if name in ("blocks", "symmetric")]
            rankings = [name for name in names if name not in random]
            starts = {n: random_crystals(space, n, seed, arguments.best) for n in random}
            if rankings:
                starts |= ranked_pools(space, network, seed, arguments.number, rankings)
            for name, crystals in starts.items():
                for k, crystal in enumerate(crystals[: arguments.best]):
                    key = f"{formula}/{name}/{seed}/{k}"
                    if key not in journal:
                        row = relaxed_row(relaxer, crystal)
                        journal.add(key, formula=formula, generator=name, seed=seed,
                                    atoms=crystal.n_atoms, **row)  # fmt: skip
            print(table(journal, (formula,)), flush=True)


def table(journal: Journal, formulas: tuple[str, ...]) -> str:
    """Return a Markdown table: energies in eV/atom, steps and seconds a structure."""
    lines = []
    for formula in formulas:
        for name in dict.fromkeys(row["generator"] for row in journal):
            rows = [r for r in journal if r["formula"] == formula and r["generator"] == name]
            good = [row for row in rows if "energy" in row]
            if good:
                energy = np.array([row["energy"] for row in good])
                steps = np.mean([row["steps"] for row in good])
                seconds = np.mean([row["seconds"] for row in rows])
                seeds = len({row["seed"] for row in rows})
                lines.append(
                    f"| {formula} | {name} | {seeds} | {len(good)}/{len(rows)} "
                    f"| {energy.mean():.3f} | {np.median(energy):.3f} | {energy.min():.3f} "
                    f"| {steps:.0f} | {seconds:.2f} |"
                )
    return "\n".join(lines)


def show_table(arguments: argparse.Namespace) -> None:
    """Print the table and how often the graph search wins."""
    journal = Journal(arguments.file)
    formulas = tuple(f for f in COMPOUNDS if any(row["formula"] == f for row in journal))
    print("| composition | generator | seeds | relaxed | mean | median | best | steps | s |")
    print("|---|---|---|---|---|---|---|---|---|")
    print(table(journal, formulas))
    names = dict.fromkeys(row["generator"] for row in journal)
    for ranking in (name for name in names if name not in ("blocks", "symmetric")):
        for other in ("blocks", "symmetric"):
            lower, fewer, both = 0, 0, 0
            for formula in formulas:
                ours, theirs = (
                    [r for r in journal
                     if r["formula"] == formula and r["generator"] == g and "energy" in r]
                    for g in (ranking, other)
                )  # fmt: skip
                if ours and theirs:
                    both += 1
                    lower += mean(ours, "energy") < mean(theirs, "energy")
                    fewer += mean(ours, "steps") < mean(theirs, "steps")
            print(f"graph-search by {ranking} against {other}: lower mean energy in {lower}, "
                  f"fewer steps in {fewer} of {both}")  # fmt: skip


def mean(rows: list[dict[str, Any]], key: str) -> float:
    """Return the mean of a column."""
    return float(np.mean([row[key] for row in rows]))


def measure_time(arguments: argparse.Namespace) -> None:
    """Time the search for each optimiser, stage by stage."""
    composition = Composition.from_formula(arguments.formula)
    space = SearchSpace.create(composition, formula_units=(arguments.formula_units,))
    network = GraphNetwork.load()
    warm = Plan(number=50, refined=5, descent_steps=2)
    GraphSearchGenerator(space, network, warm).prepare()
    cases = [("random", "all"), ("swarm", "all"), ("tpe", "all"), ("tpe", "triclinic")]
    for optimiser, symmetry in cases:
        plan = Plan(optimiser=optimiser, symmetry=symmetry, number=arguments.number, seed=0)
        begin, wall = time.process_time(), time.monotonic()
        generator = GraphSearchGenerator(space, network, plan)
        members = generator.members
        spent = time.process_time() - begin
        account = generator.account
        stages = ", ".join(f"{name} {s:.1f}" for name, s in account.seconds.items())
        best = np.mean([float(m.detail["network_energy"]) for m in members[:25]])
        print(
            f"{arguments.formula} Z={arguments.formula_units} {optimiser} {symmetry}: "
            f"{sum(account.found.values())} valid of {account.proposals}, {len(members)} ranked, "
            f"{spent:.0f} s of processor, {time.monotonic() - wall:.0f} s of wall time ({stages}), "
            f"mean of best 25 {best:.3f} eV/atom by the network",
            flush=True,
        )


def main() -> None:
    """Run a sub-command."""
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(required=True)
    starts = commands.add_parser("starts")
    starts.add_argument("--out", type=Path, required=True)
    starts.add_argument("--best", type=int, default=25)
    starts.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    starts.add_argument("--number", type=int, default=5000)
    starts.add_argument("--rankings", nargs="+", default=["network", "single-point"])
    starts.add_argument("--formulas", nargs="+", default=list(COMPOUNDS))
    starts.set_defaults(run=measure_starts)
    shown = commands.add_parser("table")
    shown.add_argument("file", type=Path)
    shown.set_defaults(run=show_table)
    timed = commands.add_parser("time")
    timed.add_argument("--formula", default="Ca3Ti2O7")
    timed.add_argument("--formula-units", type=int, default=2)
    timed.add_argument("--number", type=int, default=5000)
    timed.set_defaults(run=measure_time)
    arguments = parser.parse_args()
    arguments.run(arguments)


if __name__ == "__main__":
    main()
