"""What is near the hull of a map."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from nucleate.errors import InputError
from nucleate.mapping.reading import read_map
from nucleate.report.maps.export import NEAR_EV

if TYPE_CHECKING:
    from nucleate.mapping.energies import Phase
    from nucleate.mapping.reading import MapState
    from nucleate.mapping.site import Site


def near_phases(state: MapState) -> list[Phase]:
    """Return the lowest structures near the hull, found and known; none without all corners."""
    hull = state.energies.hull()
    if hull.missing:
        return []
    return [
        phase
        for phase, height in zip(state.energies.phases(), hull.above_hull, strict=True)
        if height <= NEAR_EV
    ]


def near_sites(folder: str | Path) -> tuple[MapState, list[Site]]:
    """Return a map and its compositions near the hull that were searched.

    The lowest structure of one may be a known compound.

    Raises
    ------
    InputError
        If there is none.
    """
    state = read_map(Path(folder))
    state.check_structures()
    places = (state.field.index_of(phase.composition) for phase in near_phases(state))
    sites = [state.energies.sites[place] for place in places if place is not None]
    found = [site for site in sites if site.best is not None]
    if not found:
        raise InputError(f"{folder} has no searched composition near the hull. Continue the map.")
    return state, found
