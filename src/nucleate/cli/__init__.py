"""The command line: parse, call, print.

Each command is a module with a function ``register(app)``; what is slow to import is imported
inside the command.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING

from nucleate import __version__

if TYPE_CHECKING:
    from typer import Typer

COMMANDS = (
    "predict",
    "init",
    "check",
    "status",
    "export",
    "refine",
    "import_results",
    "generate",
    "identify",
    "library",
    "prove",
    "relax",
    "potentials",
    "presets",
    "train",
    "benchmark",
    "schema",
)
"""Modules of this package, in the order of ``nucleate --help``."""

INPUT_ERROR_STATUS = 2


def main() -> None:
    """Run the command line; exit status 2 for an input that cannot be used, 1 for a failure."""
    from nucleate.errors import InputError, NucleateError

    try:
        build_app()()
    except InputError as error:
        print(f"Error: {error}", file=sys.stderr)  # noqa: T201
        sys.exit(INPUT_ERROR_STATUS)
    except NucleateError as error:
        print(f"Error: {error}", file=sys.stderr)  # noqa: T201
        sys.exit(1)


def build_app() -> Typer:
    """Return the typer app with all commands."""
    import typer

    app = typer.Typer(
        name="nucleate",
        help="Predict the crystal structures of an inorganic composition.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )

    @app.callback(invoke_without_command=True)
    def show_version(
        version: bool = typer.Option(False, "--version", help="Print the version and exit."),
    ) -> None:
        if version:
            typer.echo(f"nucleate {__version__}")
            raise typer.Exit

    for name in COMMANDS:
        import_module(f"nucleate.cli.{name}").register(app)
    return app
