"""Everything that nucleate's batched relaxation is measured by; see docs/explanation/relaxation.md.

    python benchmarks/relaxation.py accuracy --data mp_structures.parquet
    python benchmarks/relaxation.py package      # about an hour: the package's own relaxations
    python benchmarks/relaxation.py whole        # ours, and the comparison
    python benchmarks/relaxation.py racing
    python benchmarks/relaxation.py device --device cuda:0 --hourly 6000

Long sub-commands write JSON lines into the folder ``--out`` and go on where they were interrupted.
Set OMP_NUM_THREADS=1.
"""

from __future__ import annotations

import argparse
import json
import warnings
from pathlib import Path

import relaxation_accuracy as accuracy
import relaxation_racing as racing
import relaxation_speed as speed
from relaxation_package import relax_with_package
from relaxation_starts import Journal

SEED = 2026


def main() -> None:
    """Run one sub-command and print its result."""
    warnings.filterwarnings("ignore")
    parser = argparse.ArgumentParser(description=__doc__)
    commands = ("accuracy", "evaluation", "package", "whole", "throughput", "batches", "racing")
    parser.add_argument("command", choices=[*commands, "device", "share"])
    parser.add_argument("--out", type=Path, default=Path("runs/relaxation"))
    parser.add_argument("--data", type=Path, help="parquet file of known crystals")
    parser.add_argument("--count", type=int, default=32)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--formula", default="SrTiO3")
    parser.add_argument("--device", default="torch-cpu")
    parser.add_argument("--hourly", type=float, default=0.0)
    arguments = parser.parse_args()
    print(run(arguments))


def run(arguments: argparse.Namespace) -> str:
    """Return the text that a sub-command gives."""
    out, seed, count = arguments.out, arguments.seed, arguments.count
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
            ours = speed.relax_headline(
                speed.headline(count, out, seed=seed), out / "nucleate.jsonl"
            )
            return speed.compare_with_package(ours, Journal(out / "package.jsonl"))
        case "throughput":
            script = Path(__file__)
            return speed.throughput(
                count, arguments.processes, arguments.threads, script, seed=seed
            )
        case "share":
            result = speed.one_share(arguments.formula, count, seed, {}, arguments.threads)
            return json.dumps(result)
        case "batches":
            return speed.batches(seed=seed)
        case "racing":
            path = out / "paths.jsonl"
            racing.record(48, path, seed=7)
            return racing.report_racing(path)
        case _:
            path = out / "device.jsonl"
            return speed.device_curve(
                arguments.device, path, seed=seed, hour_on_cpu=arguments.hourly
            )


if __name__ == "__main__":
    main()
