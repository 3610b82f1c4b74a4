"""Structures near the lowest one of a composition, of which a second model may prefer another."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, NamedTuple

from nucleate.errors import InputError
from nucleate.mapping.field import key_of
from nucleate.mapping.travel import crystal_of
from nucleate.report.findings import read_findings
from nucleate.run.store import Store

if TYPE_CHECKING:
    from nucleate.crystal.crystal import Crystal
    from nucleate.mapping.energies import Energies, Phase
    from nucleate.mapping.site import Site

RIVAL_EV = 0.03
"""eV/atom above the lowest structure up to which a second model sees further ones."""

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
        Distinct polished structures of the search, the lowest included.

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
    found = [Rival(phase.site.best_number or 0, crystal_of(phase))]
    found += _polished(phase.site, limit, most - 1)
    if known is not None and known.energy <= limit:
        found.append(Rival(known.name, known.crystal))
    return found


def _searched(phase: Phase, energies: Energies, limit: float) -> list[Rival]:
    """Return the lowest structure that the search has found where a known one is lower."""
    key = key_of(phase.composition.counts)
    for site in energies.sites:
        if key_of(site.composition.counts) == key and site.best is not None and site.best <= limit:
            try:
                return [Rival(site.best_number or 0, site.crystal())]
            except InputError as error:
                _log.warning("%s", error)
    return []


def _polished(site: Site, limit: float, most: int) -> list[Rival]:
    """Return polished structures of a run, the lowest left out, in the order of their energies."""
    with Store.read(site.folder) as store:
        findings = read_findings(store)
        rows = () if findings is None else findings.rows
        records = {item.number: item for item in store.records_of(sorted({r.record for r in rows}))}
    lowest: dict[int, tuple[float, Crystal]] = {}
    for row in rows:
        relaxed = records[row.record].relaxed_by(row.tier)
        if relaxed is None or row.record == site.best_number or relaxed.enthalpy_per_atom > limit:
            continue
        before = lowest.get(row.record)
        if before is None or relaxed.enthalpy_per_atom < before[0]:
            lowest[row.record] = relaxed.enthalpy_per_atom, relaxed.crystal
    ordered = sorted(lowest.items(), key=lambda item: item[1][0])
    return [Rival(number, crystal) for number, (_, crystal) in ordered[: max(most, 0)]]
