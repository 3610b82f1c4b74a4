"""``nucleate potentials``: derive proxy potentials from structures, and look at them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from nucleate.potentials.spp import SppLibrary


def register(app: typer.Typer) -> None:
    """Add the command group to the application."""
    group = typer.Typer(help="Derive proxy potentials and look at them.", no_args_is_help=True)
    group.command("derive")(derive_command)
    group.command("show")(show_command)
    app.add_typer(group, name="potentials")


def derive_command(
    data: Annotated[Path, typer.Argument(help="Structures: parquet table, file or folder.")],
    out: Annotated[Path, typer.Option(help="Library to write.")] = Path("spp.npz"),
    method: Annotated[str, typer.Option(help="statistics, response or paths.")] = "paths",
    max_structures: Annotated[
        int, typer.Option(help="Maximum number of structures to learn from.")
    ] = 30_000,
    fitted: Annotated[int, typer.Option(help="Structures of a linear fit.")] = 6_000,
    held_out: Annotated[int, typer.Option(help="Structures to test on.")] = 600,
    seed: Annotated[int, typer.Option(help="Seed of all random numbers.")] = 0,
) -> None:
    """Derive a library of proxy potentials from a structure set and test it on a held-out part.

    A table with a column ``split`` is trained on its rows ``train`` and tested on ``val``; of
    anything else every tenth formula is held out.
    """
    from nucleate.errors import InputError
    from nucleate.fitting.proxy_potentials.derive import DerivationSettings, derive
    from nucleate.fitting.proxy_potentials.structures import split_samples

    if method not in {"statistics", "response", "paths"}:
        raise InputError(f"--method = {method}: use statistics, response or paths.")
    training, tested = split_samples(data)
    settings = DerivationSettings(
        method=method,  # type: ignore[arg-type]
        max_structures=max_structures,
        fitted_structures=fitted,
        held_out=held_out,
        seed=seed,
    )
    library = derive(training, tested, settings, source=data.name, report=typer.echo)
    library.save(out)
    typer.echo(f"{out}: {len(library.elements)} elements, {out.stat().st_size / 1e6:.2f} MB")


def show_command(
    pair: Annotated[str, typer.Argument(help="Two elements, like O-Ti.")],
    library: Annotated[
        Path | None, typer.Option(help="Library file; default: the shipped one.")
    ] = None,
    plot: Annotated[Path | None, typer.Option(help="Write a figure to this file.")] = None,
) -> None:
    """Show the potential of a pair in each context: table on the terminal, or a figure."""
    import numpy as np

    from nucleate.crystal.elements import element
    from nucleate.errors import InputError
    from nucleate.potentials.basis import CONTEXTS, pair_index
    from nucleate.potentials.spp import SppLibrary, shipped_library

    symbols = pair.split("-")
    if len(symbols) != 2:
        raise InputError(f"pair = {pair!r} is not two elements. Write it like O-Ti.")
    first, second = (element(symbol).number for symbol in symbols)
    chosen = SppLibrary.load(library) if library else shipped_library()
    chosen.check([first, second])
    row = pair_index(
        chosen.elements.index(first), chosen.elements.index(second), len(chosen.elements)
    )
    for context, name in enumerate(CONTEXTS):
        typer.echo(
            f"{name}: d0 = {chosen.contact[context, row]:.2f} Å, "
            f"{chosen.observed[context, row]} structures"
        )
    r = np.arange(0.5, chosen.basis.cutoff + 1e-9, 0.25)
    curves = [chosen.pair_energy(first, second, r, context=c) for c in range(len(CONTEXTS))]
    if plot is not None:
        _plot(chosen, (first, second), pair, plot)
        typer.echo(f"{plot} written")
        return
    typer.echo("r/Å    " + "  ".join(f"{name:>15}" for name in CONTEXTS) + "   (arbitrary units)")
    for k, distance in enumerate(r):
        values = "  ".join(f"{curve[k]:15.3f}" for curve in curves)
        typer.echo(f"{distance:5.2f}  {values}")


def _plot(library: SppLibrary, pair: tuple[int, int], title: str, path: Path) -> None:
    import numpy as np
    from matplotlib.figure import Figure

    from nucleate.potentials.basis import CONTEXTS

    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    r = np.linspace(0.5, library.basis.cutoff, 600)
    lowest = 0.0
    for context, name in enumerate(CONTEXTS):
        energy = library.pair_energy(*pair, r, context=context)
        lowest = min(lowest, float(energy.min()))
        axes.plot(r, energy, label=name)
    axes.set(
        xlabel="distance (Å)",
        ylabel="energy (arbitrary units)",
        title=title,
        ylim=(1.3 * lowest - 0.1, max(-2.0 * lowest, 0.5)),
    )
    axes.axhline(0.0, color="0.7", linewidth=0.8)
    axes.legend()
    figure.savefig(path, dpi=150)
