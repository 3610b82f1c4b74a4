r"""Searches with and without a surrogate that learns, at equal core time.

    python benchmarks/learned_search.py run --out learned --core-time 100 --seeds 1-5
    python benchmarks/learned_search.py table --out learned
    python benchmarks/learned_search.py run --out mixed --rows mixed.jsonl --core-time 60 \
        --seeds 1 --mixed
    python benchmarks/learned_search.py table --out mixed --rows mixed.jsonl

``run`` searches the eight compositions with every seed on both sides, without known structures and
with one worker. The sides take turns in being first. A row is appended to ``--rows`` (default
``benchmarks/rows/learned_search.jsonl``) for each search that has used its core time, which is
``--core-time`` times the factor of the composition. Core time is processor time of driver and
worker, fits included. It can be interrupted at any time: a search continues, and one that has a row
is not done again. A row keeps the minima within 0.1 eV/atom of the lowest of the search, and each
that was the lowest when found.

``table`` prints, as Markdown: for each composition and side the medians over the seeds of
structures considered and finished, of distinct minima within 20 and 50 meV/atom of the lowest of
all, and of the core-seconds to the reference or 2 meV/atom above it; the ratio of these times
(where one side did not come there, all its core time counts); and how many seeds had come there
after a quarter, half and all of the core time, with Wilson's intervals; and the errors of fits near
minima by how much they had learned, with medians, least and largest. References are relaxed by
CHGNet as in a search; where there is none, the lowest of all runs takes its place. As a search may
not come there, a second ratio compares the times to what both sides of a seed have reached in the
end (the higher of their lowest, and 2 meV/atom above).

``--mixed`` draws random structures of 20 atoms of the three classes of ``benchmarks/relaxation.py``
instead, half of each from both of its generators: how many can be considered in an hour.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from relaxation_starts import CLASSES
from rows import KEPT, append, rows_of

import nucleate as nc
from nucleate.benchmark.compounds import compound_named, reference_structure
from nucleate.benchmark.references import relaxed_structures
from nucleate.benchmark.report import markdown_table
from nucleate.benchmark.statistics import wilson_interval
from nucleate.crystal.files import read_crystals
from nucleate.run.listed_files import FileCrystal
from nucleate.run.store import Store


@dataclass(frozen=True, slots=True)
class Entry:
    """A composition: largest cell, formula units, and core time in units of ``--core-time``."""

    max_atoms: int
    units: int
    factor: float = 1.0


ENTRIES = {
    "CoAs2": Entry(12, 4, 0.6),
    "Ca3Ti2O7": Entry(24, 2, 0.9),
    "YWB4": Entry(12, 2, 2.0),
    "Li4OBrCl": Entry(28, 4, 2.0),
    "WCl2": Entry(18, 6, 0.6),
    "Pb5As3O12Cl": Entry(42, 2, 1.2),
    "K2RbHoV2O8": Entry(14, 1, 0.6),
    "Si6Al6B3Fe3NaO30F": Entry(50, 1, 3.0),
}
"""Seven compositions of the benchmark, of which the last is tourmaline, and one of five elements,
mp-1211709: a stable entry of the validation split of the Materials Project structures, chosen among
its eleven of five elements and at most 20 atoms before anything was searched."""

MIXED = {formula: Entry(20, 4) for formula in CLASSES.values()}
GENERATORS = [{"kind": "blocks"}, {"kind": "symmetric"}]

FIVE = Path(__file__).with_name("K2RbHoV2O8.cif")
SIDES = ("plain", "learned")
WINDOWS_EV = (0.02, 0.05)
NEAR_EV = 0.002
KEPT_EV = 0.1
"""eV/atom above the lowest, up to which a row keeps minima."""
GAP_EV = 0.3
"""eV/atom: a minimum that lies further below the next one is an unphysical one of CHGNet and is
left out (WCl2, without a surrogate, had one 0.74 eV/atom below all others)."""
NEVER = 10**9
"""Structures without a new lowest one after which a search ends: it uses its core time."""
LEARNED = (0, 200, 300, 500, 1000, NEVER)
"""Evaluations learned, between which errors of fits are put together."""
PARTS = (0.25, 0.5, 1.0)
"""Of the core time, at which success is counted."""


def main() -> None:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    commands = parser.add_subparsers(required=True)
    searching = commands.add_parser("run")
    searching.add_argument("--out", type=Path, required=True)
    searching.add_argument("--core-time", type=float, default=100.0)
    searching.add_argument("--seeds", default="1-5")
    searching.add_argument("--search", default="lowest-minima")
    searching.add_argument("--mixed", action="store_true")
    searching.add_argument("--formulas", nargs="+", choices=list(ENTRIES), default=list(ENTRIES))
    searching.set_defaults(action=run)
    reporting = commands.add_parser("table")
    reporting.add_argument("--out", type=Path, required=True)
    reporting.set_defaults(action=table)
    for command in (searching, reporting):
        command.add_argument("--rows", type=Path, default=KEPT / "learned_search.jsonl")
    args = parser.parse_args()
    args.action(args)


def run(args: argparse.Namespace) -> None:
    """Search, and append a row for each search that the table lacks."""
    args.out.mkdir(parents=True, exist_ok=True)
    done = {(row["formula"], row["seed"], row["side"]) for row in rows_of(args.rows)}
    first, _, last = args.seeds.partition("-")
    for seed in range(int(first), int(last or first) + 1):
        for place, formula in enumerate(MIXED if args.mixed else args.formulas):
            for side in SIDES if (seed + place) % 2 else SIDES[::-1]:
                if (formula, seed, side) in done:
                    continue
                folder = args.out / f"{formula}-{seed}-{side}"
                core_s = args.core_time * (MIXED | ENTRIES)[formula].factor
                data = input_of(formula, seed, side, core_s, args.search)
                nc.predict(data, folder=folder, display=False)
                row = {"formula": formula, "seed": seed, "side": side, **row_of(folder)}
                if row["core_s"] < 0.9 * core_s:
                    raise SystemExit(f"{folder.name}: interrupted. The same command continues.")
                append(args.rows, row)
                print(f"{folder.name}: {row['considered']} considered, {row['words']}", flush=True)


def input_of(formula: str, seed: int, side: str, core_s: float, search: str) -> dict[str, Any]:
    """Return the input of a search."""
    entry = (MIXED | ENTRIES)[formula]
    data: dict[str, Any] = {
        "problem": {
            "formula": formula, "max_atoms": entry.max_atoms, "formula_units": [entry.units]
        },
        "search": {"kind": search, "seed": seed, "known": "off"},
        "stop": {"core_time": core_s, "without_improvement": NEVER},
        "surrogate": {"on": side == "learned"},
        "final": {"best": 0, "judge": "off"},
        "run": {"workers": 1},
    }  # fmt: skip
    if formula in MIXED:
        data["search"] |= {"generators": GENERATORS, "new_fraction": 1.0}
    return data


def row_of(folder: Path) -> dict[str, Any]:
    """Return what came of a finished search: minima with the core-seconds at which they came."""
    status = nc.open(folder).status()
    with Store.read(folder) as store:
        found = physical(
            [
                (record.core_s, record.relaxed.enthalpy_per_atom)
                for record, update in store.records()
                if record.relaxed is not None and update.duplicate_of is None
            ]
        )
    learned = status["surrogate"]
    considered = status["structures"]
    if learned is not None:
        considered += learned["considered"] - learned["finished"]
    return {
        "core_s": round(status["core_s"], 1),
        "finished": status["structures"],
        "considered": considered,
        "fits_core_s": 0.0 if learned is None else round(learned["fits_core_s"], 2),
        "decisions": {} if learned is None else learned["decisions"],
        "store_mb": round(sum(f.stat().st_size for f in folder.glob("run.db*")) / 1e6, 2),
        "words": "" if learned is None else learned["words"],
        "curve": [] if learned is None else curve(learned["fits"]),
        "minima": [(round(core_s, 2), round(energy, 6)) for core_s, energy in kept(found)],
    }


def curve(fits: list[dict[str, Any]]) -> list[tuple[int, float, float | None]]:
    """Return evaluations learned, error near minima in meV/atom and rank correlation there."""
    return [
        (fit["frames"], round(fit["error_mev_per_atom"], 2), fit["spearman"])
        for fit in fits
        if fit["error_mev_per_atom"] is not None
    ]


def physical(minima: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return the minima without those far below all others."""
    energies = sorted(energy for _, energy in minima)
    while len(energies) > 1 and energies[1] - energies[0] > GAP_EV:
        energies.pop(0)
    return [item for item in minima if item[1] >= energies[0]]


