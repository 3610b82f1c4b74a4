"""What is near the hull of a map."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from nucleate.errors import InputError
from nucleate.mapping.near import NEAR_EV, near_phases
from nucleate.mapping.reading import read_map

if TYPE_CHECKING:
    from nucleate.mapping.reading import MapState
    from nucleate.mapping.site import Site


def near_sites(folder: str | Path) -> tuple[MapState, list[Site]]:
    """Return a map and what was searched of the compositions near its hull and of its points.

    The lowest structure of one may be a known compound.

    Raises
    ------
    InputError
        If there is none.
    """
    state = read_map(Path(folder))
    state.check_structures()
    phases = near_phases(state.energies, NEAR_EV)
    places = (state.field.index_of(phase.composition) for phase in phases)
    sites = [state.energies.sites[place] for place in places if place is not None]
    found = [site for site in sites if site.best is not None]
    if not found:
        raise InputError(f"{folder} has no searched composition near the hull. Continue the map.")
    return state, found
