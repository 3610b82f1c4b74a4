"""``nucleate map``: a phase field and its convex hull."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nucleate import InputError

if TYPE_CHECKING:
    from typer import Typer

    from nucleate.api.map import MapPreview

SHOWN = 25


def register(app: Typer) -> None:
    """Add the command to the app."""
    app.command(name="map")(map_field)


def map_field(
    field: Annotated[
        str,
        typer.Argument(
            help="Elements such as Y-Sr-Ti-O, end members such as Li2O-SiO2-LiCl, or an input "
            "file such as field.toml."
        ),
    ],
    time: Annotated[
        str | None,
        typer.Option(
            help="Stop after this time, like 10m or 2h: known compounds and search; loading models "
            "and compilation do not count."
        ),
    ] = None,
    core_time: Annotated[
        str | None,
        typer.Option(help="Stop after this processor time of driver and workers, like 20m."),
    ] = None,
    structures: Annotated[
        int | None, typer.Option(help="Stop after this number of structures of all compositions.")
    ] = None,
    change: Annotated[
        float | None,
        typer.Option(
            help="Stop when the hull is expected to change by less, in meV/atom. [default: 1]"
        ),
    ] = None,
    oxidation: Annotated[
        list[str] | None,
        typer.Option(help="Charge of an element, or several: Sn=2,4; repeat it for others."),
    ] = None,
    free: Annotated[
        bool, typer.Option("--free", help="Compositions need not be charge-neutral (alloys).")
    ] = False,
    window: Annotated[
        list[str] | None,
        typer.Option(
            help="Limit such as '0.1 < x(Li) < 0.4'; may be repeated. Replaces those of an earlier "
            "start; none: no limit."
        ),
    ] = None,
    line: Annotated[
        list[str] | None, typer.Option(help="Line to add, such as SrO-TiO2; may be repeated.")
    ] = None,
    point: Annotated[
        list[str] | None, typer.Option(help="Composition of interest to add; may be repeated.")
    ] = None,
    max_ratio: Annotated[
        int | None, typer.Option(help="Largest ratio of two counts in a formula. [default: 6]")
    ] = None,
    max_formula: Annotated[
        int | None, typer.Option(help="Maximum number of atoms in a formula unit of the grid.")
    ] = None,
    max_atoms: Annotated[
        int | None, typer.Option(help="Maximum number of atoms in a cell. [default: 24]")
    ] = None,
    reference: Annotated[
        list[str] | None,
        typer.Option(
            help="Known compounds: shipped, a library, a folder of structure files, or JSON of "
            "the Materials Project; may be repeated. Added to those of an existing map. [default: "
            "shipped]"
        ),
    ] = None,
    known: Annotated[
        str | None,
        typer.Option(
            help="Known structures that may be used: all, no-formula, no-relatives or off. "
            "[default: all]"
        ),
    ] = None,
    library: Annotated[
        list[str] | None,
        typer.Option(
            help="Library of known structures: shipped, or a file (.nlib); repeat it. "
            "[default: shipped]"
        ),
    ] = None,
    allocation: Annotated[
        str | None,
        typer.Option(help="Which composition is next: hull, equal or random. [default: hull]"),
    ] = None,
    tier: Annotated[
        list[str] | None,
        typer.Option(help="Energy model; repeat it, cheapest first: chgnet, spp, ase=MODULE:NAME."),
    ] = None,
    generator: Annotated[
        list[str] | None, typer.Option(help="Source of structures as in predict; may be repeated.")
    ] = None,
    pressure: Annotated[float | None, typer.Option(help="Pressure in GPa.")] = None,
    polish: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Best structures of each composition near the hull that are relaxed tightly at "
            "the end. [default: 0]",
        ),
    ] = None,
    judge: Annotated[
        str | None,
        typer.Option(help="Second model that judges the hull at the end, such as sevennet."),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of all random numbers.")] = None,
    workers: Annotated[
        int | None, typer.Option(help="Worker processes. [default: one per core]")
    ] = None,
    executor: Annotated[
        str | None,
        typer.Option(
            help="Who starts workers: a file of nucleate cluster init, or a kind. [default: local]"
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the map. [default: nucleate-map-FIELD]")
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            help="List the compositions, check all that the map needs, and search nothing.",
        ),
    ] = False,
    trust: Annotated[
        bool,
        typer.Option("--trust", help="Run programs and modules that the folder's input names."),
    ] = False,
) -> None:
    """Search a phase field: many compositions, their convex hull, and what to make next.

    On a folder that holds a map already, the map is continued. Each composition is a run in
    FOLDER/compositions, which every other command opens.
    """
    from nucleate.api import map as maps
    from nucleate.cli import inputs
    from nucleate.cli.output import export_at_end
    from nucleate.cli.waiting import end_waiting

    keys = {
        "oxidation_states": parse_oxidation(oxidation),
        "neutral": False if free else None,
        "windows": window or None,
        "lines": line or None,
        "points": point or None,
        "max_ratio": max_ratio,
        "max_atoms_per_formula": max_formula,
        "max_atoms": max_atoms,
        "references": reference or None,
        "pressure_gpa": pressure,
        "model": inputs.parse_all(inputs.parse_tier, tier),
        "generators": inputs.parse_all(inputs.parse_generator, generator),
        "known": known,
        "library": library,
        "seed": seed,
        "allocation": allocation,
        "time": time,
        "core_time": core_time,
        "structures": structures,
        "expected_change_mev": change,
        "polish": polish,
        "judge": judge,
        "workers": workers,
        "executor": executor,
        "folder": out,
        "trust": trust,
    }
    if dry_run:
        _print_preview(maps.preview_map(field, **keys))
        return
    end_waiting()
    found = maps.map_field(field, **keys, display=maps.live_or_lines())
    facts = found.status()
    typer.echo(map_table(facts))
    if rest := export_at_end(found):
        typer.echo(rest)
    typer.echo(f"Stopped: {facts['stop_reason']}. Results: {found.folder}")
    if facts["structures"] and facts["structures"] == facts["failed"]:
        typer.echo("Error: no structure has an energy; all that were tried failed.", err=True)
        raise typer.Exit(1)


def parse_oxidation(texts: list[str] | None) -> dict[str, list[int] | int] | None:
    """Return oxidation states from ``Sn=2,4``; raises InputError for anything else."""
    if not texts:
        return None
    states: dict[str, list[int] | int] = {}
    for text in texts:
        symbol, _, values = text.partition("=")
        try:
            numbers = [int(value) for value in values.split(",")]
            if not symbol.strip():
                raise ValueError
        except ValueError:
            raise InputError(
                f"--oxidation = {text!r} is not an element with charges. Write it like Sn=2,4 or "
                "O=-2."
            ) from None
        if symbol.strip() in states:
            raise InputError(
                f"--oxidation = {text!r} names {symbol.strip()} once more. Give all of its charges "
                "in one option, like Sn=2,4."
            )
        states[symbol.strip()] = numbers[0] if len(numbers) == 1 else numbers
    return states


def map_table(facts: dict[str, object]) -> str:
    """Return the state of a map as text."""
    from nucleate.api.map import table_text

    return table_text(facts)


def _print_preview(preview: MapPreview) -> None:
    from nucleate.api import map as maps

    field, settings = preview.field, preview.settings
    kind = "charge-neutral compositions" if field.is_neutral else "compositions"
    corners = ", ".join(member.formula for member in field.members)
    typer.echo(
        f"{field.system}: {len(field.inner)} {kind} of at most {field.max_atoms_per_formula} "
        f"atoms in a formula unit, besides the corners {corners}"
    )
    for item, origin in zip(field.inner, field.origins[len(field.members) :], strict=True):
        note = "" if origin == "grid" else f"  ({origin})"
        typer.echo(f"{item.formula}{note}")
    for text in (*preview.changes, *maps.empty_lines(settings.field)):
        typer.echo(text)
    typer.echo(f"references: {preview.references.in_words()}")
    tiers = ", then ".join(tier.name for tier in settings.tier)
    judge = "none" if preview.judge is None else preview.judge.name
    typer.echo(f"tiers: {tiers}; second model: {judge}; nothing that they need is missing")
