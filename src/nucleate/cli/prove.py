"""``nucleate prove``: the lowest arrangement on grids, with a proof."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nucleate.errors import InputError

if TYPE_CHECKING:
    from typer import Typer

    from nucleate.api.prove import Certificate, Event, ScanResult

PLAIN_WIDTH = 160
MAX_ROWS = 40


def register(app: Typer) -> None:
    """Add the command to the app."""
    app.command()(prove)


def prove(
    formula: Annotated[str | None, typer.Argument(help="Composition, such as SrTiO3.")] = None,
    force_field: Annotated[
        Path | None, typer.Option(help="Force field: TOML, or a GULP library.")
    ] = None,
    pairs: Annotated[Path | None, typer.Option(help="Tabulated pair energies: TOML.")] = None,
    proxy: Annotated[bool, typer.Option("--proxy", help="The shipped proxy potentials.")] = False,
    cell: Annotated[
        str | None, typer.Option(help="Cell: a, or 'a b c', or 'a b c alpha beta gamma' (Å, °).")
    ] = None,
    space_group: Annotated[
        list[int] | None, typer.Option(help="Space group; repeat it for several.")
    ] = None,
    grid: Annotated[
        str | None, typer.Option(help="Points along each vector, such as 8x8x8.")
    ] = None,
    z: Annotated[int | None, typer.Option("--z", help="Formula units in the given cell.")] = None,
    lattice: Annotated[
        str | None, typer.Option(help="Only decorate a lattice: fcc, bcc, hcp, sc, or a file.")
    ] = None,
    fit: Annotated[
        str | None,
        typer.Option(help="Fit a cluster expansion of the lattice to this model, such as chgnet."),
    ] = None,
    fit_structures: Annotated[
        int, typer.Option(help="Small decorations of the lattice that --fit relaxes, at least.")
    ] = 130,
    max_atoms: Annotated[
        int, typer.Option(help="Maximum number of atoms in the primitive cell.")
    ] = 14,
    keep: Annotated[int, typer.Option(help="Arrangements of each grid to prove and relax.")] = 3,
    contacts: Annotated[
        float, typer.Option(help="Factor on the minimum distances between elements.")
    ] = 1.0,
    limit: Annotated[float, typer.Option(help="Seconds for each grid.")] = 60.0,
    time_limit: Annotated[float, typer.Option("--time", help="Seconds for all.")] = 1800.0,
    memory_mb: Annotated[float, typer.Option(help="Memory of the solver in MB.")] = 4000.0,
    seed: Annotated[int, typer.Option(help="Of the annealing.")] = 0,
    relax: Annotated[
        str | None,
        typer.Option(help="Relax the ten best with this model as well, such as chgnet."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder; the same command continues. [prove-FORMULA]")
    ] = None,
    check: Annotated[
        Path | None, typer.Option(help="Verify this certificate by other means instead.")
    ] = None,
) -> None:
    """Find the lowest arrangement of atoms on grids, and prove that nothing on them is lower.

    Without --cell, cells of the expected volume, grids of about 1 Å and likely space groups are
    scanned, cheap ones first.
    """
    if check is not None:
        given = (formula, force_field, pairs, cell, space_group, grid, z, lattice, fit, relax, out)
        if proxy or any(value is not None for value in given):
            raise InputError(
                "--check takes a certificate and --limit alone. Leave formula and options out."
            )
        _check(check, limit)
        return
    if formula is None:
        raise InputError("formula is missing. Give one such as SrTiO3, or --check FILE.")
    for name, value in (("--limit", limit), ("--time", time_limit), ("--memory-mb", memory_mb),
                        ("--contacts", contacts), ("--keep", keep),
                        ("--fit-structures", fit_structures)):  # fmt: skip
        if not value > 0:
            raise InputError(f"{name} = {value:g}: give a number above 0.")
    from nucleate.api.inputs import reduced_formula
    from nucleate.api.prove import prove as search

    folder = out or Path(f"prove-{reduced_formula(formula)}")
    with _Watcher() as watch:
        result = search(
            formula,
            force_field=force_field,
            pairs=pairs,
            proxy=proxy,
            lattice=lattice,
            fit=fit,
            fit_structures=fit_structures,
            folder=folder,
            on_event=watch,
            on_note=typer.echo,
            cell=None if cell is None else _cell(cell),
            groups=tuple(space_group or ()),
            grid=None if grid is None else _grid(grid),
            formula_units=z,
            max_atoms=max_atoms,
            keep=keep,
            contacts=contacts,
            limit_s=limit,
            time_s=time_limit,
            memory_mb=memory_mb,
            seed=seed,
        )
    _print_result(result, folder)
    if relax is not None and result.relaxed:
        _relax_best(result, relax, folder)


def _cell(text: str) -> tuple[float, ...]:
    try:
        values = [float(part) for part in text.replace(",", " ").split()]
    except ValueError:
        values = []
    if len(values) == 1:
        values *= 3
    if len(values) == 3:
        values += [90.0] * 3
    if len(values) != 6:
        raise InputError(f"--cell = {text!r}: give a, or 'a b c', or 'a b c alpha beta gamma'.")
    return tuple(values)


def _grid(text: str) -> tuple[int, int, int]:
    parts = text.lower().split("x")
    if len(parts) == 1:
        parts *= 3
    if len(parts) != 3 or not all(part.isdigit() and int(part) > 0 for part in parts):
        raise InputError(f"--grid = {text!r}: give whole numbers such as 8 or 8x8x6.")
    return int(parts[0]), int(parts[1]), int(parts[2])


class _Watcher:
    """One line on a terminal that shows the progress; nothing elsewhere."""

    def __enter__(self) -> _Watcher:
        self._live = sys.stderr.isatty()
        self._last = ""
        return self

    def __exit__(self, *_: object) -> None:
        self._show("")

    def __call__(self, event: Event) -> None:
        if event.kind == "progress" and event.progress is not None:
            p = event.progress
            self._show(
                f"{event.task}: {p.seconds:.0f} s, bound {p.bound:.4f}, best {p.best:.4f}, "
                f"gap {p.gap:.4f}, {p.nodes} nodes"
            )
        elif event.kind in ("survey", "proof"):
            self._show(f"{event.kind} {event.done} of {event.total}: {event.task}")

    def _show(self, text: str) -> None:
        if self._live:
            sys.stderr.write(
                "\r" + text[:110].ljust(len(self._last[:110])) + ("" if text else "\r")
            )
            sys.stderr.flush()
            self._last = text


def _print_result(result: ScanResult, folder: Path) -> None:
    from rich.console import Console
    from rich.table import Table

    from nucleate.api.prove import proof_row, summary

    certificate: Certificate = result.certificate
    console = Console(
        highlight=False, markup=False, width=None if sys.stdout.isatty() else PLAIN_WIDTH
    )
    unit = "eV/atom" if certificate.model.unit == "eV" else "arbitrary units per atom"
    proofs = sorted(certificate.proofs, key=_order)
    if proofs:
        table = Table(box=None, pad_edge=False, title=f"bound, best, gap, relaxed: {unit}")
        rows = [proof_row(proof) for proof in proofs[:MAX_ROWS]]
        for head in rows[0]:
            table.add_column(head, justify="right")
        for row in rows:
            table.add_row(*row.values())
        console.print(table)
        if len(proofs) > MAX_ROWS:
            console.print(f"... and {len(proofs) - MAX_ROWS} more in the certificate.")
    console.print(f"{certificate.model.name}: {summary(certificate)}")
    for line in certificate.not_covered:
        console.print(f"Not covered: {line}")
    if result.relaxed:
        best = result.relaxed[0]
        console.print(
            f"Best relaxed: {best.energy / len(best.symbols):.5f} {unit}, {best.space_group}, "
            f"{len(best.symbols)} atoms; {folder / 'best.cif'}"
        )
    console.print(f"Certificate: {folder / 'certificate.json'} ({result.seconds:.0f} s)")


def _relax_best(result: ScanResult, model: str, folder: Path) -> None:
    """Relax the best structures with another model, print and write them by their new order."""
    from nucleate.api.prove import relax_arrangements

    written, tried = relax_arrangements(result, model, folder)
    for end, symbol, path in written:
        typer.echo(
            f"{end.level.model}: {end.energy_per_atom:.5f} {end.level.unit}/atom, "
            f"{symbol}, {end.crystal.n_atoms} atoms; {path}"
        )
    if len(written) < tried:
        typer.echo(f"{tried - len(written)} of {tried} relaxations with {model} failed.")


def _order(proof: Any) -> tuple[float, float]:
    atoms = sum(proof.counts.values())
    return (proof.best / atoms if proof.best is not None else float("inf"), proof.solve_s)


def _check(path: Path, seconds: float) -> None:
    from nucleate.api.prove import check_certificate

    verdicts = []
    for verdict in check_certificate(path, seconds=seconds):
        verdicts.append(verdict)
        if verdict.problems:
            typer.echo(f"REFUSED {verdict.name}: {'; '.join(verdict.problems)}")
        elif not verdict.accepted:
            typer.echo(
                f"OPEN    {verdict.name}: all energies and orbits are right, the bound was not "
                f"verified in {seconds:g} s"
            )
        else:
            typer.echo(f"right   {verdict.name} (bound: {verdict.bound}, {verdict.seconds:.1f} s)")
    refused = sum(bool(verdict.problems) for verdict in verdicts)
    accepted = sum(verdict.accepted for verdict in verdicts)
    typer.echo(f"{accepted} of {len(verdicts)} proofs are verified, {refused} are refused.")
    if accepted < len(verdicts):
        raise typer.Exit(1)
