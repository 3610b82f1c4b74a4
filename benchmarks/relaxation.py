r"""What nucleate's batched relaxation is measured by; see docs/measurements/relaxation.md.

    python benchmarks/relaxation.py accuracy --data mp_structures.parquet
    python benchmarks/relaxation.py package      # about an hour: the package's own relaxations
    python benchmarks/relaxation.py whole        # ours, and the comparison
    python benchmarks/relaxation.py throughput --processes 2 [--staged]
    python benchmarks/relaxation.py device --device cuda:0
    python benchmarks/relaxation.py throughput --device cuda:0 --fuse --processes 14 \
        --slots 256 --count 384

Long sub-commands write JSON lines into the folder ``--out`` and go on where they were interrupted.
Set OMP_NUM_THREADS=1.
"""

from __future__ import annotations

import argparse
import json
import warnings
from pathlib import Path

import relaxation_accuracy as accuracy
import relaxation_speed as speed
from relaxation_package import relax_with_package
from relaxation_starts import Journal

SEED = 2026


def main() -> None:
    """Run one sub-command and print its result."""
    warnings.filterwarnings("ignore")
    parser = argparse.ArgumentParser(description=__doc__)
    commands = ("accuracy", "evaluation", "package", "whole", "throughput", "batches")
    parser.add_argument("command", choices=[*commands, "device", "share"])
    parser.add_argument("--out", type=Path, default=Path("runs/relaxation"))
    parser.add_argument("--data", type=Path, help="parquet file of known crystals")
    parser.add_argument("--count", type=int, default=32)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--formula", default="", help="one of the classes; default: all")
    parser.add_argument("--n-atoms", type=int, default=20)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--slots", type=int)
    parser.add_argument("--rattle", type=float, default=0.0)
    parser.add_argument("--fuse", action="store_true")
    parser.add_argument("--staged", action="store_true", help="screen, then finish")
    parser.add_argument("--ready", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    print(run(arguments))


def run(arguments: argparse.Namespace) -> str:
    """Return the text that a sub-command gives."""
    out, seed, count = arguments.out, arguments.seed, arguments.count
    rattle = arguments.rattle
    share = speed.Share(
        arguments.formula, count, seed, arguments.threads, arguments.n_atoms, arguments.device,
        arguments.slots, arguments.fuse, arguments.staged,
    )  # fmt: skip
    match arguments.command:
        case "accuracy":
            path = out / "accuracy.jsonl"
            accuracy.compare_with_package(arguments.data, 500, path, seed=seed)
            exact = accuracy.compare_with_double_precision(arguments.data, 500, path, seed=seed)
            return f"{accuracy.report_accuracy(path)}\n{exact}"
        case "evaluation":
            return accuracy.compare_cost(out / "cost.jsonl", out / "starts.jsonl", seed=seed)
        case "package":
            items = speed.headline(count, out, seed=seed)
            return f"{len(relax_with_package(items, out / 'package.jsonl'))} relaxed"
        case "whole":
            path = out / (f"nucleate-rattle-{rattle}.jsonl" if rattle else "nucleate.jsonl")
            ours = speed.relax_headline(speed.headline(count, out, seed=seed), path, rattle)
            return speed.compare_with_package(ours, Journal(out / "package.jsonl"))
        case "throughput":
            return speed.throughput(share, arguments.processes, Path(__file__))
        case "share":
            return json.dumps(speed.one_share(share, arguments.ready))
        case "batches":
            return speed.batches(seed=seed)
        case _:
            return speed.device_curve(arguments.device, seed=seed)


if __name__ == "__main__":
    main()
