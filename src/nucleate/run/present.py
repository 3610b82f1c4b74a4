"""Whether the models of an input are installed, which is asked before any work."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from nucleate.errors import InputError, MissingDependencyError

if TYPE_CHECKING:
    from nucleate.relax.settings import TierSettings


def check_present(name: str, tier: TierSettings, python: str | None) -> None:
    """Look for the packages, modules and files of a model, or for the interpreter that has them.

    Parameters
    ----------
    name
        How an error calls the tier.
    tier
        Of the input.
    python
        Interpreter of the workers; None for this one.

    Raises
    ------
    InputError
        If a file, a module or the interpreter is missing.
    MissingDependencyError
        If a package is not installed.
    """
    interpreter = tier.python or python
    if interpreter is not None:
        if shutil.which(interpreter) is None:
            raise InputError(
                f"{name}: python = {interpreter!r} cannot be executed. Give the interpreter of an "
                "environment that has the model, or leave it out."
            )
        return
    try:
        tier.engine.check_present()
    except (InputError, MissingDependencyError) as error:
        raise type(error)(f"{name}: {error}") from None
