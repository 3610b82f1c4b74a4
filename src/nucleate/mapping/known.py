"""The known compounds of a map at its own level of theory."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from nucleate.crystal.composition import Composition
from nucleate.mapping.cache import Caches, key_of_crystal
from nucleate.mapping.energies import RelaxedReference
from nucleate.mapping.references import level_key, references_of
from nucleate.run.relaxation import FileCrystal, relax_files
from nucleate.run.settings import RelaxationSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from nucleate.mapping.events import MapCallback
    from nucleate.mapping.field import Field
    from nucleate.mapping.references import Reference
    from nucleate.mapping.settings import MapSettings
    from nucleate.relax.outcome import Relaxed
    from nucleate.search.record import Record

STAGE = "relaxing known compounds"

_log = logging.getLogger(__name__)


def relaxed_references(
    settings: MapSettings,
    field: Field,
    folder: Path,
    callback: MapCallback,
    remember: Callable[[list[dict[str, str]]], None],
) -> tuple[list[RelaxedReference], str]:
    """Relax the known compounds of a field by the last tier of the map.

    What the map, or another of the same level of theory, has relaxed before is not done again.

    Parameters
    ----------
    settings, field
        The map.
    folder
        Its folder.
    callback
        Who is shown how far it is.
    remember
        Called with name, formula and key of every known compound, before any is relaxed.

    Returns
    -------
    list of RelaxedReference
        Those that have an energy.
    str
        Who asked for the end, if not all were relaxed for that reason; else empty.

    Raises
    ------
    InputError
        If a source of references cannot be read.
    """
    references = references_of(field, settings)
    callback.on_note(references.in_words())
    _log.info("references: %s", references.in_words())
    level = level_key(settings.tier[-1:], settings.field.pressure_gpa)
    keys = [key_of_crystal(item.crystal, level) for item in references.found]
    remember(
        [
            {"name": item.name, "formula": item.formula, "key": key}
            for item, key in zip(references.found, keys, strict=True)
        ]
    )
    reason = ""
    with Caches(folder) as caches:
        found = [caches.get(key) for key in keys]
        missing = [place for place, outcome in enumerate(found) if outcome is None]
        if missing:
            reason = _relax(settings, references.found, keys, missing, found, caches, callback)
    relaxed = [
        RelaxedReference(item.name, item.composition, outcome.enthalpy_per_atom, outcome.crystal)
        for item, outcome in zip(references.found, found, strict=True)
        if outcome is not None
    ]
    if len(relaxed) < len(references.found) and not reason:
        lost = len(references.found) - len(relaxed)
        callback.on_note(f"{lost} known structures failed to relax and are not in the hull")
    return relaxed, reason


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


def _relax(
    settings: MapSettings,
    references: tuple[Reference, ...],
    keys: list[str],
    missing: list[int],
    found: list[Relaxed | None],
    caches: Caches,
    callback: MapCallback,
) -> str:
    """Relax what is missing, keep every outcome as soon as it is available; return who ended it."""
    done = 0

    def keep(record: Record) -> None:
        nonlocal done
        done += 1
        outcome = record.relaxed
        if outcome is not None:
            place = missing[record.number]
            found[place] = outcome
            caches.put(keys[place], outcome)
        callback.on_stage(STAGE, done, len(missing))

    callback.on_stage(STAGE, 0, len(missing))
    tier = settings.tier[-1].model_dump(mode="json")
    wanted = RelaxationSettings.from_dict(
        {
            "tier": [tier],
            "pressure_gpa": settings.field.pressure_gpa,
            "run": settings.run.model_dump(mode="json"),
        }
    )
    items = [
        FileCrystal(references[place].source, references[place].name, references[place].crystal)
        for place in missing
    ]
    return relax_files(items, wanted, keep=False, on_record=keep).reason
