"""``nucleate generate``: new structures without a search."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nucleate.errors import InputError

if TYPE_CHECKING:
    from typer import Typer

FAILURES_IN_A_ROW = 50


def register(app: Typer) -> None:
    """Add the command to the app."""
    app.command()(generate)


def generate(
    formula: Annotated[str, typer.Argument(help="Composition.")],
    generator: Annotated[
        list[str] | None,
        typer.Option(help="symmetric, blocks, seeds=FILES; repeat to mix. [default: a mix]"),
    ] = None,
    number: Annotated[int, typer.Option(min=1, help="How many structures.")] = 100,
    max_atoms: Annotated[int | None, typer.Option(help="Most atoms. [default: 50]")] = None,
    formula_units: Annotated[
        str | None, typer.Option(help="Formula units in a cell, like 1,2,4 or 1-4.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of all random numbers.")] = 0,
    out: Annotated[Path, typer.Option(help="File to write (extxyz).")] = Path("pool.extxyz"),
) -> None:
    """Write random structures of a composition, each valid, to an extxyz file."""
    import numpy as np

    from nucleate.cli import inputs
    from nucleate.crystal.files import write_extxyz
    from nucleate.run.predict import build_source
    from nucleate.run.settings import RunSettings

    data = {
        "problem": {
            "formula": formula,
            **inputs.given(
                max_atoms=max_atoms, formula_units=inputs.parse_formula_units(formula_units)
            ),
        },
        "search": inputs.given(
            seed=seed, generators=inputs.parse_all(inputs.parse_generator, generator)
        ),
    }
    source = build_source(RunSettings.from_dict(data))
    if out.exists():
        raise InputError(f"--out = {out} exists already. Choose another name, or remove it.")
    found, failures = 0, 0
    for draw in range(number * FAILURES_IN_A_ROW):
        rng = np.random.default_rng(np.random.SeedSequence([seed, draw]))
        candidate = source.generate(rng=rng)
        failures = failures + 1 if candidate is None else 0
        if failures == FAILURES_IN_A_ROW or found == number:
            break
        if candidate is not None:
            origin = candidate.origin
            source.note(origin)
            info = {"source": origin.source, **origin.detail}
            name = f"{source.name}-{found}"
            try:
                write_extxyz(out, [(name, candidate.crystal, info)], append=found > 0)
            except OSError as error:
                raise InputError(
                    f"--out = {out}: cannot be written ({error.strerror}). Choose another place."
                ) from error
            found += 1
    typer.echo(f"Wrote {found} structures to {out}" if found else "No valid structure was found.")
    if found < number:
        raise typer.Exit(1)
