"""Runs of earlier versions: the keys that were added to the input since."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Protocol, Self

from pydantic import BaseModel

from nucleate.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping


class Settings(Protocol):
    """Settings as the inputs of runs, series of relaxations and maps are."""

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Check values."""
        ...

    def to_dict(self) -> dict[str, Any]:
        """Return the values, defaults included."""
        ...


def with_new_keys(old: Mapping[str, Any], settings: Settings) -> dict[str, Any]:
    """Return the stored input of a run with the defaults of the keys that it does not know.

    The defaults are those of the input that continues the run. Nothing of the stored input is
    validated, as it may name code of somebody else.

    Parameters
    ----------
    old
        The stored input.
    settings
        The input that continues the run.
    """
    shorter, missing = _without_unknown(settings.to_dict(), old)
    if not missing:
        return dict(old)
    try:
        defaults = type(settings).from_dict(shorter).to_dict()
    except InputError:
        return dict(old)
    filled: dict[str, Any] = json.loads(json.dumps(old))
    for path in missing:
        _copy(path, defaults, filled)
    return filled


FORMER_NAME = "chgnet"
"""Of a tier without a name, whatever its engine, in earlier versions."""


def with_stored_names(data: dict[str, Any], old: Mapping[str, Any]) -> dict[str, Any]:
    """Return an input whose tiers without a name have that of the run which they continue.

    Earlier versions named every such tier ``chgnet``, and outcomes are kept by the names.

    Parameters
    ----------
    data
        The input as it is given now.
    old
        The stored input.
    """
    tiers, stored = data.get("tier"), old.get("tier")
    if not isinstance(tiers, list | tuple) or not isinstance(stored, list):
        return data
    named = list(tiers)
    for place, (tier, before) in enumerate(zip(tiers, stored, strict=False)):
        if not isinstance(before, dict) or before.get("name") != FORMER_NAME:
            continue
        if isinstance(tier, dict) and "name" not in tier:
            named[place] = {"name": FORMER_NAME, **tier}
        elif isinstance(tier, BaseModel) and "name" not in tier.model_fields_set:
            named[place] = tier.model_copy(update={"name": FORMER_NAME})
    return {**data, "tier": named}


def _without_unknown(new: Any, old: Any) -> tuple[Any, list[tuple[Any, ...]]]:
    """Return ``new`` without the keys that ``old`` lacks, and the paths of these keys."""
    if isinstance(new, dict) and isinstance(old, dict):
        missing: list[tuple[Any, ...]] = [(key,) for key in new if key not in old]
        both: dict[Any, tuple[Any, Any]] = {key: (new[key], old[key]) for key in new if key in old}
    elif isinstance(new, list) and isinstance(old, list) and len(new) == len(old):
        missing = []
        both = dict(enumerate(zip(new, old, strict=True)))
    else:
        return new, []
    kept = {}
    for key, pair in both.items():
        kept[key], paths = _without_unknown(*pair)
        missing += [(key, *path) for path in paths]
    return (kept if isinstance(new, dict) else list(kept.values())), missing


def _copy(path: tuple[Any, ...], source: Any, target: Any) -> None:
    """Copy one value between two nested settings, if the source has it."""
    *parents, key = path
    try:
        for parent in parents:
            source, target = source[parent], target[parent]
        target[key] = source[key]
    except (KeyError, IndexError, TypeError):
        return
