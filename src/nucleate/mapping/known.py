"""The known compounds of a map at its own level of theory."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

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
    from nucleate.mapping.relaxed import Spent
    from nucleate.mapping.settings import MapSettings
    from nucleate.relax.settings import TierSettings
    from nucleate.run.executor import Executor

STAGE = "relaxing known compounds"

LISTED, LEFT_OUT = "references", "references_left_out"
"""Keys of the store of a map: its known compounds, and how many of the sources were not used."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LostReference:
    """A known compound without an energy.

    Attributes
    ----------
    name, formula : str
    reason : str
        How its relaxation failed; empty where it was not reached yet.
    """

    name: str
    formula: str
    reason: str


def relaxed_references(
    references: References,
    settings: MapSettings,
    level: Level,
    folder: Path,
    callback: MapCallback,
    remember: Callable[[str, Any], None],
    executor: Callable[[Sequence[TierSettings]], Executor] | None = None,
) -> tuple[list[RelaxedReference], str, Spent]:
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
        Called with a key of the store of the map and a value, before any is relaxed: name,
        formula and key of every known compound, and how many were left out.
    executor
        Returns who relaxes; default: worker processes.

    Returns
    -------
    list of RelaxedReference
        Those that have an energy.
    str
        Why not all were relaxed, where somebody asked for the end or the time was up; else empty.
    Spent
        Running and processor time.
    """
    callback.on_note(references.in_words())
    _log.info("references: %s", references.in_words())
    keys = [key_of_crystal(item.crystal, level.key) for item in references.found]
    listed = [
        {"name": item.name, "formula": item.formula, "key": key}
        for item, key in zip(references.found, keys, strict=True)
    ]
    remember(LISTED, listed)
    remember(
        LEFT_OUT,
        {"held_out": references.held_out, "more_polymorphs": references.more_polymorphs},
    )
    found, reason, spent = relaxed_crystals(
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
        _, lost = stored_references(listed, folder)
        callback.on_note(lost_words(lost))
        _log.warning("%s", lost_words(lost, most=len(lost)))
    return relaxed, reason, spent


def stored_references(
    listed: Sequence[Mapping[str, str]], folder: Path
) -> tuple[list[RelaxedReference], list[LostReference]]:
    """Return the known compounds that a map has relaxed so far, and the others.

    Nothing is computed.

    Parameters
    ----------
    listed
        What :func:`relaxed_references` gave to ``remember``.
    folder
        The folder of the map.
    """
    relaxed: list[RelaxedReference] = []
    lost: list[LostReference] = []
    with Caches(folder) as caches:
        for item in listed:
            name, formula, outcome = item["name"], item["formula"], caches.get(item["key"])
            if outcome is None:
                lost.append(LostReference(name, formula, caches.failure(item["key"])))
                continue
            composition = Composition.from_formula(formula)
            energy = outcome.enthalpy_per_atom
            relaxed.append(RelaxedReference(name, composition, energy, outcome.crystal))
    return relaxed, lost


def lost_words(lost: Sequence[LostReference], most: int = 4) -> str:
    """Return which known structures are not in the hull and why, in words.

    Parameters
    ----------
    lost
        At least one.
    most
        How many are named.
    """
    failed = [item for item in lost if item.reason]
    parts = []
    if failed:
        named = "; ".join(
            f"{item.name} of {item.formula} ({item.reason})" for item in failed[:most]
        )
        more = f" and {len(failed) - most} more" if len(failed) > most else ""
        noun = "structure" if len(failed) == 1 else "structures"
        parts.append(
            f"{len(failed)} known {noun} failed to relax, and the hull is without: {named}{more}"
        )
    if len(failed) < len(lost):
        parts.append(f"{len(lost) - len(failed)} known structures are not relaxed yet")
    return "; ".join(parts)
