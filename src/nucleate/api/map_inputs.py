"""The input of a map from what the face is given."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from nucleate.api.continued import changes_in_words, field_of_now, stop_of_now
from nucleate.errors import InputError

if TYPE_CHECKING:
    from nucleate.mapping.settings import MapSettings


def settings_of_map(
    field: Any,
    options: Mapping[str, Mapping[str, Any]],
    *,
    tiers: Any = None,
    executor: Any = None,
    folder: str | Path | None = None,
    trust: bool = False,
) -> tuple[MapSettings, Path]:
    """Return the input that a field and some options make, and the folder of the map.

    An option that is not given has, in this order, the value of the input file, that of the map
    which the folder holds already, or the default. See :mod:`nucleate.api.continued` for what is
    added to a map instead of replacing a value.

    Parameters
    ----------
    field
        Elements or end members, the path of an input file, settings, or an input as a mapping.
    options
        Values by section and key.
    tiers
        Energy models, if they are given.
    executor
        Section ``[executor]``, if it is given.
    folder
        Folder of the map.
    trust
        Use what the stored input of the folder imports or executes.

    Raises
    ------
    InputError
        If the input cannot be used, or the stored one names code without ``trust``.
    """
    from nucleate.mapping.settings import MapSettings
    from nucleate.mapping.store import MapStore
    from nucleate.run.new_keys import with_stored_names
    from nucleate.run.trust import check_trusted, is_own

    data, source = _data(field)
    if "problem" in data and "field" not in data:
        raise InputError(
            f"{source or 'The input'} is of one composition, as it has [problem] and no [field]. "
            f"Use `nucleate predict {source or 'FILE'}`."
        )
    for key in ("field", *options):
        if not isinstance(data.get(key, {}), Mapping):
            where = f"{source}: " if source else ""
            raise InputError(f"{where}{key} = {data[key]!r} is not a section. Write [{key}].")
    system = data.get("field", {}).get("system", "")
    path = Path(folder) if folder is not None else Path(f"nucleate-map-{system or 'field'}")
    is_stored = not source and isinstance(field, str) and MapStore.exists(path)
    if is_stored:
        with MapStore.read(path) as store:
            meta = store.meta
        data, is_ours = meta["input"], is_own(meta["input"], meta.get("mark"))
        if tiers is not None:
            data.pop("tier")
        data["stop"] = stop_of_now(data["stop"], options.get("stop", {}))
        if _parts(data["field"]["system"]) != _parts(system):
            data["field"]["system"] = system
        check_trusted(path, data, trust=trust or is_ours)
    for section, values in options.items():
        if values and section == "field":
            data["field"] = field_of_now(data.get("field", {}), values, is_stored=is_stored)
        elif values:
            data.setdefault(section, {}).update(values)
    if tiers is not None:
        data["tier"] = tiers
    if executor is not None:
        data["executor"] = executor
    if MapStore.exists(path):
        with MapStore.read(path) as store:
            data = with_stored_names(data, store.meta["input"])
    return MapSettings.from_dict(data, source=source), path


def changes_of_map(settings: MapSettings, folder: Path) -> list[str]:
    """Return how an input differs from that of the map in a folder; empty without a map.

    Parameters
    ----------
    settings
        The input.
    folder
        The folder of the map.
    """
    from nucleate.mapping.store import MapStore

    if not MapStore.exists(folder):
        return []
    with MapStore.read(folder) as store:
        return changes_in_words(store.meta["input"], settings.to_dict())


def _data(field: Any) -> tuple[dict[str, Any], str]:
    """Return an input as nested dictionaries, and the name of its file."""
    from nucleate.mapping.settings import MapSettings

    if isinstance(field, MapSettings):
        return field.to_dict(), ""
    if isinstance(field, Mapping):
        return json.loads(json.dumps(dict(cast("Mapping[str, Any]", field)))), ""
    if isinstance(field, Path) or (isinstance(field, str) and field.endswith(".toml")):
        return MapSettings.data_of_toml(field), str(field)
    if not isinstance(field, str):
        raise InputError(
            f"field is a {type(field).__name__}. Give elements such as 'Y-Sr-Ti-O', end members, "
            "the path of an input file, or settings."
        )
    return {"field": {"system": field}}, ""


def _parts(system: str) -> list[str]:
    """Return elements or end members in one spelling; their order does not matter."""
    from nucleate.crystal.composition import Composition

    parts = [part.strip() for part in system.split("-")]
    with suppress(InputError):
        counts = [Composition.from_formula(part).counts for part in parts]
        return sorted(repr(sorted(item.items())) for item in counts)
    return sorted(parts)
