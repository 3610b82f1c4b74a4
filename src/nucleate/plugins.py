"""One registry for all that can be exchanged: generators, moves, models, policies and more.

A *component* is a settings class with a method ``build``. Its *kind*, the value of ``kind`` in the
input file, is one of

* the name of a module in one of the shipped packages of its group (:data:`GROUPS`), with dashes
  for underscores: a new file in such a package is a new kind;
* the name of an entry point in the group ``nucleate.generators``, ``nucleate.moves``,
  ``nucleate.models``, ``nucleate.policies``, ``nucleate.programs``, ``nucleate.searches`` or
  ``nucleate.executors``;
* ``module:Class``.
"""

from __future__ import annotations

import difflib
import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self, TypeGuard, get_args

from pydantic import (
    BeforeValidator,
    Field,
    SerializeAsAny,
    model_validator,
)

from nucleate.errors import InputError
from nucleate.tables import Table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import GetJsonSchemaHandler
    from pydantic.fields import FieldInfo
    from pydantic.json_schema import JsonSchemaValue
    from pydantic_core import CoreSchema

GROUPS: dict[str, tuple[str, ...]] = {
    "generators": ("nucleate.generate.kinds",),
    "moves": ("nucleate.moves.kinds",),
    "models": ("nucleate.networks.kinds", "nucleate.potentials.kinds", "nucleate.surrogate.kinds"),
    "policies": ("nucleate.policy.kinds",),
    "programs": ("nucleate.programs.kinds",),
    "searches": ("nucleate.search.kinds",),
    "executors": ("nucleate.run.kinds",),
}
"""Packages of each group in which every module is a kind."""


