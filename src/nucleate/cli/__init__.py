"""The command line: parse, call, print.

Each command is a module with a function ``register(app)``; what is slow to import is imported
inside the command.
"""

from __future__ import annotations

import logging
import os
import sys
import warnings
from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING, NoReturn

from nucleate import __version__

if TYPE_CHECKING:
    from typer import Typer

COMMANDS = (
    "predict",
    "map",
    "init",
    "check",
    "status",
    "watch",
    "policy",
    "surrogate",
    "export",
    "merge",
    "refine",
    "import_results",
    "generate",
    "identify",
    "compare",
    "phonons",
    "library",
    "prove",
    "relax",
    "potentials",
    "presets",
    "plugins",
    "cluster",
    "train",
    "benchmark",
    "schema",
    "doctor",
)
"""Modules of this package, in the order of ``nucleate --help``."""

INPUT_ERROR_STATUS = 2


def main() -> None:
    """Run the command line; exit status 2 for an input that cannot be used, 1 for a failure."""
    from nucleate.cli.waiting import begin_waiting, end_waiting
    from nucleate.signals import Interrupted, answering_signals, interruption
    from nucleate.surroundings import fit_surroundings, too_few_addresses

    fit_surroundings()
    if len(sys.argv) > 1 and (trouble := too_few_addresses()):
        _say(f"Error: {trouble}")
        sys.exit(1)
    warnings.formatwarning = _plain_warning
    status = 0
    begin_waiting()
    try:
        with answering_signals():
            status = _run()
    except (Interrupted, Exception) as error:
        number = interruption()
        if not number:
            raise
        _end_interrupted(number, error)
    finally:
        end_waiting()
    sys.exit(status)


def _plain_warning(message: Warning | str, *_: object, **__: object) -> str:
    """Return a warning as a sentence: the line of code that gave it means nothing to a user."""
    from nucleate.text import clean

    return f"Warning: {clean(str(message))}\n"


def _end_interrupted(number: int, error: BaseException) -> NoReturn:
    """Say that the command was stopped, and end without the long way out of all libraries."""
    from nucleate.signals import words_of

    del error  # what a library makes of an interruption is of no interest
    _say(f"Stopped: {words_of(number)}. The same command continues where it keeps a folder.")
    with suppress(OSError, ValueError, AttributeError):
        sys.stdout.flush()
    os._exit(128 + number)


def _run() -> int:
    """Run a command; return its exit status."""
    from nucleate.errors import InputError, NucleateError
    from nucleate.trouble import machine_trouble, start_trouble

    try:
        build_app()(standalone_mode=True)
    except InputError as error:
        _say(f"Error: {error}")
        return INPUT_ERROR_STATUS
    except NucleateError as error:
        _say(f"Error: {error}")
        return 1
    except BrokenPipeError:
        return _without_stdout()
    except Exception as error:
        if isinstance(error, RuntimeError) and (trouble := start_trouble(error)):
            _say(f"Error: {trouble}")
            return 1
        trouble = machine_trouble(error)
        if not trouble:
            raise
        _say(f"Error: {trouble}. Make room; nothing that was written is lost.")
        return 1
    return 0


def _without_stdout() -> int:
    """Nobody reads the output any longer: end without a word, as `head` expects."""
    with suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return 1


def _say(text: str) -> None:
    from nucleate.text import clean

    with suppress(OSError, ValueError, AttributeError):
        print(clean(text), file=sys.stderr, flush=True)  # noqa: T201


def _log(level: int) -> None:
    """Write what the package logs from this level on to standard error."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(name)s: %(message)s", "%H:%M:%S"))
    logger = logging.getLogger("nucleate")
    logger.addHandler(handler)
    logger.setLevel(level)


def build_app() -> Typer:
    """Return the typer app with all commands."""
    import typer

    app = typer.Typer(
        name="nucleate",
        help="Predict the crystal structures of an inorganic composition.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )

    @app.callback(invoke_without_command=True)
    def show_version(
        version: bool = typer.Option(False, "--version", help="Print the version and exit."),
        verbose: int = typer.Option(
            0, "--verbose", "-v", count=True, help="Log to standard error; twice for details."
        ),
    ) -> None:
        if verbose:
            _log(logging.INFO if verbose == 1 else logging.DEBUG)
        if version:
            typer.echo(f"nucleate {__version__}")
            raise typer.Exit

    for name in COMMANDS:
        import_module(f"nucleate.cli.{name}").register(app)
    return app
