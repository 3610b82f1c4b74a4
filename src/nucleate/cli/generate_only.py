"""``nucleate benchmark csp --generate-only``: candidates as they are generated."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from nucleate.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from nucleate.benchmark.csp import Entry


def generate_only(
    out: Path,
    table: Path,
    entries: Sequence[Entry],
    generators: Sequence[str] | None,
    known: Sequence[str] | None,
    library: Sequence[str] | None,
    *,
    most: int,
    seed: int,
) -> None:
    """Measure, write ``generated.jsonl`` and ``generated-summary.csv`` and print the summary."""
    from nucleate.benchmark.generate_only import hull_distances, measure, summary_rows
    from nucleate.benchmark.report import markdown_table
    from nucleate.cli.inputs import parse_generator
    from nucleate.library.hold_out import HOLD_OUTS
    from nucleate.plugins import find
    from nucleate.report.render import write_rows

    holds = list(known or ("no-formula",))
    for use in holds:
        if use not in HOLD_OUTS:
            raise InputError(f"--known = {use!r} is not one of {', '.join(HOLD_OUTS)}.")
    parsed = [parse_generator(text) for text in generators or ("prototypes",)]
    chosen = [find(item["kind"], "generators").model_validate(item) for item in parsed]
    libraries = tuple(library or ("shipped",))
    rows = measure(
        out / "generated.jsonl",
        entries,
        chosen,
        known=holds,
        library=libraries,
        most=most,
        seed=seed,
        above_hull=hull_distances(table),
        report=typer.echo,
    )
    summary = summary_rows(rows, most=most)
    write_rows(out / "generated-summary.csv", summary)
    names = ", ".join(item["kind"] for item in parsed)
    typer.echo(
        f"\nUnrelaxed candidates of {names}; known = {', '.join(holds)}; library: "
        f"{', '.join(libraries)}. Rates in per cent with 95 % intervals (Wilson).\n\n"
        f"{markdown_table(summary)}"
    )
