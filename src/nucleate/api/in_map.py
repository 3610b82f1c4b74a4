"""A run begun by hand in the folder of a map has the input that the map would give it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from nucleate.crystal.composition import Composition
from nucleate.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from nucleate.mapping.settings import MapSettings
    from nucleate.run.settings import RunSettings


def is_in_map(folder: Path) -> bool:
    """Return whether a folder is the place of a run of a map that has none there yet."""
    from nucleate.mapping.site import COMPOSITIONS
    from nucleate.mapping.store import MapStore
    from nucleate.run.store import Store

    is_place = folder.absolute().parent.name == COMPOSITIONS and MapStore.exists(_map_of(folder))
    return is_place and not Store.exists(folder)


def input_in_map(folder: Path, formula: str, *, tiers: Any = None, trust: bool) -> dict[str, Any]:
    """Return the input of the run of a formula in the folder of a map.

    Parameters
    ----------
    folder
        Where the run will be, see :func:`is_in_map`.
    formula
        Its composition.
    tiers
        Energy models in place of the stored ones, if the user has given any.
    trust
        Use what the stored input of the map imports or executes.

    Raises
    ------
    InputError
        If the composition is not in the field or belongs to another folder, or the stored input
        names code without ``trust``.
    """
    settings = _settings_of_map(folder, _stored(folder), tiers, trust=trust)
    return settings.run_settings(_composition_of(formula, folder, settings), folder).to_dict()


def check_in_map(folder: Path, settings: RunSettings, *, trust: bool) -> None:
    """Check that a map can count and continue a run that is begun in its folder.

    Parameters
    ----------
    folder
        Where the run will be, see :func:`is_in_map`.
    settings
        The input of the run.
    trust
        Use what the stored input of the map imports or executes.

    Raises
    ------
    InputError
        If it cannot; the message lists what differs from the input of the map.
    """
    from nucleate.mapping.store import STORE_NAME
    from nucleate.run.folder import check_same_input

    now, meta = settings.to_dict(), _stored(folder)
    of_map = _settings_of_map(folder, meta, now["tier"], trust=trust)
    composition = _composition_of(settings.problem.formula, folder, of_map)
    wanted = {
        **of_map.run_settings(composition, folder).to_dict(),
        "tier": meta["input"]["tier"],
    }
    now["problem"]["formula"] = wanted["problem"]["formula"]
    check_same_input(wanted, now, _map_of(folder) / STORE_NAME)


def _map_of(folder: Path) -> Path:
    return folder.absolute().parent.parent


def _stored(folder: Path) -> dict[str, Any]:
    from nucleate.mapping.store import MapStore

    with MapStore.read(_map_of(folder)) as store:
        return store.meta


def _settings_of_map(
    folder: Path, meta: Mapping[str, Any], tiers: Any, *, trust: bool
) -> MapSettings:
    """Return the stored input of a map, with other tiers if they are given.

    The stored ones name code that only the map's owner may run, so that they are not read then.
    """
    from nucleate.mapping.pressure import COMPRESSION
    from nucleate.mapping.settings import MapSettings
    from nucleate.run.trust import check_trusted, is_own

    is_ours = is_own(meta["input"], meta.get("mark"))
    data: dict[str, Any] = json.loads(json.dumps(meta["input"]))
    if tiers is not None:
        data.pop("tier")
    check_trusted(_map_of(folder), data, trust=trust or is_ours)
    if tiers is not None:
        data["tier"] = tiers
    if COMPRESSION in meta and data["field"].get("compression") is None:
        data["field"]["compression"] = meta[COMPRESSION]["factor"]
    return MapSettings.from_dict(data, source=str(_map_of(folder)))


def _composition_of(formula: str, folder: Path, settings: MapSettings) -> Composition:
    """Return the composition of a run, as the field has it."""
    from nucleate.mapping.field import field_of
    from nucleate.mapping.site import folder_of

    field, wanted = field_of(settings), Composition.from_formula(formula)
    place = field.index_of(wanted)
    composition = wanted if place is None else field.compositions[place]
    if place is None and not field.contains(composition):
        raise InputError(
            f"{folder} belongs to a map of {field.system}, and {composition.formula} is not in "
            "that field. Choose another folder with --out."
        )
    right = folder_of(composition, folder.parent)
    if right.name != folder.name:
        raise InputError(
            f"{folder} is not where the map has {composition.formula}. Write --out {right}."
        )
    return composition
