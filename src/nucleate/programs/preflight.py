"""What can be found wrong with an external program before a search, in seconds."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from nucleate.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nucleate.programs.settings import ExternalSettings


def check_system(kind: str) -> None:
    """Refuse a system that has no process groups, by which a command is ended with its children.

    Raises
    ------
    InputError
        On Windows.
    """
    if not hasattr(os, "killpg"):
        raise InputError(
            f"engine.kind = {kind!r}: external programs cannot be supervised on this system. Run "
            "nucleate on Linux or macOS for this tier; on Windows use the Windows Subsystem for "
            "Linux."
        )


def missing_programs(engine: ExternalSettings, example: str) -> Iterator[str]:
    """Yield what keeps the command from being started.

    Parameters
    ----------
    engine
        Settings with the command.
    example
        Value of ``command`` for the line to add.
    """
    words = engine.words()
    path = engine.environment.get("PATH")
    candidates = words[:1] + [word for word in words[1:] if _is_program(word, words)]
    for word in candidates:
        if shutil.which(word, path=path) is None:
            yield (
                f"command = {engine.command!r}: the program {word!r} is not found. Install it or "
                f"add its place to the engine: command = {example!r}"
            )


def missing_scratch(engine: ExternalSettings) -> Iterator[str]:
    """Yield why the scratch folder cannot be used."""
    if engine.scratch is None:
        return
    folder = Path(engine.scratch)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f".nucleate-{id(engine)}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        yield (
            f"scratch = {engine.scratch!r} cannot be written to ({error.strerror}). Add a folder "
            "of your own to the engine: scratch = '/path/to/scratch'"
        )


def _is_program(word: str, words: list[str]) -> bool:
    """Return whether a word of a command such as ``mpirun -n 4 vasp_std`` is the program."""
    return word == words[-1] and not word.startswith("-") and not word.isdigit()
