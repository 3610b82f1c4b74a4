"""Generators of any kind that the face takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from pydantic import BaseModel

from nucleate.errors import InputError

if TYPE_CHECKING:
    from nucleate.generate.generator import Generator
    from nucleate.generate.mix import GeneratorMix
    from nucleate.run.settings import RunSettings


def split_generators(generators: Any) -> tuple[list[dict[str, Any]] | None, list[Generator]]:
    """Return the settings among generators as an input file has them, and the Python objects.

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
        return None, []
    settings: list[dict[str, Any]] = []
    objects: list[Generator] = []
    for item in as_list(generators):
        if isinstance(item, str):
            settings.append({"kind": item})
        elif isinstance(item, Mapping):
            settings.append(dict(cast("Mapping[str, Any]", item)))
        elif isinstance(item, BaseModel):
            settings.append(item.model_dump())
        elif hasattr(item, "generate"):
            objects.append(item)
        else:
            raise InputError(
                f"generators: {item!r} is not a generator. Give a name such as 'symmetric', "
                "settings, or an object with generate(*, rng, max_formula_units)."
            )
    return settings, objects


def as_list(value: Any) -> list[Any]:
    """Return a list or tuple as a list, and anything else as the only item of one."""
    return list(cast("list[Any]", value)) if isinstance(value, list | tuple) else [value]


def build_mix(settings: RunSettings, objects: list[Generator], **context: Any) -> GeneratorMix:
    """Return the generators of an input and some Python objects as one.

    Parameters
    ----------
    settings
        The input. Where it names no generator, the objects serve alone.
    objects
        Generators that were given as objects, each of weight 1.
    context
        As in :func:`nucleate.run.predict.build_source`.
    """
    from nucleate.generate.mix import GeneratorMix
    from nucleate.run.predict import build_source

    if not objects:
        return build_source(settings, **context)
    chosen: list[tuple[Generator, float]] = [(item, 1.0) for item in objects]
    if settings.search.generators:
        chosen += build_source(settings, **context).weighted()
    return GeneratorMix(chosen, settings.problem.space())
