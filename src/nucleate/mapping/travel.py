"""Good structures of other compositions as candidates for one."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np

from nucleate.errors import InputError
from nucleate.mapping.field import key_of
from nucleate.mapping.neighbours import Donor, travelled

if TYPE_CHECKING:
    from nucleate.crystal.candidate import Candidate
    from nucleate.crystal.crystal import Crystal
    from nucleate.crystal.space import SearchSpace
    from nucleate.mapping.energies import Energies, Phase
    from nucleate.mapping.site import Site

DONORS = 12
"""Compositions whose lowest structures are considered, the nearest and lowest ones."""

NEAR = 0.25
"""Distance in atomic fractions at which a composition counts as e times farther."""

HIGHEST_EV = 0.1
"""eV/atom above the hull up to which a structure is worth taking along."""

SHARE = 0.4
"""Of the structures of a visit."""

_log = logging.getLogger(__name__)


def guests_of(
    site: Site,
    energies: Energies,
    space: SearchSpace,
    *,
    structures: int,
    rng: np.random.Generator,
) -> list[Candidate]:
    """Return candidates for a composition that are made from good structures of others.

    Parameters
    ----------
    site
        The composition.
    energies
        What is known and found at all.
    space
        What is searched at this composition.
    structures
        How many structures the visit will relax.
    rng
        Random numbers.
    """
    most = max(round(SHARE * structures), 1)
    donors = _donors(site, energies)
    return travelled(donors, space, most=most, rng=rng) if donors else []


def _donors(site: Site, energies: Energies) -> list[Donor]:
    """Return the lowest structures of the compositions that are near, the best first."""
    field, hull, phases = energies.field, energies.hull(), energies.phases()
    own = key_of(site.composition.counts)
    here = np.array(field.counts_of(site.composition), dtype=np.float64)
    here /= here.sum()
    rated: list[tuple[float, float, Phase]] = []
    for place, phase in enumerate(phases):
        if key_of(phase.composition.counts) == own:
            continue
        height = 0.0 if hull.missing else float(hull.above_hull[place])
        there = np.array(field.counts_of(phase.composition), dtype=np.float64)
        far = float(np.abs(there / there.sum() - here).sum()) / 2.0
        if height <= HIGHEST_EV:
            rated.append((far / NEAR + height / HIGHEST_EV, height, phase))
    rated.sort(key=lambda item: item[0])
    return [
        _donor(phase, height) for _, height, phase in rated[:DONORS] if is_readable(phase, energies)
    ]


def crystal_of(phase: Phase) -> Crystal:
    """Return the geometry of a phase; raises InputError if its run is damaged."""
    if phase.site is None:
        assert phase.reference is not None
        return phase.reference.crystal
    return phase.site.crystal()


def is_readable(phase: Phase, energies: Energies) -> bool:
    """Return whether a phase has a geometry; a run that is found to be damaged counts no more."""
    try:
        crystal_of(phase)
    except InputError as error:
        _log.warning("%s", error)
        energies.update()
        return False
    return True


def _donor(phase: Phase, height: float) -> Donor:
    name: int | str | None = None
    if phase.site is not None:
        name = phase.site.best_number
    elif phase.reference is not None:
        name = phase.reference.name
    assert name is not None
    return Donor(crystal_of(phase), phase.composition.formula, name, height)
