"""Everything that nucleate's batched relaxation is measured by; see docs/explanation/relaxation.md.

    python benchmarks/relaxation.py package --out runs/relaxation

Each sub-command writes JSON lines into the folder ``--out`` and goes on where it was interrupted.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from relaxation_package import relax_with_package
from relaxation_starts import headline_starts

SEED = 2026


def package(arguments: argparse.Namespace) -> None:
    """Relax the headline starts with the chgnet package's StructOptimizer."""
    items = headline_starts(arguments.count, arguments.out / "starts.jsonl", seed=SEED)
    relax_with_package(items, arguments.out / "package.jsonl")


def main() -> None:
    """Run one sub-command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("command", choices=["package"])
    parser.add_argument("--out", type=Path, default=Path("runs/relaxation"))
    parser.add_argument("--count", type=int, default=32)
    arguments = parser.parse_args()
    {"package": package}[arguments.command](arguments)


if __name__ == "__main__":
    main()
