"""Errors in the code of a component become a sentence that names it and where it is from."""

from __future__ import annotations

import inspect
import logging
import traceback
from functools import cache
from importlib.metadata import packages_distributions, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nucleate.errors import ComponentError, NucleateError
from nucleate.trouble import machine_trouble

if TYPE_CHECKING:
    from types import TracebackType

_log = logging.getLogger(__name__)


class blaming:  # noqa: N801 - a context manager that reads as a verb
    """What is raised inside is raised again as a ComponentError, its traceback in the log.

    Errors of nucleate, of the machine and missing packages pass as they are.

    Parameters
    ----------
    what
        What the component is, such as ``generator``.
    component
        An object, class or function of it.
    method
        What is called; may be empty.
    name
        Name of the component in a run; default that of the component.
    """

    __slots__ = ("_component", "_method", "_name", "_what")

    def __init__(self, what: str, component: Any, method: str = "", *, name: str = "") -> None:
        self._what = what
        self._component = component
        self._method = method
        self._name = name

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        if not isinstance(error, Exception) or _passes(error):
            return
        raise ComponentError(
            blamed(self._what, self._component, error, self._method, name=self._name)
        ) from error


def _passes(error: Exception) -> bool:
    known = (NucleateError, ImportError, MemoryError)
    return isinstance(error, known) or bool(machine_trouble(error))


def blamed(
    what: str, component: Any, error: BaseException, method: str = "", *, name: str = ""
) -> str:
    """Return the sentence on an error in the code of a component, and log its traceback.

    Parameters are those of :class:`blaming`, and the error.
    """
    where = f" in its {method}" if method else ""
    text = (
        f"the {described(what, component, name=name)} raised {type(error).__name__}{where}"
        f"{_place(error)}: {_first_line(error)}"
    )
    _log.info(text, exc_info=error)
    return text


def described(what: str, component: Any, *, name: str = "") -> str:
    """Return kind, name and source of a component, such as ``generator grid (my:Grid in my.py)``.

    Parameters are those of :class:`blaming`.
    """
    path, source = whence(component)
    name = name or str(getattr(component, "name", ""))
    named = f" {name}" if name and name != path and not name.startswith("nucleate.") else ""
    return f"{what}{named} ({path}{source})" if named else f"{what} {path}{source}"


def whence(component: Any) -> tuple[str, str]:
    """Return ``module:name`` of an object, class or function, and the package or file it is in."""
    found: Any = getattr(component, "wrapped", component)
    found = found.__self__ if inspect.ismethod(found) else found
    if not inspect.isclass(found) and not inspect.isfunction(found):
        found = type(found)
    module = str(found.__module__)
    package = module.partition(".")[0]
    path = f"{module}:{found.__qualname__}"
    if package == "nucleate":
        return path, ""
    if source := _distribution(package):
        return path, source
    try:
        return path, f" in {inspect.getfile(found)}"
    except (TypeError, OSError):
        return path, ""


@cache
def _distribution(package: str) -> str:
    """Return which installed distribution a package is of; empty for none.

    All distributions are read for it, about half a second, and a run may have many errors.
    """
    for distribution in packages_distributions().get(package, ()):
        return f" of {distribution} {version(distribution)}"
    return ""


def _place(error: BaseException) -> str:
    """Return file and line where an error was raised."""
    frames = traceback.extract_tb(error.__traceback__)
    return f" at {Path(frames[-1].filename).name}, line {frames[-1].lineno}" if frames else ""


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0] or "no message"