class Component(Table):
    """Settings of something that can be exchanged, and the way to build it.

    A subclass adds its settings as pydantic fields and overrides :meth:`build`. Unknown keys are
    refused, and the values are frozen.

    Attributes
    ----------
    kind : str
        Name under which the registry finds the class; set by itself.
    supports : frozenset of str
        Class attribute: what the component can do beyond the least that its group asks for.
    serves : frozenset of str
        Class attribute: groups that it belongs to; empty if it does not say.
    works : tuple of str
        Class attribute: what to cite where it was used, as BibTeX entries, or as keys of those
        that nucleate has.
    """

    supports: ClassVar[frozenset[str]] = frozenset()
    serves: ClassVar[frozenset[str]] = frozenset()
    works: ClassVar[tuple[str, ...]] = ()

    kind: str = Field(default="", description="Name of the component, or module:Class.")

    @model_validator(mode="after")
    def _named(self) -> Self:
        object.__setattr__(self, "kind", kind_of(type(self)))
        return self

    def build(self, context: Any) -> Any:
        """Return the object that these settings describe; by default the component itself.

        Parameters
        ----------
        context
            What the object gets from the run that it serves; its class depends on the group.
        """
        del context
        return self


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of component that is known by name.

    Attributes
    ----------
    group, name : str
        Group of the registry, and the value of ``kind``.
    path : str
        Where the class is: ``module`` for a shipped kind, else ``module:Class``.
    source : str
        ``nucleate``, or the distribution whose entry point it is.
    """

    group: str
    name: str
    path: str
    source: str

    def load(self) -> type[Component]:
        """Import the class of settings.

        Raises
        ------
        InputError
            If it cannot be imported or is not a component.
        """
        return _load(self.name, self.path)


@lru_cache(maxsize=1)
def kinds() -> dict[str, dict[str, Kind]]:
    """Return the kinds of every group by name, without importing them."""
    found: dict[str, dict[str, Kind]] = {}
    for group, packages in GROUPS.items():
        named: dict[str, Kind] = {}
        for point in entry_points(group=f"nucleate.{group}"):
            source = "" if point.dist is None else point.dist.name
            named[point.name] = Kind(group, point.name, point.value, source)
        for package in packages:
            for module in pkgutil.iter_modules(import_module(package).__path__):
                name = module.name.replace("_", "-")
                named[name] = Kind(group, name, f"{package}.{module.name}", "nucleate")
        found[group] = dict(sorted(named.items()))
    return found


def shipped(*groups: str) -> list[Kind]:
    """Return the kinds of some groups that come with nucleate, in the order of their names."""
    return [
        kind
        for group in groups
        for kind in kinds()[group].values()
        if kind.source == "nucleate" and ":" not in kind.path
    ]


def find(name: str, *groups: str) -> type[Component]:
    """Return the class of settings of a kind.

    Parameters
    ----------
    name
        Value of ``kind``.
    groups
        Groups in which it may be.

    Raises
    ------
    InputError
        If there is none, it cannot be imported, or it is not a component.
    """
    if ":" in name:
        return _of_group(name, _load(name, name), groups)
    known = {kind.name: kind for group in groups for kind in kinds()[group].values()}
    if name in known:
        return known[name].load()
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    nearest = f"Did you mean {close[0]!r}? " if close else ""
    points = " and ".join(f"nucleate.{group}" for group in groups)
    raise InputError(
        f"kind = {name!r} is not known. {nearest}Use one of {', '.join(known)}, the name of an "
        f"entry point of {points}, or module:Class."
    )


def _of_group(name: str, component: type[Component], groups: tuple[str, ...]) -> type[Component]:
    """Return a component that may be in one of the groups; raises InputError for another."""
    if component.serves and component.serves.isdisjoint(groups):
        raise InputError(
            f"kind = {name!r} belongs to the {' and '.join(sorted(component.serves))}, not to the "
            f"{' and '.join(groups)}. Give a component of these."
        )
    return component


def kind_of(component: type[Component]) -> str:
    """Return the name under which :func:`find` finds a class of settings."""
    module = component.__module__
    package, _, last = module.rpartition(".")
    if any(package in packages for packages in GROUPS.values()):
        return last.replace("_", "-")
    path = f"{module}:{component.__qualname__}"
    known = (kind for group in kinds().values() for kind in group.values())
    return next((kind.name for kind in known if kind.path == path), path)


def _load(name: str, path: str) -> type[Component]:
    module, _, attribute = path.partition(":")
    try:
        loaded = import_module(module)
    except Exception as error:
        first = str(error).strip().partition("\n")[0]
        raise InputError(
            f"kind = {name!r}: the module {module} cannot be imported "
            f"({type(error).__name__}: {first}). Install what it needs, or correct the name."
        ) from error
    if attribute:
        found = getattr(loaded, attribute, None)
    else:
        found = next(
            (
                value
                for value in vars(loaded).values()
                if is_component(value) and value.__module__ == module
            ),
            None,
        )
    if not is_component(found):
        raise InputError(
            f"kind = {name!r}: {module} has no component {attribute or 'class'}. Give the path "
            "of a subclass of nucleate.Component."
        )
    return found


class _JsonSchema:
    """JSON schema of a key whose value is a component: any shipped kind, or another by its path."""

    def __init__(self, groups: tuple[str, ...]) -> None:
        self._groups = groups

    @property
    def groups(self) -> tuple[str, ...]:
        """Groups in which the kind may be."""
        return self._groups

    def __get_pydantic_json_schema__(
        self, _: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        known = [self._of(kind, handler) for kind in shipped(*self._groups)]
        other = {
            "type": "object",
            "properties": {"kind": {"type": "string", "pattern": ":"}},
            "required": ["kind"],
        }
        return {"anyOf": [*known, other, {"type": "string"}]}

    def _of(self, kind: Kind, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Return the JSON schema of a shipped kind, whose key ``kind`` has this one value."""
        made = handler(kind.load().__pydantic_core_schema__)
        table = handler.resolve_ref_schema(made)
        properties = table["properties"]
        named = {"const": kind.name, "description": properties["kind"]["description"]}
        table["properties"] = {**properties, "kind": named}
        if "searches" not in self._groups:  # an input without one has the default
            table["required"] = sorted({*table.get("required", ()), "kind"})
        return {**made}


def component_of(*groups: str) -> Any:
    """Return the type of a pydantic field whose value is a component of some groups.

    It takes a component, the name of a kind, or a table with ``kind`` and the settings of that
    kind. Errors keep their place in the input.

    Parameters
    ----------
    groups
        Groups of the registry in which the kind may be.
    """

    def read(value: Any) -> Any:
        if isinstance(value, str):
            value = {"kind": value}
        if not isinstance(value, Mapping):
            return value
        name = value.get("kind")
        if not isinstance(name, str):
            raise ValueError("kind is missing. Add the name of a component")
        try:
            component = find(name, *groups)
        except InputError as error:
            raise ValueError(str(error)) from error  # pydantic adds the place in the input
        return component.model_validate({**value})

    return Annotated[SerializeAsAny[Component], BeforeValidator(read), _JsonSchema(groups)]


def is_component(value: Any) -> TypeGuard[type[Component]]:
    """Return whether something is a class of settings of the registry."""
    return isinstance(value, type) and issubclass(value, Component) and value is not Component


def component_groups(field: FieldInfo) -> tuple[str, ...]:
    """Return the groups of the components that a pydantic field takes, itself or in a list."""

    def marks(annotation: Any) -> Iterator[Any]:
        yield annotation
        for argument in get_args(annotation):
            yield from marks(argument)

    found = (*field.metadata, *marks(field.annotation))
    return tuple(group for mark in found if isinstance(mark, _JsonSchema) for group in mark.groups)
