"""Generators of any kind that the face takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from pydantic import BaseModel

from nucleate.errors import InputError
from nucleate.generate.objects import ObjectSettings


def as_generators(generators: Any) -> list[Any] | None:
    """Return generators as an input has them.

    Parameters
    ----------
    generators
        A name, settings, an object with ``generate``, or a list of these. None gives None, the
        default of the input.

    Raises
    ------
    InputError
        If something is not a generator.
    """
    if generators is None:
        return None
    return [_generator(item) for item in as_list(generators)]


def _generator(item: Any) -> Any:
    if isinstance(item, str):
        return {"kind": item}
    if isinstance(item, Mapping):
        return dict(cast("Mapping[str, Any]", item))
    if isinstance(item, BaseModel):
        return item
    if hasattr(item, "generate"):
        return ObjectSettings.of(item)
    raise InputError(
        f"generators: {item!r} is not a generator. Give a name such as 'symmetric', settings, or "
        "an object with generate(*, rng, max_formula_units)."
    )


def as_list(value: Any) -> list[Any]:
    """Return a list or tuple as a list, and anything else as the only item of one."""
    return list(cast("list[Any]", value)) if isinstance(value, list | tuple) else [value]
