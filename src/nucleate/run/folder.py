"""The run folder: made once, continued afterwards."""

from __future__ import annotations

import json
import os
import platform
import sys
from datetime import UTC, datetime
from importlib import metadata
from typing import TYPE_CHECKING, Any

from nucleate.errors import InputError
from nucleate.run.learning.settings import LearningSettings
from nucleate.run.new_keys import with_new_keys
from nucleate.run.old_keys import stored_tier
from nucleate.run.store import STORE_NAME, Store
from nucleate.run.trust import own_mark

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from nucleate.run.settings import RunSettings

CHANGEABLE = ("run.", "executor.", "stop.", "final.", "problem.allow_tension")
"""What may differ when a run is continued: keys, and beginnings of keys that end in a dot."""

CHANGEABLE_OF_TIERS = ("python", "wall_s", "slots")
"""What may differ of a tier: where it is computed, not what."""

CHANGEABLE_OF_ENGINES = ("command", "cores", "environment", "scratch", "wall_s", "restarts")
"""The same of the engine of a tier: how an external program is run."""

REPORTED_PACKAGES = (
    "nucleate", "numpy", "scipy", "numba", "ase", "moyopy", "torch", "chgnet", "sevenn",
)  # fmt: skip


def open_store(folder: Path, settings: RunSettings) -> Store:
    """Return the store of a new run, or of the one that this folder holds.

    Raises
    ------
    InputError
        If the folder holds a run of another input; the message lists the differences.
    """
    check_same_run(folder, settings)
    if Store.exists(folder):
        return Store.append_to(folder)
    return Store.create(folder, description(settings))


def check_same_run(folder: Path, settings: RunSettings) -> None:
    """Check that a folder holds no run, or one of this input.

    Raises
    ------
    InputError
        If the folder holds a run of another input; the message lists the differences.
    """
    if Store.exists(folder):
        with Store.read(folder) as store:
            if store.meta.get("kind") == "merged":
                raise InputError(
                    f"{folder} was merged from several runs, and no search continues it. Continue "
                    "the runs themselves, or choose another folder with --out."
                )
            old = with_new_keys(stored_input(store.meta), settings)
            check_same_input(old, settings.to_dict(), folder / STORE_NAME)


def stored_input(meta: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy of the input of a run with today's keys, those of later versions included."""
    data: dict[str, Any] = json.loads(json.dumps(meta["input"]))
    if "tier" in data:
        data["tier"] = [stored_tier(tier) for tier in data["tier"]]
    search, problem = data.get("search"), data.get("problem")
    if isinstance(search, dict) and "generators" in search and "known" not in search:
        search |= {"known": "off", "library": ["shipped"]}
    if isinstance(search, dict) and "moves" in search and "policy" not in search:
        search["policy"] = {"kind": "fixed"}
        search |= {key: "auto" for key in ("moves", "melted_moves") if search.get(key) == "fuse2"}
    if isinstance(problem, dict) and "dimension" not in problem:
        problem["dimension"] = 3
        if "pair_distances" in problem:
            problem["min_distances"] = problem.pop("pair_distances")
    surrogate = data.get("surrogate")
    if isinstance(surrogate, dict) and surrogate.get("on") is False:
        # Its other keys did nothing, and had other defaults.
        data["surrogate"] = LearningSettings.model_validate({}).model_dump(mode="json")
    return data


def description(settings: RunSettings) -> dict[str, Any]:
    """Return what a store says of its run."""
    return {
        "input": settings.to_dict(),
        "mark": own_mark(settings.to_dict()),
        "formula": settings.problem.composition().formula,
        "seed": settings.seed,
        "created": now(),
        **surroundings(),
    }


def surroundings() -> dict[str, Any]:
    """Return versions and machine."""
    versions = {"python": platform.python_version()}
    for name in REPORTED_PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    machine = {
        "host": platform.node(),
        "system": platform.platform(),
        "processor": platform.machine(),
        "cores": os.cpu_count(),
        "interpreter": sys.executable,
    }
    return {"versions": versions, "machine": machine}


def now() -> str:
    """Return the time in UTC, ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def check_same_input(old: Mapping[str, Any], new: Mapping[str, Any], store: Path) -> None:
    """Compare the input of a run with that of its continuation; ``store`` is its file.

    Raises
    ------
    InputError
        If something differs that must not; the message lists what may and what may not.
    """
    before, after = flat(old), flat(new)
    changed = [key for key in {**before, **after} if before.get(key) != after.get(key)]
    if all(_may_change(key) for key in changed):
        return
    lines = [
        f"  {key}: {_shown(before.get(key))} -> {_shown(after.get(key))}"
        f"  ({'may change' if _may_change(key) else 'must not change'})"
        for key in sorted(changed, key=_may_change)
    ]
    raise InputError(
        f"{store} was made by another input. Choose another folder with --out, or "
        "take back what must not change:\n" + "\n".join(lines)
    )


def _may_change(key: str) -> bool:
    if key.startswith("tier."):
        return may_change_of_tier(key.split(".", 2)[-1])
    return any(key == item or (item.endswith(".") and key.startswith(item)) for item in CHANGEABLE)


def may_change_of_tier(key: str) -> bool:
    """Return whether a setting of a tier, such as ``engine.command``, changes no energy."""
    first, *rest = key.split(".")
    if first == "engine" and rest:
        return rest[0] in CHANGEABLE_OF_ENGINES
    return first in CHANGEABLE_OF_TIERS


def _shown(value: Any) -> str:
    return "not set" if value is None else str(value)


def flat(data: Any, prefix: str = "") -> dict[str, Any]:
    """Return nested settings as one level of dotted keys."""
    if isinstance(data, dict) and data:
        items = data.items()
    elif isinstance(data, list | tuple) and data:
        items = ((index, value) for index, value in enumerate(data))
    else:
        empty = data in ({}, [], ())
        return {prefix.rstrip("."): None if empty else data}
    values: dict[str, Any] = {}
    for key, value in items:
        values |= flat(value, f"{prefix}{key}.")
    return values
