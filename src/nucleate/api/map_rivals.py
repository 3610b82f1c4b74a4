"""Structures near the lowest one of a composition, of which a second model may prefer another."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, NamedTuple

from nucleate.crystal.matching import same_structure
from nucleate.errors import InputError
from nucleate.mapping.damage import UNREADABLE
from nucleate.mapping.field import key_of
from nucleate.mapping.travel import crystal_of
from nucleate.report.findings import read_findings
from nucleate.run.store import Store

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nucleate.crystal.crystal import Crystal
    from nucleate.mapping.energies import Energies, Phase
    from nucleate.mapping.site import Site
    from nucleate.relax.outcome import Relaxed

RIVAL_EV = 0.03
"""eV/atom above the lowest structure up to which a second model sees further ones."""

SAME_EV = 0.001
"""eV/atom by which a structure has to be lower to be preferred."""

_log = logging.getLogger(__name__)


class Rival(NamedTuple):
    """A structure of a composition.

    Attributes
    ----------
    label : int or str
        Its place in the run, or the name of the known compound.
    crystal : Crystal
    """

    label: int | str
    crystal: Crystal


class Choice(NamedTuple):
    """What a second model has of a composition.

    Attributes
    ----------
    enthalpy : float
        Its lowest one, in eV/atom.
    label : int, str or None
        Of the rival that has it; None where that is the first one or the same structure.
    """

    enthalpy: float
    label: int | str | None = None


def preferred(rivals: Sequence[Rival], outcomes: Sequence[Relaxed | None]) -> Choice | None:
    """Return the lowest of several structures by a second model.

    None where it has no energy of the first one, the lowest of the map, so that nothing can be said
    of that.

    Parameters
    ----------
    rivals
        The structures.
    outcomes
        What the second model has made of each; None where it failed.
    """
    first = outcomes[0]
    if first is None:
        return None
    found = [(place, outcome) for place, outcome in enumerate(outcomes) if outcome is not None]
    place, lowest = min(found, key=lambda item: item[1].enthalpy_per_atom)
    is_lower = first.enthalpy_per_atom - lowest.enthalpy_per_atom > SAME_EV
    is_other = is_lower and not same_structure(lowest.crystal, first.crystal)
    return Choice(lowest.enthalpy_per_atom, rivals[place].label if is_other else None)


def rivals_of(phase: Phase, energies: Energies, most: int) -> list[Rival]:
    """Return the lowest structure of a composition, and others within :data:`RIVAL_EV` of it.

    Parameters
    ----------
    phase
        The lowest structure, first in the answer.
    energies
        What is known and found: the lowest known structure is among the others if the search has
        found a lower one, and the lowest of the search if it has not.
    most
        Distinct polished structures of the search, the lowest included; those of a run that cannot
        be read are left out.

    Raises
    ------
    InputError
        If the run of the phase cannot be read.
    """
    limit = phase.energy + RIVAL_EV
    known = phase.reference
    if phase.site is None:
        assert known is not None
        return [Rival(known.name, crystal_of(phase)), *_searched(phase, energies, limit)]
    assert phase.site.best_number is not None
    found = [Rival(phase.site.best_number, crystal_of(phase))]
    found += _polished(phase.site, limit, most - 1)
    if known is not None and known.energy <= limit:
        found.append(Rival(known.name, known.crystal))
    return found


def _searched(phase: Phase, energies: Energies, limit: float) -> list[Rival]:
    """Return the lowest structure that the search has found where a known one is lower."""
    key = key_of(phase.composition.counts)
    for site in energies.sites:
        is_here = key_of(site.composition.counts) == key
        if is_here and site.best_number is not None and (site.best or 0.0) <= limit:
            try:
                return [Rival(site.best_number, site.crystal())]
            except InputError as error:
                _log.warning("%s", error)
    return []


def _polished(site: Site, limit: float, most: int) -> list[Rival]:
    """Return polished structures of a run, the lowest left out, in the order of their energies."""
    if most < 1:
        return []
    try:
        lowest = _lowest_polished(site, limit)
    except UNREADABLE as error:
        _log.warning("%s: %r", site.folder, error)
        return []
    ordered = sorted(lowest.items(), key=lambda item: item[1][0])
    return [Rival(number, crystal) for number, (_, crystal) in ordered[:most]]


def _lowest_polished(site: Site, limit: float) -> dict[int, tuple[float, Crystal]]:
    """Return energy and geometry of distinct structures of a run by their records."""
    found: dict[int, tuple[float, Crystal]] = {}
    with Store.read(site.folder) as store:
        findings = read_findings(store)
        rows = () if findings is None else findings.rows
        numbers = sorted({row.record for row in rows})
        records = {record.number: record for record in store.records_of(numbers)}
    for row in rows:
        relaxed = records[row.record].relaxed_by(row.tier)
        is_lowest = site.best_number in (row.record, *(copy.record for copy in row.same))
        if relaxed is None or is_lowest or relaxed.enthalpy_per_atom > limit:
            continue
        before = found.get(row.record)
        if before is None or relaxed.enthalpy_per_atom < before[0]:
            found[row.record] = relaxed.enthalpy_per_atom, relaxed.crystal
    return found
