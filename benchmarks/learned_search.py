"""Searches with and without a surrogate that learns, at equal core time.

    python benchmarks/learned_search.py run --out learned --core-time 600 --seeds 1-5
    python benchmarks/learned_search.py report --out learned

``run`` searches every composition with every seed on both sides, without known structures and with
one worker, and appends a row to ``rows.jsonl`` in the folder for each search that has used its core
time. Core time counts driver and worker, fits included. It can be interrupted at any time: a search
continues, and one that has a row is not done again. ``report`` prints, for each composition and
side, medians over the seeds of structures considered and finished, of distinct minima within 20 and
50 meV/atom of the lowest of both sides, and of the core-seconds after which the lowest was 2
meV/atom or less above it (none where it was not reached).
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

import nucleate as nc
from nucleate.run.store import Store

COMPOSITIONS = {
    "CoAs2": (12, (4,)),
    "Ca3Ti2O7": (24, (2,)),
    "YWB4": (12, (2,)),
    "Li4OBrCl": (28, (4,)),
    "WCl2": (18, (6,)),
    "Pb5As3O12Cl": (42, (2,)),
}
"""Maximum number of atoms and formula units in a cell."""

SIDES = ("plain", "learned")
WINDOWS_EV = (0.02, 0.05)
NEAR_EV = 0.002


def input_of(formula: str, seed: int, side: str, core_s: float, search: str) -> dict[str, Any]:
    """Return the input of a search."""
    most, units = COMPOSITIONS[formula]
    return {
        "problem": {"formula": formula, "max_atoms": most, "formula_units": list(units)},
        "search": {"kind": search, "seed": seed, "known": "off"},
        "stop": {"core_time": core_s},
        "surrogate": {"on": side == "learned"},
        "final": {"best": 0, "judge": "off"},
        "run": {"workers": 1},
    }


def row_of(folder: Path) -> dict[str, Any]:
    """Return what came of a finished search: minima with the core-seconds at which they came."""
    status = nc.open(folder).status()
    with Store.read(folder) as store:
        found = [
            (record.core_s, record.relaxed.enthalpy_per_atom)
            for record, update in store.records()
            if record.relaxed is not None and update.duplicate_of is None
        ]
    learned = status["surrogate"]
    considered = status["structures"]
    if learned is not None:
        considered += learned["considered"] - learned["finished"]
    return {
        "core_s": round(status["core_s"], 1),
        "finished": status["structures"],
        "considered": considered,
        "words": "" if learned is None else learned["words"],
        "minima": [(round(core_s, 2), round(energy, 6)) for core_s, energy in found],
    }


def run(args: argparse.Namespace) -> None:
    """Search, and append a row for each search that the table lacks."""
    out = Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    table = out / "rows.jsonl"
    done = {(row["formula"], row["seed"], row["side"]) for row in rows_of(table)}
    first, _, last = args.seeds.partition("-")
    for seed in range(int(first), int(last or first) + 1):
        for formula in args.formulas:
            for side in SIDES:
                if (formula, seed, side) in done:
                    continue
                folder = out / f"{formula}-{seed}-{side}"
                data = input_of(formula, seed, side, args.core_time, args.search)
                nc.predict(data, folder=folder, display=False)
                row = {"formula": formula, "seed": seed, "side": side, **row_of(folder)}
                with table.open("a", encoding="utf-8") as stream:
                    stream.write(json.dumps(row) + "\n")
                print(f"{folder.name}: {row['considered']} considered, {row['words']}", flush=True)


def rows_of(table: Path) -> list[dict[str, Any]]:
    """Return the rows so far; a line that was cut off is left out."""
    if not table.exists():
        return []
    lines = table.read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines if line.endswith("}")]


def report(args: argparse.Namespace) -> None:
    """Print medians over the seeds."""
    groups: dict[str, dict[str, list[dict[str, Any]]]] = defaultdict(lambda: defaultdict(list))
    for row in rows_of(Path(args.out) / "rows.jsonl"):
        groups[row["formula"]][row["side"]].append(row)
    heads = ("considered", "finished", "minima in 20 meV", "in 50 meV", "core s to 2 meV", "seeds")
    print("| composition | side | " + " | ".join(heads) + " |")
    print("|---" * (len(heads) + 2) + "|")
    for formula, sides in groups.items():
        lowest = min(
            energy for rows in sides.values() for row in rows for _, energy in row["minima"]
        )
        for side, rows in sides.items():
            values = np.array([_numbers(row, lowest) for row in rows])
            cells = [f"{value:.0f}" for value in np.median(values, axis=0)]
            cells[4] = "none" if cells[4] == "inf" else cells[4]
            print(f"| {formula} | {side} | " + " | ".join(cells) + f" | {len(rows)} |")


def _numbers(row: dict[str, Any], lowest: float) -> list[float]:
    minima = row["minima"]
    reached = [core_s for core_s, energy in minima if energy < lowest + NEAR_EV]
    return [
        row["considered"],
        row["finished"],
        *(sum(energy < lowest + window for _, energy in minima) for window in WINDOWS_EV),
        min(reached, default=np.inf),
    ]


def main() -> None:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    commands = parser.add_subparsers(required=True)
    searching = commands.add_parser("run")
    searching.add_argument("--out", required=True)
    searching.add_argument("--core-time", type=float, default=600.0)
    searching.add_argument("--seeds", default="1-5")
    searching.add_argument("--search", default="lowest-minima")
    searching.add_argument("--formulas", nargs="+", default=list(COMPOSITIONS))
    searching.set_defaults(action=run)
    reporting = commands.add_parser("report")
    reporting.add_argument("--out", required=True)
    reporting.set_defaults(action=report)
    args = parser.parse_args()
    args.action(args)


if __name__ == "__main__":
    main()
