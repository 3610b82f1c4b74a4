"""Structure types and nearest known compounds of the rows of a map."""

from __future__ import annotations

from dataclasses import replace
from math import isfinite
from typing import TYPE_CHECKING

from nucleate.errors import InputError
from nucleate.mapping.travel import crystal_of
from nucleate.report.naming import identity_of, libraries_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nucleate.crystal.crystal import Crystal
    from nucleate.mapping.reading import MapState
    from nucleate.report.maps.rows import MapRow


def named(rows: Sequence[MapRow], state: MapState, *, most: int | None = None) -> list[MapRow]:
    """Return rows with structure type, Pearson symbol and nearest known compound.

    Parameters
    ----------
    rows
        Of the map.
    state
        The map.
    most
        How many of the first rows are named, which takes about 10 ms each, the first time;
        default all.
    """
    libraries = libraries_of(state.meta)
    by_formula = {phase.composition.formula: phase for phase in state.energies.phases()}
    found = list(rows)
    for place, row in enumerate(found[:most]):
        phase = by_formula.get(row.formula)
        if phase is None:
            continue
        try:
            crystal = crystal_of(phase)
        except InputError:  # of a damaged run, which the map reports
            continue
        found[place] = _named(row, crystal, libraries)
    return found


def _named(row: MapRow, crystal: Crystal, libraries: Sequence[str]) -> MapRow:
    found = identity_of(crystal, libraries)
    if found is None:
        return row
    nearest = " ".join(word for word in (found.nearest_formula, found.nearest) if word)
    return replace(
        row,
        structure_type=found.structure_type,
        pearson=found.pearson,
        nearest=nearest,
        nearest_distance=round(found.distance, 4) if isfinite(found.distance) else None,
    )
