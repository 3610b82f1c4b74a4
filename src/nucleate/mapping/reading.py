"""A map as its folder holds it, also while another process is writing there."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nucleate.mapping.comparable import Standard
from nucleate.mapping.energies import Energies
from nucleate.mapping.field import field_of
from nucleate.mapping.known import LISTED, stored_references
from nucleate.mapping.settings import field_settings
from nucleate.mapping.site import read_sites, with_earlier
from nucleate.mapping.store import MapStore
from nucleate.mapping.travel import is_readable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nucleate.mapping.field import Field
    from nucleate.mapping.known import LostReference
    from nucleate.mapping.settings import FieldSettings
    from nucleate.mapping.site import Site

Event = tuple[float, float, str, str | None, dict[str, Any]]


@dataclass(frozen=True, slots=True, eq=False)
class MapState:
    """A map at one moment.

    Attributes
    ----------
    folder : Path
    options : FieldSettings
        Section ``[field]`` of the input.
    field : Field
        The compositions.
    energies : Energies
        What is known and found, and the hull of both.
    events : tuple
        What the map did: elapsed and processor time in seconds, kind (``start``, ``visit``,
        ``blank``, ``references``, ``stop``), formula, data.
    meta : dict
        Input, versions, machine.
    lost : tuple of LostReference
        Known compounds that are not in the hull, as they failed or were not relaxed yet.
    """

    folder: Path
    options: FieldSettings
    field: Field
    energies: Energies
    events: tuple[Event, ...]
    meta: dict[str, Any]
    lost: tuple[LostReference, ...] = ()

    def check_structures(self) -> None:
        """Read the lowest structure of every composition, for those who need all of them.

        A run that turns out to be damaged counts no more, and the next structure is looked at.
        """
        while not all(is_readable(phase, self.energies) for phase in self.energies.phases()):
            continue

    @property
    def damaged(self) -> list[str]:
        """What is wrong with runs that cannot be read, in words, with the remedies."""
        return [site.closed for site in self.energies.sites if site.is_damaged]

    @property
    def tiers(self) -> list[str]:
        """Names of the tiers, cheapest first."""
        return [str(tier["name"]) for tier in self.meta["input"]["tier"]]


def read_map(folder: str | Path) -> MapState:
    """Return the map of a folder; raises InputError if it holds none.

    Nothing that its stored input names is imported: the folder may be from anybody.
    """
    path = Path(folder)
    with MapStore.read(path) as store:
        meta, events = store.meta, tuple(store.events())
    options = field_settings(meta["input"], source=str(path))
    field = with_earlier(field_of(options), path)
    references, lost = stored_references(meta.get(LISTED, ()), path)
    sites = read_sites(field, path, Standard.of(meta["input"]))
    _note_left_out(sites, events)
    energies = Energies(field, sites, references, options.cell_limit)
    return MapState(path, options, field, energies, events, meta, tuple(lost))


def _note_left_out(sites: Sequence[Site], events: Sequence[Event]) -> None:
    """Let sites say why the last visit ended them: their component failed, or they are complete."""
    reasons: dict[str, str] = {}
    for _, _, kind, formula, data in events:
        if formula is not None and kind in ("blank", "visit"):
            reasons[formula] = str(data.get("reason" if kind == "blank" else "closed") or "")
            if data.get("is_damaged"):
                del reasons[formula]
    for site in sites:
        site.closed = site.closed or reasons.get(site.formula, "")
