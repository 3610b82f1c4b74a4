"""Keys of the input file by their former names, and keys that belong to another search."""

from __future__ import annotations

import warnings
from typing import Any

from nucleate.plugins import find, kinds
from nucleate.programs.settings import OLD_KEYS_OF_A_STAGE
from nucleate.renamed import RenamedKeyWarning
from nucleate.run.learning.settings import without_surrogate

DEFAULT_SEARCH = "lowest-minima"

MOVED = {
    ("search", "structures"): ("stop", "structures"),
    ("search", "rmax"): ("stop", "without_improvement"),
    ("search", "target"): ("stop", "target"),
    ("run", "time"): ("stop", "time"),
    ("run", "core_time"): ("stop", "core_time"),
}
"""Section and key of today by those of before."""

SEARCH_BY_PARENTS = {"lowest": "lowest-minima", "walk": "basin-hopping"}
"""Kind of search by the former ``search.parents``."""


def modern(data: Any) -> Any:
    """Return an input with today's keys, and a kind of search.

    Raises
    ------
    ValueError
        If a key is given under both names, or belongs to another kind of search.
    """
    if not isinstance(data, dict):
        return data
    data = {key: dict(part) if isinstance(part, dict) else part for key, part in data.items()}
    for (old_section, old), (section, key) in MOVED.items():
        part = data.get(old_section)
        if isinstance(part, dict) and old in part:
            _move(data, f"{old_section}.{old}", part.pop(old), section, key)
    search = data.get("search")
    if isinstance(search, str):
        data["search"] = {"kind": search}
    elif isinstance(search, dict):
        _name_the_kind(search)
        _check_keys(search)
    return without_surrogate(data)


def stored_tier(tier: dict[str, Any]) -> dict[str, Any]:
    """Return the settings of a tier that a run keeps, with today's keys in the stages."""
    engine = tier.get("engine")
    if not isinstance(engine, dict) or "stage" not in engine:
        return tier
    names = OLD_KEYS_OF_A_STAGE
    stages = [
        {names.get(key, key): value for key, value in stage.items()} for stage in engine["stage"]
    ]
    return {**tier, "engine": {**engine, "stage": stages}}


def _move(data: dict[str, Any], old: str, value: Any, section: str, key: str) -> None:
    new = f"{section}.{key}"
    part = data.setdefault(section, {})
    if not isinstance(part, dict):
        return
    if part.get(key) is not None and value is not None:
        raise ValueError(f"{old} is the former name of {new}, and both are given. Remove {old}.")
    _warn(old, new)
    if value is not None:
        part[key] = value


def _name_the_kind(search: dict[str, Any]) -> None:
    if "parents" in search:
        parents = search.pop("parents")
        if parents not in SEARCH_BY_PARENTS:
            raise ValueError(
                f"search.parents = {parents!r}: write kind = "
                f"{' or '.join(map(repr, SEARCH_BY_PARENTS.values()))} instead."
            )
        _warn(f"search.parents = {parents!r}", f"search.kind = {SEARCH_BY_PARENTS[parents]!r}")
        search.setdefault("kind", SEARCH_BY_PARENTS[parents])
    search.setdefault("kind", DEFAULT_SEARCH)


def _check_keys(search: dict[str, Any]) -> None:
    """Refuse keys of another search by the name of that search."""
    kind, known = search["kind"], kinds()["searches"]
    if kind not in known:
        return
    own = find(kind, "searches").model_fields
    for key in search:
        if key in own:
            continue
        others = [
            name
            for name, item in known.items()
            if item.source == "nucleate" and key in find(name, "searches").model_fields
        ]
        if others:
            *most, last = map(repr, others)
            names = f"{', '.join(most)} or {last}" if most else last
            raise ValueError(
                f"search.{key} is a key of kind = {names}, not of kind = {kind!r}. Remove it, or "
                "change the kind."
            )


def _warn(old: str, new: str) -> None:
    warnings.warn(
        f"{old} is now {new}; the former name will not be read by the next release",
        RenamedKeyWarning,
        stacklevel=6,
    )
