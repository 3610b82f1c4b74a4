"""Public names of a package that are imported on first use.

A package may have a function and a module of one name (``nucleate.relax``). The import system then
sets the module as an attribute of the package as soon as anybody imports it, so the names here are
descriptors of the package's class, which stay what they are.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


class _Name:
    """A name of a package that is imported when somebody asks for it."""

    def __init__(self, module: str, attribute: str) -> None:
        self._module, self._attribute = module, attribute

    def __get__(self, package: ModuleType | None, owner: type) -> Any:
        return getattr(import_module(self._module), self._attribute)

    def __set__(self, package: ModuleType, module: ModuleType) -> None:
        """Stay as it is; a module of this name is found in ``sys.modules``."""


def import_on_use(package: str, where: Mapping[str, str]) -> None:
    """Give a package names that are imported on first use.

    Parameters
    ----------
    package
        The ``__name__`` of the package.
    where
        Module of each name; ``module:attribute`` where it has another name there.
    """
    names: dict[str, Any] = {}
    for name, target in where.items():
        module, _, attribute = target.partition(":")
        names[name] = _Name(module, attribute or name)

    def listed(self: ModuleType) -> list[str]:
        return sorted({*self.__dict__, *names})

    names["__dir__"] = listed
    sys.modules[package].__class__ = type("Package", (ModuleType,), names)
