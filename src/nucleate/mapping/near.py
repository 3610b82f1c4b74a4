"""What of a map deserves more than its search: what is near the hull, and the points."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nucleate.mapping.energies import Energies, Phase

NEAR_EV = 0.1
"""eV/atom above the hull up to which a structure gets a CIF and, where asked for, further tiers."""

JUDGED_EV = 0.05
"""eV/atom above the hull up to which structures are polished and a second model judges them."""


def near_phases(energies: Energies, limit: float) -> list[Phase]:
    """Return the lowest structures near the hull, and of the points wherever they are.

    None while the hull lacks a corner.

    Parameters
    ----------
    energies
        What is known and found.
    limit
        eV/atom above the hull up to which a structure is near it.
    """
    hull = energies.hull()
    if hull.missing:
        return []
    return [
        phase
        for phase, height in zip(energies.phases(), hull.above_hull, strict=True)
        if height <= limit or phase.composition in energies.field.points
    ]
