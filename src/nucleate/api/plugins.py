"""All that can be exchanged, where it is from, and its keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nucleate.errors import InputError
from nucleate.plugins import GROUPS, find, kinds

if TYPE_CHECKING:
    from nucleate.plugins import Kind


def plugins(group: str | None = None) -> dict[str, list[dict[str, Any]]]:
    """Return the kinds of every group, or of one, each described by :func:`described`.

    Raises
    ------
    InputError
        If there is no such group.
    """
    if group is not None and group not in GROUPS:
        raise InputError(f"group = {group!r} is not known. Use one of {', '.join(GROUPS)}.")
    return {
        name: [described(kind) for kind in of_group.values()]
        for name, of_group in kinds().items()
        if group in (None, name)
    }


def keys_of(kind: str, *groups: str) -> list[str]:
    """Return the keys of a kind, those of its settings alone; raises InputError if unknown."""
    return [name for name in find(kind, *groups).model_fields if name != "kind"]


def required_key(kind: str, *groups: str) -> str | None:
    """Return the first key of a kind if it has no default; raises InputError if unknown."""
    fields = find(kind, *groups).model_fields
    first = next((name for name in fields if name != "kind" and name != "weight"), None)
    return first if first is not None and fields[first].is_required() else None


def described(kind: Kind) -> dict[str, Any]:
    """Return the description of a kind, ready for JSON.

    It has ``kind``, ``source``, ``path``, and either ``about`` and ``keys``, each of which has
    ``default`` or ``required`` and ``description``, or ``broken``, the reason.
    """
    entry: dict[str, Any] = {"kind": kind.name, "source": kind.source, "path": kind.path}
    try:
        component = kind.load()
    except InputError as error:
        return {**entry, "broken": str(error)}
    keys = {name: _key(field) for name, field in component.model_fields.items() if name != "kind"}
    about = (component.__doc__ or "").strip().partition("\n")[0]
    return {**entry, "about": about, "keys": keys}


def _key(field: Any) -> dict[str, Any]:
    from pydantic_core import to_jsonable_python

    description = field.description or ""
    if field.is_required():
        return {"required": True, "description": description}
    default = field.get_default(call_default_factory=True)
    return {"default": to_jsonable_python(default, fallback=str), "description": description}
