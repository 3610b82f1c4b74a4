"""Input that was found in a run folder may name code; whose code it is must be known.

A run folder can come from anybody. What its stored input would import or execute is used only if
the user has given it, or has said that the folder is trusted.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nucleate.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

EXECUTING = (
    "calculator", "command", "python", "environment", "path", "function", "worker_init",
    "scheduler_options",
)  # fmt: skip
"""Keys whose values are imported, executed or change what is executed."""

IMPORTED = ("kind", "model")
"""Keys whose values are imported where they are written ``module:name``."""

REMEDY = (
    "Give the input file (in Python: the settings) or --tier again, or add --trust (in Python: "
    "trust=True) if you know where the folder is from."
)


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
            if key in EXECUTING and value:
                yield f"{prefix}{key}", str(value)
            elif isinstance(value, str) and key in IMPORTED and ":" in value:
                yield f"{prefix}{key}", value
            elif prefix.endswith("moves.") and ":" in key:
                yield f"{prefix}{key}", str(value)
            else:
                yield from executed(value, f"{prefix}{key}.")


def own_mark(data: Any) -> str:
    """Return what shows that this user has given an input; empty if it names no code.

    It is made with a key that never leaves the user's home, so that nobody else can make it.
    """
    key = _own_key() if any(executed(data)) else b""
    text = json.dumps(data, sort_keys=True).encode()
    return hmac.new(key, text, hashlib.sha256).hexdigest() if key else ""


def is_own(data: Any, mark: object) -> bool:
    """Return whether a mark is that of this user for an input."""
    expected = own_mark(data)
    return bool(expected) and isinstance(mark, str) and hmac.compare_digest(expected, mark)


def _own_key() -> bytes:
    """Return the key of this user, made when it is first wanted; empty if it cannot be kept."""
    home = os.environ.get("XDG_STATE_HOME")
    with suppress(OSError, RuntimeError):
        folder = (Path(home) if home else Path.home() / ".local" / "state") / "nucleate"
        path = folder / "key"
        if not path.exists():
            folder.mkdir(parents=True, exist_ok=True)
            with suppress(FileExistsError):
                number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
                with os.fdopen(number, "wb") as stream:
                    stream.write(secrets.token_bytes(32))
        key = path.read_bytes()
        return key if len(key) == 32 else b""
    return b""


def began_by_user(folder: Path) -> bool:
    """Return whether this user began the run of a folder; True where there is none."""
    from nucleate.run.store import Store

    if not Store.exists(folder):
        return True
    with Store.read(folder) as store:
        meta = store.meta
    return is_own(meta["input"], meta.get("mark"))


def check_trusted(folder: Path, data: Any, *, trust: bool, remedy: str = REMEDY) -> None:
    """Check that the stored input of a folder may be used without the user's own.

    Parameters
    ----------
    folder
        The run folder.
    data
        What is used of its input.
    trust
        Whether it may be used in any case.
    remedy
        End of the message.

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
            f"{folder} holds a run whose stored input would import or execute:{shown}\n{remedy}"
        )