def kept(minima: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return the minima that a table needs: low ones, and each that was the lowest so far."""
    most = min((energy for _, energy in minima), default=np.inf) + KEPT_EV
    lowest, found = np.inf, []
    for core_s, energy in minima:
        if energy < lowest or energy < most:
            found.append((core_s, energy))
        lowest = min(lowest, energy)
    return found


def references(out: Path, formulas: list[str]) -> dict[str, float]:
    """Return the energies of the references in eV/atom; they are relaxed once."""
    file = out / "references.json"
    known = json.loads(file.read_text()) if file.exists() else {}
    for formula in formulas:
        if formula in known:
            continue
        crystal = None
        if formula == FIVE.stem:
            crystal = read_crystals(FIVE)[0][1]
        elif formula not in MIXED:
            crystal = reference_structure(compound_named(formula))
        known[formula] = None
        if crystal is not None:
            items = [FileCrystal(formula, formula, crystal)]
            [found] = relaxed_structures(out / "references" / formula, items, [{"name": "chgnet"}])
            known[formula] = found.energy_ev_per_atom
    file.write_text(json.dumps(known))
    return {formula: energy for formula, energy in known.items() if energy is not None}


def table(args: argparse.Namespace) -> None:
    """Print the tables."""
    groups: dict[str, dict[int, dict[str, Any]]] = defaultdict(lambda: defaultdict(dict))
    for row in rows_of(args.rows):
        groups[row["formula"]][row["seed"]][row["side"]] = row
    both = {
        formula: pairs
        for formula, seeds in groups.items()
        if (pairs := [pair for pair in seeds.values() if len(pair) == len(SIDES)])
    }
    known = references(args.out, list(both))
    found, times, ratios = [], [], []
    for formula, pairs in both.items():
        lowest = min(energy_of(row) for pair in pairs for row in pair.values())
        target = known.get(formula, lowest) + NEAR_EV
        found += [counts(formula, side, pairs, lowest, known) for side in SIDES]
        times += [successes(formula, side, pairs, target) for side in SIDES]
        ratios.append(compared(formula, pairs, target))
    curves = [learning(formula, pairs) for formula, pairs in both.items()]
    print(*map(markdown_table, (found, times, ratios, curves)), sep="\n\n")


def energy_of(row: dict[str, Any]) -> float:
    """Return the lowest energy of a search in eV/atom."""
    return min((energy for _, energy in row["minima"]), default=np.inf)


def reached(row: dict[str, Any], level: float) -> float:
    """Return the core-seconds until a search was at or below a level; inf if it never was."""
    return min((core_s for core_s, energy in row["minima"] if energy <= level), default=np.inf)


def counts(
    formula: str, side: str, pairs: list[dict[str, Any]], lowest: float, known: dict[str, float]
) -> dict[str, Any]:
    """Return medians of what one side has found."""
    rows = [pair[side] for pair in pairs]
    row: dict[str, Any] = {"composition": formula, "side": side, "seeds": len(rows)}
    for key in ("core_s", "considered", "finished"):
        row[key.replace("_", " ")] = f"{np.median([item[key] for item in rows]):.0f}"
    rates = [7200.0 * item["considered"] / item["core_s"] for item in rows]
    row["considered per hour on two cores"] = f"{np.median(rates):.0f}"
    for window in WINDOWS_EV:
        near = [sum(energy < lowest + window for _, energy in item["minima"]) for item in rows]
        row[f"within {1e3 * window:.0f} meV/atom"] = f"{np.median(near):.0f}"
    best = 1e3 * (np.median([energy_of(item) for item in rows]) - known.get(formula, lowest))
    row["lowest, meV/atom from the reference"] = f"{best:.1f}" + ("" if formula in known else " *")
    return row


def successes(
    formula: str, side: str, pairs: list[dict[str, Any]], target: float
) -> dict[str, Any]:
    """Return how many seeds came to the target by parts of the core time."""
    times = [reached(pair[side], target) for pair in pairs]
    row: dict[str, Any] = {"composition": formula, "side": side}
    for part in PARTS:
        count = sum(
            time <= part * pair[side]["core_s"] for time, pair in zip(times, pairs, strict=True)
        )
        low, high = wilson_interval(count, len(times))
        row[f"by {part:.0%} of the time"] = f"{count}/{len(times)} ({low:.2f} to {high:.2f})"
    middle = np.median(times)
    row["median core-s"] = f"{middle:.0f}" if np.isfinite(middle) else "not reached"
    return row


def compared(formula: str, pairs: list[dict[str, Any]], target: float) -> dict[str, Any]:
    """Return the ratios of core-seconds, without a surrogate over with one, over the seeds."""
    to_target, to_both = [], []
    for pair in pairs:
        rows = [pair[side] for side in SIDES]
        times = [min(reached(item, target), item["core_s"]) for item in rows]
        if min(reached(item, target) for item in rows) < np.inf:
            to_target.append(times[0] / times[1])
        level = max(energy_of(item) for item in rows) + NEAR_EV
        first, second = (reached(item, level) for item in rows)
        to_both.append(first / second)
    return {
        "composition": formula,
        "times faster to the reference": spread(to_target),
        "seeds": len(to_target),
        "times faster to what both reach": spread(to_both),
        "seeds ": len(to_both),
    }


def learning(formula: str, pairs: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the medians of the errors near minima by how many evaluations were learned."""
    points = [point for pair in pairs for point in pair["learned"].get("curve", [])]
    row: dict[str, Any] = {"composition": formula}
    for low, high in pairwise(LEARNED):
        near = [error for frames, error, _ in points if low <= frames < high]
        head = f"{low} to {high - 1}" if high < NEVER else f"{low} and more"
        row[head] = f"{np.median(near):.0f} ({min(near):.0f} to {max(near):.0f})" if near else ""
    ranks = [rank for *_, rank in points if rank is not None]
    row["ρ"] = f"{np.median(ranks):.2f}" if ranks else ""
    return row


def spread(values: list[float]) -> str:
    """Return a median with the least and the largest value."""
    if not values:
        return "neither side came there"
    return f"{np.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


if __name__ == "__main__":
    main()
