"""The fourteen published grids of Gusev et al. (Nature 619, 68, 2023): proofs, seconds, structures.

    python benchmarks/exact.py run --out rows.jsonl [--highs SECONDS] [CASE ...]
    python benchmarks/exact.py table --out rows.jsonl

Cells, grids, groups, potentials and least distances are those of the publication; the seconds of
Gurobi are its own. With ``--highs`` the linear program is solved by HiGHS alone as well, and
its bound at the end is kept. CPU seconds of one thread. Each row is written when it is known, and
what is in the file is not computed again.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nucleate.crystal.elements import element
from nucleate.exact.exhaustive import count_arrangements
from nucleate.exact.grid import Grid
from nucleate.exact.pair_models import PairModel
from nucleate.exact.problem import Problem, build_problem
from nucleate.exact.prove import prove
from nucleate.exact.relaxing import relax_with
from nucleate.exact.solver import Limits, resident_mb, solve
from nucleate.potentials.force_field import Buckingham, ForceField, pair_key

_MOST_WALL = 4.0
"""Seconds of wall time that a CPU second of HiGHS may take on a shared machine."""

COULOMB = 14.399645351950543
RADII = {"O": 1.35, "Sr": 1.18, "Ti": 0.42, "Y": 0.9, "Mg": 0.57, "Al": 0.39, "Ca": 1.0, "Si": 0.26}
CHARGES = {"Sr": 2.0, "Ti": 4.0, "Y": 3.0, "Mg": 2.0, "Al": 3.0, "O": -2.0}
OXIDES = {
    ("O", "Sr"): (1952.39, 0.33685, 19.22), ("O", "Ti"): (4590.7279, 0.261, 0.0),
    ("O", "O"): (1388.77, 0.36262, 175.0), ("O", "Y"): (23000.0, 0.24203, 0.0),
}  # fmt: skip
SPINEL = {
    ("Al", "O"): (1725.0, 0.2897, 0.0), ("Mg", "O"): (1284.38, 0.2997, 0.0),
    ("O", "O"): (9547.96, 0.2192, 32.0),
}  # fmt: skip
GARNET = {
    ("Al", "O"): (0.361581, 1.900442, 2.164818, 0.9),
    ("Ca", "O"): (0.030211, 2.241334, 2.923245, 5.0),
    ("O", "Si"): (0.340554, 2.0067, 2.1, 1.0), ("O", "O"): (0.042395, 1.379316, 3.618701, 22.0),
}  # fmt: skip


@dataclass(frozen=True)
class Case:
    """A published grid, its seconds with Gurobi and its energy after relaxation in eV.

    ``prototype_s`` is what HiGHS took in our first trial, without symmetry and rows of cliques.
    """

    field: str
    counts: dict[str, int]
    edge: float
    grid: int
    group: int
    gurobi_s: float
    relaxed: float
    keep: int = 3
    prototype_s: str = ""


BIG = {"Sr": 27, "Ti": 27, "O": 81}
STO, MGO = {"Sr": 1, "Ti": 1, "O": 3}, {"Mg": 8, "Al": 16, "O": 32}
YO, PYRO = {"Y": 32, "O": 48}, {"Y": 16, "Ti": 16, "O": 56}
GAR = {"Ca": 24, "Al": 16, "Si": 24, "O": 96}
CASES = {
    "SrTiO3-1": Case("oxides", STO, 3.9, 4, 1, 3.66, -158.584, prototype_s="9.0"),
    "SrTiO3-8": Case("oxides", {k: 8 * n for k, n in STO.items()}, 7.8, 8, 195, 21.6, -1268.67,
                     prototype_s="26"),
    "SrTiO3-27-221": Case("oxides", BIG, 11.7, 6, 221, 2.07, -4281.76, prototype_s="115"),
    "SrTiO3-27-200": Case("oxides", BIG, 11.7, 6, 200, 53.5, -4281.76, prototype_s="limit 120"),
    "SrTiO3-27-195": Case("oxides", BIG, 11.7, 6, 195, 5263.5, -4281.76),
    "Y2O3-206": Case("oxides", YO, 10.7, 8, 206, 0.03, -2191.57, prototype_s="0.1"),
    "Y2O3-199": Case("oxides", YO, 10.7, 8, 199, 11.5, -2191.57, prototype_s="4.4"),
    "Y2O3-206-16": Case("oxides", YO, 10.7, 16, 206, 20.6, -2191.57),
    "Y2Ti2O7-227": Case("oxides", PYRO, 10.2, 8, 227, 0.008, -3093.53, prototype_s="0.0"),
    "Y2Ti2O7-227-16": Case("oxides", PYRO, 10.2, 16, 227, 0.05, -3093.53),
    "MgAl2O4-227": Case("spinel", MGO, 8.2, 8, 227, 0.001, -1620.89, prototype_s="0.0"),
    "MgAl2O4-227-16": Case("spinel", MGO, 8.2, 16, 227, 0.009, -1620.89),
    "MgAl2O4-196": Case("spinel", MGO, 8.2, 8, 196, 0.08, -1620.89, prototype_s="0.3"),
    "MgAl2O4-195": Case("spinel", MGO, 8.2, 8, 195, 5326.0, -1620.89, 20),
    "garnet-230": Case("garnet", GAR, 11.9, 16, 230, 0.26, -2199.99, prototype_s="0.0"),
    "garnet-206": Case("garnet", GAR, 11.9, 8, 206, 0.20, -2199.99, prototype_s="0.7"),
}  # fmt: skip


def field_of(name: str, *, whole: bool = False) -> ForceField | PairModel:
    """Return the published potentials, cut off as on the grids or as for relaxation."""
    if name == "garnet":
        functions = {
            pair: lambda r, p=p: (
                p[0] * ((1.0 - np.exp(-p[1] * (r - p[2]))) ** 2 - 1.0) + p[3] / r**12
            )
            for pair, p in GARNET.items()
        }
        charges = {"Ca": 1.2, "Al": 1.8, "Si": 2.4, "O": -1.2}
        return PairModel.from_functions(
            functions, cutoff=15.0, charges=charges, coulomb_constant=COULOMB, name="garnet"
        )
    terms = OXIDES if name == "oxides" else SPINEL
    return ForceField(
        CHARGES,
        {pair_key(*p): Buckingham(*v, 0.0, 12.0 if whole else 10.0) for p, v in terms.items()},
        dispersion="lattice-sum" if whole else "cutoff", coulomb_constant=COULOMB, name=name,
    )  # fmt: skip


def problem_of(case: Case) -> tuple[Problem, float]:
    """Return the problem and the CPU seconds to build it."""
    source = field_of(case.field)
    pairs = source.buckingham if isinstance(source, ForceField) else source.values
    limits = np.zeros((120, 120))
    for a in case.counts:
        for b in case.counts:
            close = 0.75 * (RADII[a] + RADII[b]) if pair_key(a, b) in pairs else 0.1
            limits[element(a).number, element(b).number] = close
    numbers = [element(s).number for s, n in case.counts.items() for _ in range(n)]
    model = source.model(numbers)
    begun = time.process_time()
    grid = Grid(np.eye(3) * case.edge, (case.grid,) * 3)
    counts = {element(s).number: n for s, n in case.counts.items()}
    problem = build_problem(model, grid, case.group, counts, limits)
    return problem, time.process_time() - begun


def best_relaxed(case: Case, problem: Problem, ranked: list) -> tuple[int, float, str]:
    """Return rank, energy and symmetry of the lowest of the arrangements after relaxation."""
    numbers = [element(s).number for s, n in case.counts.items() for _ in range(n)]
    relax = relax_with(field_of(case.field, whole=True).model(numbers), case.field)
    ends = []
    for rank, (_, chosen) in enumerate(ranked, 1):
        end = relax(problem.crystal(chosen), rng=np.random.default_rng(0))
        if end is not None:
            ends.append((round(end.energy, 2), rank, end.space_group))
    energy, rank, symmetry = min(ends, default=(np.nan, 0, ""))
    return rank, energy, symmetry


def proof_row(name: str, seconds: float) -> dict[str, Any]:
    """Prove a case by enumeration or solver, and relax its lowest arrangements."""
    case = CASES[name]
    problem, build_s = problem_of(case)
    begun = time.process_time()
    outcome = prove(problem, Limits(seconds), keep=case.keep, rng=np.random.default_rng(0))
    solve_s = time.process_time() - begun
    rank, energy, symmetry = best_relaxed(case, problem, outcome.ranked)
    return {
        "case": name, "part": "proof", "orbits": int(problem.orbits.first.size),
        "variables": problem.n_variables, "products": problem.n_products,
        "arrangements": count_arrangements(problem), "build_s": build_s, "seconds": solve_s,
        "status": outcome.status.value, "by": outcome.method, "bound": outcome.bound,
        "best": outcome.ranked[0][0] if outcome.ranked else None, "rank": rank,
        "relaxed": float(energy), "symmetry": symmetry, "memory_mb": resident_mb(),
    }  # fmt: skip


def highs_row(name: str, seconds: float) -> dict[str, Any]:
    """Solve the linear program of a case with HiGHS alone, for so many CPU seconds."""
    problem, _ = problem_of(CASES[name])
    begun, begun_cpu = time.perf_counter(), time.process_time()
    end = solve(problem, Limits(_MOST_WALL * seconds, cpu_seconds=seconds))
    return {
        "case": name, "part": "highs", "limit_s": seconds, "status": end.status.value,
        "seconds": time.process_time() - begun_cpu, "wall_s": time.perf_counter() - begun,
        "best": end.energy, "bound": end.bound, "nodes": end.nodes, "memory_mb": resident_mb(),
    }  # fmt: skip


def run(names: list[str], out: Path, seconds: float, highs: float) -> None:
    """Compute what the file lacks; a longer limit of HiGHS is tried again where it was reached."""
    rows = read(out)
    problem, _ = problem_of(CASES["Y2Ti2O7-227"])
    prove(problem, Limits(5.0), rng=np.random.default_rng(0))  # compiles the kernels
    solve(problem, Limits(5.0))  # loads the solver
    for name in names:
        done = rows.get((name, "highs"))
        if (name, "proof") not in rows:
            write(out, proof_row(name, seconds))
        late = done and done["status"] != "optimal" and done["limit_s"] < highs
        if highs and (done is None or late):
            write(out, highs_row(name, highs))


def read(out: Path) -> dict[tuple[str, str], dict[str, Any]]:
    """Return the last row of each case and part."""
    lines = out.read_text().splitlines() if out.exists() else []
    rows = [json.loads(line) for line in lines if line.endswith("}")]
    return {(row["case"], row["part"]): row for row in rows}


def write(out: Path, row: dict[str, Any]) -> None:
    """Append a row."""
    with out.open("a") as handle:
        handle.write(json.dumps(row) + "\n")
    print(json.dumps(row), flush=True)


def table(out: Path) -> None:
    """Print the rows of a file as a table."""
    rows = read(out)
    print(
        "| case | atoms | arrangements | build s | proof s | HiGHS alone s | prototype s "
        "| Gurobi s | grid eV | relaxed: rank, eV, symmetry | published eV |\n" + "|---" * 11 + "|"
    )
    for name, case in CASES.items():
        proof, highs = rows.get((name, "proof")), rows.get((name, "highs"))
        if proof is None:
            continue
        alone = ""
        if highs is not None:
            alone = f"{highs['seconds']:.2f}"
            if highs["status"] != "optimal":
                alone = f"limit {highs['limit_s']:.0f}; bound {highs['bound']:.0f}"
        print(
            f"| {name} | {sum(case.counts.values())} | {proof['arrangements']:.2g} "
            f"| {proof['build_s']:.2f} | {proof['seconds']:.3f} | {alone} | {case.prototype_s} "
            f"| {case.gurobi_s:g} | {proof['best']:.3f} | {proof['rank']}, "
            f"{proof['relaxed']:.2f}, {proof['symmetry']} | {case.relaxed:.2f} |"
        )


def main() -> None:
    """Compute or print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("what", choices=("run", "table"))
    parser.add_argument("cases", nargs="*", help="Default: all.")
    parser.add_argument("--out", type=Path, default=Path("exact-rows.jsonl"))
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--highs", type=float, default=0.0, help="CPU seconds for HiGHS alone.")
    options = parser.parse_args()
    if options.what == "table":
        table(options.out)
    else:
        run(options.cases or list(CASES), options.out, options.seconds, options.highs)


if __name__ == "__main__":
    main()
