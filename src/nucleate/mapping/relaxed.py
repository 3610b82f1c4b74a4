"""Crystals relaxed by one tier, those that were relaxed before taken from the caches."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from nucleate.mapping.cache import Caches, key_of_crystal
from nucleate.mapping.level import level_of
from nucleate.run.listed_files import FileCrystal
from nucleate.run.relaxation import relax_files
from nucleate.run.settings import RelaxationSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from nucleate.crystal.crystal import Crystal
    from nucleate.mapping.level import Level
    from nucleate.mapping.settings import MapSettings
    from nucleate.relax.outcome import Relaxed
    from nucleate.relax.settings import TierSettings
    from nucleate.run.executor import Executor
    from nucleate.search.record import Record


class Spent(NamedTuple):
    """What a series of relaxations has taken in seconds, loading and compilation left out."""

    session_s: float = 0.0
    core_s: float = 0.0


def relaxed_crystals(
    named: Sequence[tuple[str, Crystal]],
    tier: TierSettings,
    settings: MapSettings,
    folder: Path,
    on_done: Callable[[int, int], None],
    executor: Callable[[Sequence[TierSettings]], Executor] | None = None,
    time_s: float | None = None,
    level: Level | None = None,
) -> tuple[list[Relaxed | None], str, Spent]:
    """Relax crystals; every outcome is kept as soon as it is available.

    Those that failed before are tried again.

    Parameters
    ----------
    named
        Names and crystals.
    tier
        By which they are relaxed.
    settings
        Pressure and workers.
    folder
        The folder of the map.
    on_done
        Called with how many of those that are not known yet are done, and how many there are.
    executor
        Returns who relaxes; default: worker processes.
    time_s
        Running time after which it stops.
    level
        Of the tier; default: it is found.

    Returns
    -------
    list of Relaxed or None
        None where it failed, or was not reached.
    str
        Why not all were relaxed, where somebody asked for the end or the time was up; else empty.
    Spent
        Running time, and processor time of this process and the workers.
    """
    level = level or level_of(tier, settings.field.pressure_gpa)
    keys = [key_of_crystal(crystal, level.key) for _, crystal in named]
    with Caches(folder, level.shared) as caches:
        found = [caches.get(key) for key in keys]
        missing = [place for place, outcome in enumerate(found) if outcome is None]
        if not missing:
            return found, "", Spent()
        done = 0

        def keep(record: Record) -> None:
            nonlocal done
            done += 1
            place = missing[record.number]
            found[place] = record.relaxed
            if record.outcomes:
                caches.put(keys[place], record.relaxed or record.outcomes[-1].outcome)
            on_done(done, len(missing))

        on_done(0, len(missing))
        items = [FileCrystal("", *named[place]) for place in missing]
        wanted = RelaxationSettings.from_dict(
            {
                "tier": [tier.model_dump(mode="json")],
                "pressure_gpa": settings.field.pressure_gpa,
            }
        )
        given = None if executor is None else executor([tier])
        try:
            done_of = relax_files(
                items,
                wanted,
                keep=False,
                on_record=keep,
                executor=given,
                time_s=time_s,
                where=settings,
                workplace=folder,
            )
            return found, done_of.reason, Spent(done_of.session_s, done_of.core_s)
        finally:
            if given is not None:
                given.close()
