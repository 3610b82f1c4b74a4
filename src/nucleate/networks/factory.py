"""Objects that a user names by an import path, with errors that say what to correct."""

from __future__ import annotations

import inspect
from importlib import import_module
from typing import TYPE_CHECKING, Any

from nucleate.errors import InputError, MissingDependencyError

if TYPE_CHECKING:
    from collections.abc import Mapping


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
        If the path names nothing that can be called, its module cannot be imported, it does not
        take the options, or refuses their values.
    MissingDependencyError
        If its module is not installed.
    """
    module, colon, name = path.partition(":")
    if not (module and colon and name) or module.startswith("."):
        raise InputError(f"{key} = {path!r} is not an import path. Write it like {example}.")
    try:
        factory = getattr(import_module(module), name)
    except ModuleNotFoundError as error:
        raise MissingDependencyError(
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
    _check_options(key, path, factory, options)
    try:
        return factory(**options)
    except (ImportError, OSError, ValueError) as error:
        raise InputError(
            f"{key} = {path!r} cannot be made with options = {dict(options)} "
            f"({_described(error)}). Correct the options, or install what it needs."
        ) from error


def _check_options(key: str, path: str, factory: Any, options: Mapping[str, Any]) -> None:
    """Raise InputError where a class or function does not take some keyword arguments."""
    try:
        signature = inspect.signature(factory)
    except (TypeError, ValueError):  # compiled code may have none
        return
    try:
        signature.bind(**options)
    except TypeError as error:
        raise InputError(
            f"{key} = {path!r}: options = {dict(options)} do not fit ({error}). Correct the "
            f"options; it takes {signature}."
        ) from error


def _described(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"
