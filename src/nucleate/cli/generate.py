"""``nucleate generate``: new structures without a search."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nucleate.errors import InputError

if TYPE_CHECKING:
    from typer import Typer

    from nucleate.generate.mix import GeneratorMix
    from nucleate.run.settings import RunSettings

FAILURES_IN_A_ROW = 50


def register(app: Typer) -> None:
    """Add the command to the app."""
    app.command()(generate)


def generate(
    formula: Annotated[str, typer.Argument(help="Composition.")],
    generator: Annotated[
        list[str] | None,
        typer.Option(
            help="symmetric, blocks, graph-search, seeds=FILES, pool=FILES; repeat to mix. "
            "[default: a mix]"
        ),
    ] = None,
    number: Annotated[int, typer.Option(min=1, help="How many structures.")] = 100,
    max_atoms: Annotated[
        int | None, typer.Option(help="Maximum number of atoms. [default: 50]")
    ] = None,
    formula_units: Annotated[
        str | None, typer.Option(help="Formula units in a cell, like 1,2,4 or 1-4.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of all random numbers.")] = 0,
    ranking: Annotated[
        str, typer.Option(help="Ranking of graph-search: network, spp or single-point (CHGNet).")
    ] = "network",
    out: Annotated[Path, typer.Option(help="File to write (extxyz).")] = Path("pool.extxyz"),
) -> None:
    """Write structures of a composition, each valid, to an extxyz file.

    With ``--generator graph-search`` alone, --number is how many are evaluated for each number of
    formula units, and the ranked pool of the best distinct ones is written.
    """
    import numpy as np

    from nucleate.cli import inputs
    from nucleate.cli.stages import Stages
    from nucleate.crystal.files import write_extxyz
    from nucleate.run.predict import build_source
    from nucleate.run.settings import RunSettings as Settings

    data: dict[str, dict[str, Any]] = {
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
    generators = data["search"].get("generators", [])
    alone = len(generators) == 1 and generators[0]["kind"] == "graph-search"
    if alone:
        generators[0] |= {"number": number, "ranking": ranking}
    settings = Settings.from_dict(data)
    source = build_source(settings, report=Stages())
    if out.exists():
        raise InputError(f"--out = {out} exists already. Choose another name, or remove it.")
    if alone:
        _write_pool(settings, source, out)
        return
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


def _write_pool(settings: RunSettings, source: GeneratorMix, out: Path) -> None:
    """Write the whole pool of the graph search with its provenance, and where the time went."""
    from nucleate.generate.graph_search.generator import GraphSearchGenerator
    from nucleate.generate.pool_files import write_pool

    generator = source.generators[0]
    if not isinstance(generator, GraphSearchGenerator):
        raise InputError(
            f"the graph network cannot serve {settings.problem.formula}. Use --generator symmetric "
            "or --generator blocks."
        )
    try:
        out.touch()
    except OSError as error:
        raise InputError(
            f"--out = {out}: cannot be written ({error.strerror}). Choose another place."
        ) from error
    members = generator.members
    write_pool(out, members, name=generator.name)
    account = generator.account
    evaluated = ", ".join(f"Z = {units}: {count:,}" for units, count in account.found.items())
    typer.echo(f"Evaluated {evaluated} valid crystals of {account.proposals:,} proposed.")
    spent = ", ".join(f"{stage} {seconds:.1f} s" for stage, seconds in account.seconds.items())
    typer.echo(f"Processor time: {spent}.")
    typer.echo(f"Wrote {len(members)} distinct structures to {out}, the best first.")
    if not members:
        raise typer.Exit(1)
