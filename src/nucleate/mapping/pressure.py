"""One compression for all compositions of a map, as they share the guards of their workers."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import numpy as np

from nucleate.energy.compression import Compression
from nucleate.run.pressure import (
    COMPRESSION,
    LEAST_GPA,
    STAGE,
    compression_by_the_model,
    compression_line,
)

if TYPE_CHECKING:
    from nucleate.crystal.composition import Composition
    from nucleate.mapping.events import MapCallback
    from nucleate.mapping.field import Field
    from nucleate.mapping.settings import MapSettings
    from nucleate.mapping.store import MapStore


def at_one_compression(
    settings: MapSettings, field: Field, store: MapStore, callback: MapCallback
) -> MapSettings:
    """Return the input with the compression that all compositions of the map have.

    Above 1 GPa, where none is given, it is that of the middle composition, found out once by the
    first tier that is an MLIP and kept in the store of the map.

    Parameters
    ----------
    settings, field, store
        The map.
    callback
        Who is shown it.
    """
    pressure_gpa = settings.field.pressure_gpa
    if settings.field.compression is not None or abs(pressure_gpa) <= LEAST_GPA:
        return settings
    kept = store.meta.get(COMPRESSION)
    if kept is None:
        callback.on_stage(STAGE, 0, 1)
        found = compression_by_the_model(settings.run_settings(middle_of(field)))
        callback.on_stage(STAGE, 1, 1)
        store.remember(COMPRESSION, asdict(found))
    else:
        found = Compression(**kept)
    if line := compression_line(pressure_gpa, found):
        callback.on_note(line.replace("problem.compression", "field.compression"))
    limits = settings.field.model_copy(update={"compression": found.factor})
    return settings.model_copy(update={"field": limits})


def middle_of(field: Field) -> Composition:
    """Return the composition nearest to equal shares of all corners; the smallest of several."""
    if not field.inner:
        return field.members[0]
    first = len(field.members)
    away = ((field.coordinates[first:] - 1.0 / first) ** 2).sum(axis=1)
    atoms = field.counts[first:].sum(axis=1)
    return field.inner[int(np.lexsort((atoms, away.round(9)))[0])]
