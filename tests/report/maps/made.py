"""Maps of invented energies, of any number of corners."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from nucleate.crystal.composition import Composition
from nucleate.crystal.crystal import Crystal
from nucleate.mapping.energies import Energies, RelaxedReference
from nucleate.mapping.field import field_of
from nucleate.mapping.reading import MapState
from nucleate.mapping.settings import MapSettings
from nucleate.mapping.site import Site


def crystal_with(composition: Composition) -> Crystal:
    """Return atoms of a composition in a row; a crystal, if not one that anybody would make."""
    numbers = composition.numbers(1)
    n = len(numbers)
    scaled = np.column_stack([np.arange(n) / n, np.zeros(n), np.zeros(n)])
    return Crystal(numbers, np.diag([2.6 * n, 3.0, 3.0]), scaled)


def made_map(system: str, folder: Path, seed: int = 0, **field: object) -> MapState:
    """Return a map whose energies are drawn; corners are known, some compositions not visited."""
    rng = np.random.default_rng(seed)
    settings = MapSettings.from_dict({"field": {"system": system, **field}})
    found = field_of(settings)
    sites, events, references = [], [], []
    for place, composition in enumerate(found.compositions):
        site = Site(composition, folder / "compositions" / composition.formula)
        if place < len(found.members):
            crystal = crystal_with(composition)
            references.append(RelaxedReference(f"known-{place}", composition, -4.0, crystal))
        elif rng.random() < 0.8:
            site.note(0, -4.0 + rng.normal(0.1, 0.1))
            site.note(1, -4.2 + rng.normal(0.1, 0.2))
            site.best_crystal = crystal_with(composition)
            site.n_visits, site.core_s = 1, 2.0
            data = {"best": site.best, "number": 1, "structures": 2}
            events.append((float(place), 2.0 * place, "visit", site.formula, data))
        elif rng.random() < 0.3:
            site.note(0, None)
        sites.append(site)
    events.append((200.0, 300.0, "stop", None, {"reason": "the time is up"}))
    meta = {"input": settings.to_dict(), "created": "2026-01-01", "versions": {"nucleate": "0"}}
    energies = Energies(found, sites, references, settings.field.cell_limit)
    return MapState(folder, settings.field, found, energies, tuple(events), meta)
