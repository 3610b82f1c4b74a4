"""Input that was found in a run folder may name code; whose code it is must be known.

A run folder can come from anybody. What its stored input would import or execute is used only if
the user has given it, or has said that the folder is trusted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nucleate.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

EXECUTING = ("calculator", "command", "python", "environment", "path")
"""Keys whose values are imported, executed or change what is executed."""

HARMLESS = "ase.calculators."
"""Calculators of ASE itself are trusted; a program that one of them would run is not."""


def executed(data: Any, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield keys and values of an input that name code: import paths, programs, interpreters.

    Parameters
    ----------
    data
        An input as nested dictionaries.
    prefix
        Of the keys.
    """
    if isinstance(data, list | tuple):
        for index, item in enumerate(data):
            yield from executed(item, f"{prefix}{index}.")
    elif isinstance(data, dict):
        for key, value in data.items():
            if key in EXECUTING and value and not str(value).startswith(HARMLESS):
                yield f"{prefix}{key}", str(value)
            elif isinstance(value, str) and key == "kind" and ":" in value:
                yield f"{prefix}{key}", value
            elif prefix.endswith("moves.") and ":" in key:
                yield f"{prefix}{key}", str(value)
            else:
                yield from executed(value, f"{prefix}{key}.")


def check_trusted(folder: Path, data: Any, *, trust: bool) -> None:
    """Check that the stored input of a folder may be used without the user's own.

    Raises
    ------
    InputError
        If it names code and ``trust`` is not given; the message lists what it would run.
    """
    found = [] if trust else list(executed(data))
    if found:
        from nucleate.text import label

        shown = "".join(f"\n  {label(key)} = {label(value)}" for key, value in found[:10])
        raise InputError(
            f"{folder} holds a run whose stored input would import or execute:{shown}\nGive the "
            "input file or --tier again, or add --trust if you know where the folder is from."
        )
