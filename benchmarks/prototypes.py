r"""How often substitution into known structures has the right one, before anything is relaxed.

    python benchmarks/prototypes.py library TABLE.parquet --out train.nlib
    python benchmarks/prototypes.py run TABLE.parquet --library train.nlib --out small.jsonl
    python benchmarks/prototypes.py run TABLE.parquet --library train.nlib --out large.jsonl \
        --atoms 21 52 --number 300
    python benchmarks/prototypes.py run TABLE.parquet --library train.nlib --out sized.jsonl \
        --same-size
    python benchmarks/prototypes.py table small.jsonl
    python benchmarks/prototypes.py time TABLE.parquet --library train.nlib

Targets are drawn from the ``val`` split, the library is built from the ``train`` split alone, and
no formula is in both. ``run`` continues where it was interrupted. With ``--same-size`` the number
of atoms of the target is given, as in published match rates of generative models.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nucleate.benchmark.generate_only import read_rows, space_of
from nucleate.benchmark.metrics import (
    LOOSE,
    Reference,
    crmse,
    match_at,
    mean_displacement,
    metre,
    pooled_displacements,
)
from nucleate.benchmark.rates import ON_HULL, by_rank, matches
from nucleate.crystal.composition import Composition
from nucleate.crystal.crystal import Crystal
from nucleate.crystal.space import SearchSpace
from nucleate.library.build import MATERIALS_PROJECT, build_library
from nucleate.library.geometry import describe
from nucleate.library.library import Library

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

Row = dict[str, Any]
HEADINGS = ["targets", "n", "@1", "@5", "@20", "fit @1", "fit @20", "tight @1", "tight @20", "rms",
            "METRe", "cRMSE"]  # fmt: skip
COLUMNS = ["material_id", "split", "formula", "natoms", "lattice", "species", "frac_coords",
           "e_above_hull", "mp20"]  # fmt: skip


def build(arguments: argparse.Namespace) -> None:
    """Build the library of the train split."""
    header = build_library(
        [arguments.table], arguments.out, splits=["train"], provenance=MATERIALS_PROJECT
    )
    print(json.dumps(header, indent=1))


def targets(table: Path, atoms: tuple[int, int], number: int, seed: int) -> list[Row]:
    """Draw targets of the val split with this many atoms."""
    import pyarrow.parquet

    rows = [
        row
        for row in pyarrow.parquet.read_table(table, columns=COLUMNS).to_pylist()
        if row["split"] == "val" and atoms[0] <= row["natoms"] <= atoms[1]
    ]
    order = np.random.default_rng(seed).permutation(len(rows))[:number]
    return [rows[k] for k in order]


def crystal_of(row: Row) -> Crystal:
    """Return the crystal of a row."""
    return Crystal(
        np.array(row["species"]),
        np.array(row["lattice"]).reshape(3, 3),
        np.array(row["frac_coords"]).reshape(-1, 3),
    )


def measured(library: Library, row: Row, known: str, most: int, *, same_size: bool) -> Row:
    """Return which of the candidates match the target, and how well."""
    crystal = crystal_of(row)
    described = describe(crystal)
    label = described.proto.label if described else ""
    space = space_of(crystal, same_size=same_size)
    begin = time.process_time()
    candidates = library.candidates(
        space.composition, space, known=known, most=most, prototypes=frozenset([label])
    )
    seconds = time.process_time() - begin
    reference = Reference(crystal)
    found = matches(reference, [candidate.crystal for candidate in candidates])
    fits = [
        int(rank) for rank in found["loose"] if reference.fits(candidates[int(rank) - 1].crystal)
    ]
    derived = [c.detail.get("derived", "") for c in candidates]
    return {
        "name": row["material_id"],
        "known": known,
        "formula": row["formula"],
        "atoms": crystal.n_atoms,
        "elements": len(space.composition.items),
        "above_hull": row["e_above_hull"],
        "in_mp20": row["mp20"] is not None,
        "in_library": label in library.prototype_places,
        "candidates": len(candidates),
        "seconds": round(seconds, 4),
        **found,
        "fits": fits,
        "derived": {str(k + 1): how for k, how in enumerate(derived) if how},
    }


def run(arguments: argparse.Namespace) -> None:
    """Measure every target under every hold-out, one line of the file for each."""
    library = Library.load([arguments.library])
    done = set()
    if arguments.out.exists():
        done = {(r["name"], r["known"]) for r in read_rows(arguments.out)}
    rows = targets(arguments.table, tuple(arguments.atoms), arguments.number, arguments.seed)
    with arguments.out.open("a", encoding="utf-8") as stream:
        for known in arguments.known:
            for row in rows:
                if (row["material_id"], known) not in done:
                    found = measured(
                        library, row, known, arguments.most, same_size=arguments.same_size
                    )
                    stream.write(json.dumps(found) + "\n")
                    stream.flush()
            print(report(r for r in read_rows(arguments.out) if r["known"] == known), flush=True)


def report(rows: Iterable[Row]) -> str:
    """Return a Markdown table of the rows: all, and by hull distance, size and elements."""
    rows = list(rows)
    parts: list[tuple[str, Callable[[Row], bool]]] = [
        ("all", bool),
        ("in MP-20", lambda row: row["in_mp20"]),
        ("in MP-20, 2 or 3 elements", lambda row: row["in_mp20"] and row["elements"] in (2, 3)),
        ("2 or 3 elements", lambda row: row["elements"] in (2, 3)),
        ("on the hull", lambda row: row["above_hull"] is not None and row["above_hull"] <= ON_HULL),
        ("off the hull", lambda row: row["above_hull"] is not None and row["above_hull"] > ON_HULL),
        ("hull distance not known", lambda row: row["above_hull"] is None),
    ]
    for low, high in ((1, 5), (6, 10), (11, 20), (21, 30), (31, 52)):
        parts.append((f"{low}-{high} atoms", lambda r, a=low, b=high: a <= r["atoms"] <= b))
    parts += [(f"{n} elements", lambda row, n=n: row["elements"] == n) for n in (1, 2, 3, 4)]
    parts += [("5 or more elements", lambda row: row["elements"] >= 5)]
    lines = [
        f"| {' | '.join(HEADINGS)} |",
        "|---" * len(HEADINGS) + "|",
    ]
    for name, keep in parts:
        some = [row for row in rows if keep(row)]
        if some:
            lines.append(f"| {name} | {len(some)} | {' | '.join(_measures(some))} |")
    return "\n".join(lines) + "\n" + _derived_share(rows)


def _measures(rows: list[Row]) -> list[str]:
    loose, tight = by_rank(rows, "loose"), by_rank(rows, "tight")
    first = [min(found, default=None) for found in loose]
    first_tight = [min(found, default=None) for found in tight]
    first_fit = [min(row["fits"], default=None) for row in rows]
    at_one = [found.get(1) for found in loose]
    pooled = pooled_displacements([row["formula"] for row in rows], loose, 1)
    return [
        *(str(match_at(first, k)) for k in (1, 5, 20)),
        *(str(match_at(first_fit, k)) for k in (1, 20)),
        str(match_at(first_tight, 1)),
        str(match_at(first_tight, 20)),
        f"{mean_displacement(at_one):.3f}",
        f"{100 * metre(pooled).value:.1f}",
        f"{crmse(pooled, LOOSE):.3f}",
    ]


def _derived_share(rows: list[Row]) -> str:
    first: Counter[str] = Counter()
    only: Counter[str] = Counter()
    for row in rows:
        ranks = sorted(int(k) for k in row["loose"] if int(k) <= 20)
        ways = [row["derived"].get(str(k), "") for k in ranks]
        if ways:
            first[ways[0] or "substitution"] += 1
            if all(ways):
                only[ways[0]] += 1
    mean = np.mean([row["seconds"] for row in rows]) if rows else 0.0
    return (
        f"First match within 20 by source: {_listed(first)}. Matched by derived prototypes alone: "
        f"{_listed(only)}. Processor time for the candidates of a target: {1000 * mean:.0f} ms.\n"
    )


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.most_common()) or "none"


def show(arguments: argparse.Namespace) -> None:
    """Print the tables of a file, one for each hold-out."""
    rows = read_rows(arguments.file)
    for known in dict.fromkeys(row["known"] for row in rows):
        print(f"\nknown = {known}\n")
        print(report(row for row in rows if row["known"] == known))


def measure_time(arguments: argparse.Namespace) -> None:
    """Time loading, 20 candidates of a composition, and naming."""
    begin = time.perf_counter()
    library = Library.load([arguments.library])
    library.similarity  # noqa: B018 - read now
    print(f"load: {time.perf_counter() - begin:.3f} s")
    rows = targets(arguments.table, (1, 20), arguments.number, arguments.seed)
    crystals = [crystal_of(row) for row in rows]
    spaces = [SearchSpace.create(Composition.from_numbers(c.numbers)) for c in crystals]
    library.candidates(spaces[0].composition, spaces[0], known="no-formula", most=20)
    spent = []
    for space in spaces:
        begin = time.process_time()
        library.candidates(space.composition, space, known="no-formula", most=20)
        spent.append(time.process_time() - begin)
    print(f"20 candidates: median {1e3 * np.median(spent):.1f} ms, 95 % "
          f"{1e3 * np.quantile(spent, 0.95):.1f} ms, most {1e3 * max(spent):.1f} ms")  # fmt: skip
    begin = time.process_time()
    for crystal in crystals:
        library.identify(crystal)
    print(f"identify {len(crystals)} structures: {time.process_time() - begin:.1f} s")


def main() -> None:
    """Run a sub-command."""
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(required=True)
    building = commands.add_parser("library")
    building.add_argument("table", type=Path)
    building.add_argument("--out", type=Path, required=True)
    building.set_defaults(run=build)
    running = commands.add_parser("run")
    running.add_argument("table", type=Path)
    running.add_argument("--library", type=Path, required=True)
    running.add_argument("--out", type=Path, required=True)
    running.add_argument("--atoms", type=int, nargs=2, default=(1, 20))
    running.add_argument("--number", type=int, default=1000)
    running.add_argument("--most", type=int, default=20)
    running.add_argument("--known", nargs="+", default=["no-formula", "no-relatives"])
    running.add_argument("--seed", type=int, default=0)
    running.add_argument("--same-size", action="store_true")
    running.set_defaults(run=run)
    shown = commands.add_parser("table")
    shown.add_argument("file", type=Path)
    shown.set_defaults(run=show)
    timed = commands.add_parser("time")
    timed.add_argument("table", type=Path)
    timed.add_argument("--library", type=Path, required=True)
    timed.add_argument("--number", type=int, default=1000)
    timed.add_argument("--seed", type=int, default=0)
    timed.set_defaults(run=measure_time)
    arguments = parser.parse_args()
    arguments.run(arguments)


if __name__ == "__main__":
    main()
