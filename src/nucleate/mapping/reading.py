"""A map as its folder holds it, also while another process is writing there."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nucleate.mapping.campaign import read_sites
from nucleate.mapping.energies import Energies
from nucleate.mapping.field import field_of
from nucleate.mapping.known import stored_references
from nucleate.mapping.settings import MapSettings
from nucleate.mapping.store import MapStore

if TYPE_CHECKING:
    from nucleate.mapping.field import Field

Event = tuple[float, float, str, str | None, dict[str, Any]]


@dataclass(frozen=True, slots=True, eq=False)
class MapState:
    """A map at one moment.

    Attributes
    ----------
    folder : Path
    settings : MapSettings
        The input.
    field : Field
        The compositions.
    energies : Energies
        What is known and found, and the hull of both.
    events : tuple
        What the map did: elapsed and processor time in seconds, kind (``start``, ``visit``,
        ``blank``, ``stop``), formula, data.
    meta : dict
        Input, versions, machine.
    """

    folder: Path
    settings: MapSettings
    field: Field
    energies: Energies
    events: tuple[Event, ...]
    meta: dict[str, Any]


def read_map(folder: str | Path) -> MapState:
    """Return the map of a folder; raises InputError if it holds none."""
    path = Path(folder)
    with MapStore.read(path) as store:
        meta, events = store.meta, tuple(store.events())
    settings = MapSettings.from_dict(meta["input"], source=str(path))
    field = field_of(settings)
    references = stored_references(meta.get("references", ()), path)
    energies = Energies(
        field, read_sites(settings, field, path), references, settings.field.cell_limit
    )
    return MapState(path, settings, field, energies, events, meta)
