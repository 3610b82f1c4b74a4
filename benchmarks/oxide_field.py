r"""The field SrO-Y2O3-TiO2 with a Buckingham force field: its hull, and four published minima.

    python benchmarks/oxide_field.py run --out FOLDER --core-time 30m
    python benchmarks/oxide_field.py table --out FOLDER

``run`` is ``nucleate map`` with the force field of Zamaraeva et al., Digital Discovery 2, 1831
(2023), cells of up to 50 atoms and no known structures, not even those of the end members. It
continues. ``table`` compares the lowest structures of the four compositions of that paper with its
minima, and lists the stable compositions.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from policies import TARGETS, field_file

import nucleate as nc
from nucleate.benchmark.report import markdown_table

SYSTEM = "SrO-Y2O3-TiO2"
LARGEST_CELL = 50


def run(arguments: argparse.Namespace) -> None:
    """Search the field, or continue."""
    arguments.out.mkdir(parents=True, exist_ok=True)
    nc.map(
        {
            "field": {"system": SYSTEM, "max_atoms": LARGEST_CELL, "references": []},
            "tier": [
                {
                    "name": "force-field",
                    "engine": {"kind": "force-field", "file": field_file(arguments.out)},
                }
            ],
            "search": {"known": "off", "seed": arguments.seed},
            "stop": {"core_time": arguments.core_time},
            "run": {"workers": 1},
        },
        folder=folder_of(arguments),
        display=False,
    )
    table(arguments)


def table(arguments: argparse.Namespace) -> None:
    """Print what was found."""
    found = nc.open(folder_of(arguments))
    status = found.status()
    print({key: status[key] for key in ("stop_reason", "structures", "core_s") if key in status})
    lines = []
    for formula, energy in TARGETS.items():
        lowest = found.run(formula).top(1)
        gap = round(1000.0 * (lowest[0].relaxed.energy_per_atom - energy), 1) if lowest else ""
        lines.append({"compound": formula, "lowest minus published, meV/atom": gap})
    print(markdown_table(lines))
    stable = [row for row in found.rows if row.state == "stable"]
    print("stable: " + ", ".join(f"{row.formula} ({row.n_structures})" for row in stable))


def folder_of(arguments: argparse.Namespace) -> Path:
    """Return the folder of the map of a seed."""
    return arguments.out / f"{SYSTEM}-{arguments.seed}"


def main() -> None:
    """Run a sub-command."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    commands = parser.add_subparsers(required=True)
    for name, action in (("run", run), ("table", table)):
        command = commands.add_parser(name)
        command.add_argument("--out", type=Path, required=True)
        command.add_argument("--seed", type=int, default=0)
        command.add_argument("--core-time", default="30m")
        command.set_defaults(action=action)
    arguments = parser.parse_args()
    arguments.action(arguments)


if __name__ == "__main__":
    main()
