"""Objects that a user names by an import path, with errors that say what to correct."""

from __future__ import annotations

import inspect
import sys
from importlib import import_module, util
from importlib.machinery import PathFinder
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nucleate.errors import InputError, MissingDependencyError

if TYPE_CHECKING:
    from collections.abc import Mapping


def check_path(key: str, path: str, example: str) -> None:
    """Raise InputError unless there is the package of an import path; nothing is imported.

    As for workers, it may be in the working folder.
    """
    package = _parts(key, path, example)[0].partition(".")[0]
    if package not in sys.modules and not (
        util.find_spec(package) or PathFinder.find_spec(package, [str(Path.cwd())])
    ):
        raise InputError(
            f"{key} = {path!r}: the module {package} is not installed. Install it, or correct the "
            "path."
        )


def _parts(key: str, path: str, example: str) -> tuple[str, str]:
    module, colon, name = path.partition(":")
    if not (module and colon and name) or module.startswith("."):
        raise InputError(f"{key} = {path!r} is not an import path. Write it like {example}.")
    return module, name


def made_by_path(key: str, path: str, options: Mapping[str, Any], example: str) -> Any:
    """Return what the class or function at an import path gives for some keyword arguments.

    Parameters
    ----------
    key
        Name of the setting, for messages.
    path
        ``module:name``.
    options
        Keyword arguments.
    example
        A path that is right, for messages.

    Raises
    ------
    InputError
        If the path names nothing that can be called, its module is not installed or cannot be
        imported, it does not take the options, or refuses their values.
    MissingDependencyError
        If a module that its module needs is not installed.
    """
    module, name = _parts(key, path, example)
    try:
        factory = getattr(import_module(module), name)
    except ModuleNotFoundError as error:
        is_named = error.name is not None and f"{module}.".startswith(f"{error.name}.")
        kind = InputError if is_named else MissingDependencyError
        raise kind(
            f"{key} = {path!r}: the module {error.name} is not installed. Install it, or "
            "correct the path."
        ) from error
    except AttributeError as error:
        raise InputError(f"{key} = {path!r}: {module} has no {name}. Correct the path.") from error
    except Exception as error:
        raise InputError(
            f"{key} = {path!r}: the module {module} cannot be imported ({_described(error)}). "
            "Install what it needs, or correct the path."
        ) from error
    if not callable(factory):
        raise InputError(
            f"{key} = {path!r} is a {type(factory).__name__}, not a class or function. Correct "
            "the path."
        )
    signature = _signature(factory)
    try:
        if signature is not None:
            signature.bind(**options)
    except TypeError as error:
        raise InputError(
            f"{key} = {path!r}: options = {dict(options)} do not fit ({error}). Correct the "
            f"options; it takes {signature}."
        ) from error
    try:
        return factory(**options)
    except (ImportError, OSError, ValueError) as error:
        reason = _described(error)
    except TypeError as error:
        if signature is not None:  # the options fit: the fault is its own
            raise
        reason = _described(error)
    raise InputError(
        f"{key} = {path!r} cannot be made with options = {dict(options)} ({reason}). Correct the "
        "options, or install what it needs."
    )


def _signature(factory: Any) -> inspect.Signature | None:
    """Return what a class or function takes; compiled code may not say."""
    try:
        return inspect.signature(factory)
    except (TypeError, ValueError):
        return None


def _described(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"
