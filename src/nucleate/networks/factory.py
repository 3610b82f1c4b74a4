"""Objects that a user names by an import path, with errors that say what to correct."""

from __future__ import annotations

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
        If the path names nothing, or what it names does not take the options.
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
    try:
        return factory(**options)
    except TypeError as error:
        raise InputError(f"{key} = {path!r}: options = {options} do not fit ({error}).") from error
