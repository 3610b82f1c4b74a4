"""The known compounds of a map at its own level of theory."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from nucleate.crystal.composition import Composition
from nucleate.mapping.cache import Caches, key_of_crystal
from nucleate.mapping.energies import RelaxedReference
from nucleate.mapping.relaxed import relaxed_crystals

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from nucleate.mapping.events import MapCallback
    from nucleate.mapping.level import Level
    from nucleate.mapping.references import References
    from nucleate.mapping.settings import MapSettings
    from nucleate.relax.settings import TierSettings
    from nucleate.run.executor import Executor

STAGE = "relaxing known compounds"

_log = logging.getLogger(__name__)


def relaxed_references(
    references: References,
    settings: MapSettings,
    level: Level,
    folder: Path,
    callback: MapCallback,
    remember: Callable[[list[dict[str, str]]], None],
    executor: Callable[[Sequence[TierSettings]], Executor] | None = None,
) -> tuple[list[RelaxedReference], str, float]:
    """Relax the known compounds of a field by the last tier of the map.

    What the map, or another of the same level of theory, has relaxed before is not done again. It
    counts for ``stop.time``.

    Parameters
    ----------
    references
        Of the field.
    settings
        The input of the map.
    level
        Of its last tier.
    folder
        Its folder.
    callback
        Who is shown how far it is.
    remember
        Called with name, formula and key of every known compound, before any is relaxed.
    executor
        Returns who relaxes; default: worker processes.

    Returns
    -------
    list of RelaxedReference
        Those that have an energy.
    str
        Why not all were relaxed, where somebody asked for the end or the time was up; else empty.
    float
        Running time in seconds.
    """
    callback.on_note(references.in_words())
    _log.info("references: %s", references.in_words())
    keys = [key_of_crystal(item.crystal, level.key) for item in references.found]
    remember(
        [
            {"name": item.name, "formula": item.formula, "key": key}
            for item, key in zip(references.found, keys, strict=True)
        ]
    )
    found, reason, spent_s = relaxed_crystals(
        [(item.name, item.crystal) for item in references.found],
        settings.tier[-1],
        settings,
        folder,
        lambda done, whole: callback.on_stage(STAGE, done, whole),
        executor,
        settings.stop.time,
        level,
    )
    relaxed = [
        RelaxedReference(item.name, item.composition, outcome.enthalpy_per_atom, outcome.crystal)
        for item, outcome in zip(references.found, found, strict=True)
        if outcome is not None
    ]
    if len(relaxed) < len(references.found) and not reason:
        lost = len(references.found) - len(relaxed)
        callback.on_note(f"{lost} known structures failed to relax and are not in the hull")
    return relaxed, reason, spent_s


def stored_references(listed: Sequence[Mapping[str, str]], folder: Path) -> list[RelaxedReference]:
    """Return the known compounds that a map has relaxed so far; nothing is computed.

    Parameters
    ----------
    listed
        What :func:`relaxed_references` gave to ``remember``.
    folder
        The folder of the map.
    """
    with Caches(folder) as caches:
        pairs = [(item, caches.get(item["key"])) for item in listed]
    return [
        RelaxedReference(
            item["name"],
            Composition.from_formula(item["formula"]),
            outcome.enthalpy_per_atom,
            outcome.crystal,
        )
        for item, outcome in pairs
        if outcome is not None
    ]
