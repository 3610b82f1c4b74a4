r"""Core seconds to the known benchmark compounds under the hold-outs of known structures.

    python benchmarks/known_compounds.py run RUNS --seeds 5 --budget 120
    python benchmarks/known_compounds.py run RUNS --seeds 5 --budget 120 --known no-formula off
    python benchmarks/known_compounds.py table --budget 120

The shipped library is used; it holds none of the eleven compositions. A run ends when it has the
reference (StructureMatcher's defaults, at most 2 meV/atom above the reference as the same model
relaxes it), or when its core seconds are spent. The first match within 30 meV/atom (0.3, 0.5, 10°)
is noted as well. ``run`` continues where it was interrupted; each
run that has ended is a row of ``--rows`` (default ``benchmarks/rows/known_compounds.jsonl``).
"""

from __future__ import annotations

import argparse
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from rows import append, rows_of, run_and_table

import nucleate
from nucleate.benchmark.compounds import COMPOUNDS, reference_structure
from nucleate.benchmark.matrix import Cell
from nucleate.benchmark.references import relaxed_references
from nucleate.benchmark.report import markdown_table
from nucleate.benchmark.results import read_result
from nucleate.crystal.composition import Composition
from nucleate.run.predict import predict
from nucleate.run.settings import RunSettings
from nucleate.search.stop import TARGET_FOUND
from nucleate.signals import is_request

if TYPE_CHECKING:
    from nucleate.benchmark.compounds import Compound

USES = ("no-formula", "no-relatives", "no-prototype", "off")

NEVER = 10**6


def settings(
    compound: Compound, known: str, seed: int, budget_s: float, target: Path
) -> RunSettings:
    """Return the input of a run: the cell of the reference, one worker, no final phase."""
    reference = reference_structure(compound)
    assert reference is not None, f"{compound.name} has no reference"
    return RunSettings.from_dict(
        {
            "problem": {
                "formula": compound.name,
                "formula_units": [
                    Composition.from_formula(compound.name).formula_units_of(reference.numbers)
                ],
                "max_atoms": reference.n_atoms,
            },
            "search": {"seed": seed, "known": known},
            "stop": {
                "without_improvement": NEVER,
                "core_time": budget_s,
                "target": str(target),
            },
            "final": {"best": 0, "judge": "off"},
            "run": {"workers": 1},
        }
    )


def folder_of(out: Path, compound: Compound, known: str, seed: int) -> Path:
    """Return the run folder."""
    return out / known / f"{compound.name}-{seed}"


def run(arguments: argparse.Namespace) -> None:
    """Run every compound under every hold-out, one seed after the other."""
    targets = resources.files("nucleate.benchmark").joinpath("data/targets")
    done = {key_of(row) for row in rows_of(arguments.rows)}
    for seed in range(arguments.seeds):
        for known in arguments.known:
            for compound in filter(lambda item: item.is_known, COMPOUNDS):
                row: dict[str, Any] = {"compound": compound.name, "known": known, "seed": seed}
                row["budget_s"] = arguments.budget
                if key_of(row) in done:
                    continue
                folder = folder_of(arguments.out, compound, known, seed)
                with resources.as_file(targets.joinpath(f"{compound.name}.cif")) as target:
                    wanted = settings(compound, known, seed, arguments.budget, target)
                    reason = predict(wanted, folder).reason
                print(f"{compound.name} {known} seed {seed}: {reason}", flush=True)
                if is_request(reason):
                    return
                row["reached"] = reason == TARGET_FOUND
                row["core_s"] = round(float(nucleate.open(folder).status()["core_s"]), 1)
                append(arguments.rows, row | matched(arguments.out, compound, known, seed))


def matched(out: Path, compound: Compound, known: str, seed: int) -> dict[str, Any]:
    """Return when the first structure within 30 meV/atom of the reference matched it, and its gap.

    As in the other benchmarks (0.3, 0.5, 10°), whatever remains between the energies.
    """
    relaxed = relaxed_references(out, [{"name": "chgnet"}])[compound.name]
    cell = Cell(compound.name, known, seed)
    hit = read_result(folder_of(out, compound, known, seed), cell, relaxed).hit
    if hit is None:
        return {"matched_s": None, "matched_mev": None}
    gap = hit.energy_ev_per_atom - relaxed.energy_ev_per_atom
    return {"matched_s": round(hit.core_s, 1), "matched_mev": round(1000.0 * gap, 1)}


def key_of(row: dict[str, Any]) -> tuple[Any, ...]:
    """Return what tells one run from others."""
    return tuple(row[key] for key in ("compound", "known", "seed", "budget_s"))


def _shown(times: list[float]) -> str:
    if not times:
        return "not run"
    found = sorted(time for time in times if np.isfinite(time))
    if not found:
        return f"0 of {len(times)}"
    middle = float(np.median(times))
    median = f"{middle:.0f} s" if np.isfinite(middle) else "not reached"
    return f"{len(found)} of {len(times)}, {median} ({found[0]:.0f}-{found[-1]:.0f})"


def show(arguments: argparse.Namespace) -> None:
    """Print runs that found the reference, median core seconds and their range."""
    for head, time_of in (("strict", reached_s), ("match", matched_s)):
        rows: list[dict[str, Any]] = []
        for compound in filter(lambda item: item.is_known, COMPOUNDS):
            row: dict[str, Any] = {f"compound ({head})": compound.name}
            for known in USES:
                row[known] = _shown(
                    [
                        time_of(item)
                        for item in rows_of(arguments.rows)
                        if (item["compound"], item["known"]) == (compound.name, known)
                        and item["budget_s"] == arguments.budget
                    ]
                )
            rows.append(row)
        print(markdown_table(rows), end="\n\n")


def reached_s(row: dict[str, Any]) -> float:
    """Return core seconds to a match at most 2 meV/atom above the reference; inf if never."""
    return float(row["core_s"]) if row["reached"] else np.inf


def matched_s(row: dict[str, Any]) -> float:
    """Return core seconds to a match within 30 meV/atom; inf if never."""
    return np.inf if row["matched_s"] is None else float(row["matched_s"])


def main() -> None:
    """Run a sub-command."""
    parser, searching, reporting = run_and_table(__doc__, run, show, "known_compounds.jsonl")
    for command in (searching, reporting):
        command.add_argument("--budget", type=float, default=120.0, help="core seconds")
    searching.add_argument("out", type=Path)
    searching.add_argument("--seeds", type=int, default=5)
    searching.add_argument("--known", nargs="+", choices=USES, default=USES)
    arguments = parser.parse_args()
    arguments.action(arguments)


if __name__ == "__main__":
    main()
