"""``nucleate generate``: new structures without a search."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nucleate.errors import InputError

if TYPE_CHECKING:
    from typer import Typer

    from nucleate import Candidate
    from nucleate.api.generate import RankedPool


def register(app: Typer) -> None:
    """Add the command to the app."""
    app.command()(generate)


def generate(
    formula: Annotated[str, typer.Argument(help="Composition.")],
    generator: Annotated[
        list[str] | None,
        typer.Option(
            help="Repeat to mix: symmetric, blocks, seeds=FILES, pool=FILES, and all that "
            "`nucleate plugins generators` lists. [default: a mix]"
        ),
    ] = None,
    number: Annotated[int, typer.Option(min=1, help="How many structures.")] = 100,
    max_atoms: Annotated[
        int | None, typer.Option(help="Maximum number of atoms. [default: 50]")
    ] = None,
    formula_units: Annotated[
        str | None, typer.Option(help="Formula units in a cell, like 1,2,4 or 1-4.")
    ] = None,
    space_groups: Annotated[
        str | None, typer.Option(help="Numbers of the allowed space groups, like 62,221 or 1-2.")
    ] = None,
    sites: Annotated[
        list[str] | None,
        typer.Option(
            help="Of wyckoff-language, repeat for several elements: letters of all orbits of an "
            "element, like Sr=b."
        ),
    ] = None,
    keep: Annotated[
        Path | None,
        typer.Option(help="Of wyckoff-language: file of a part that every structure has."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of all random numbers.")] = 0,
    ranking: Annotated[
        str | None,
        typer.Option(
            help="Ranking of graph-search: network, spp or single-point (CHGNet). "
            "[default: network]"
        ),
    ] = None,
    out: Annotated[Path, typer.Option(help="File to write (extxyz).")] = Path("pool.extxyz"),
) -> None:
    """Write structures of a composition, each valid, to an extxyz file.

    With ``--generator graph-search`` alone, --number is how many are evaluated for each number of
    formula units, and the ranked pool of the best distinct ones is written. Other generators that
    stand alone make --number candidates; what they cannot make comes from the default mix, or
    with --space-groups from symmetric. With --sites or --keep nothing else is mixed in.
    """
    from nucleate import api
    from nucleate.api.display import Stages
    from nucleate.api.generate import makes_a_pool
    from nucleate.cli import inputs

    generators = inputs.parse_all(inputs.parse_generator, generator)
    generators = inputs.with_what_is_given(generators, sites, keep)
    limits: dict[str, Any] = {
        "max_atoms": max_atoms,
        "formula_units": inputs.parse_formula_units(formula_units),
        "space_groups": inputs.parse_space_groups(space_groups),
        "seed": seed,
        "report": Stages(),
    }
    if out.exists():
        raise InputError(f"--out = {out} exists already. Choose another name, or remove it.")
    alone = generators[0] if generators is not None and len(generators) == 1 else None
    if alone is not None and makes_a_pool(alone["kind"]):
        search = alone | {"number": number, "ranking": ranking or "network"}
        _write_pool(api.generate_pool(formula, search, **limits), out)
        return
    if ranking is not None:
        raise InputError(
            f"--ranking = {ranking!r} is for a pool of --generator graph-search alone. Leave it "
            "out, or name that generator and no other."
        )
    found = api.generate(formula, generators, n=number, **limits)
    if found:
        _write(found, out)
    typer.echo(_account(found, out) if found else "No valid structure found.")
    if len(found) < number:
        raise typer.Exit(1)


def _account(found: list[Candidate], out: Path) -> str:
    sources = Counter(candidate.origin.source for candidate in found)
    counts = ", ".join(f"{name} {count:,}" for name, count in sources.most_common())
    return f"Wrote {len(found)} structures to {out}: {counts}."


def _write(found: list[Candidate], out: Path) -> None:
    from nucleate.api.generate import write_candidates

    _check_writable(out)
    write_candidates(out, found)


def _write_pool(generator: RankedPool, out: Path) -> None:
    """Write the whole pool of the graph search with its provenance, and where the time went."""
    from nucleate.api.generate import write_pool

    _check_writable(out)
    members = generator.members
    write_pool(out, generator)
    account = generator.account
    evaluated = ", ".join(f"Z = {units}: {count:,}" for units, count in account.found.items())
    typer.echo(f"Evaluated {evaluated} valid crystals of {account.proposals:,} proposed.")
    spent = ", ".join(f"{stage} {seconds:.1f} s" for stage, seconds in account.seconds.items())
    typer.echo(f"Processor time: {spent}.")
    typer.echo(f"Wrote {len(members)} distinct structures to {out}, the best first.")
    if not members:
        raise typer.Exit(1)


def _check_writable(out: Path) -> None:
    try:
        out.touch()
    except OSError as error:
        raise InputError(
            f"--out = {out}: cannot be written ({error.strerror}). Choose another place."
        ) from error
