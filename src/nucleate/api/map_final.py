"""The end of a map: what is near the hull is polished, and a second model judges the hull."""

from __future__ import annotations

import logging
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from nucleate.api.final import finish, judge_of
from nucleate.api.map_rivals import preferred, rivals_of
from nucleate.api.models import has_objects, inline_executor
from nucleate.errors import NucleateError
from nucleate.mapping.damage import UNREADABLE
from nucleate.mapping.judged import JUDGED, identity_of
from nucleate.mapping.near import JUDGED_EV, near_phases
from nucleate.mapping.reading import read_map
from nucleate.mapping.relaxed import relaxed_crystals
from nucleate.mapping.store import MapStore
from nucleate.run.lock import locked
from nucleate.signals import is_request

if TYPE_CHECKING:
    from collections.abc import Callable

    from nucleate.mapping.energies import Energies
    from nucleate.mapping.settings import MapSettings

_log = logging.getLogger(__name__)


def finish_map(
    folder: str | Path,
    settings: MapSettings,
    *,
    on_stage: Callable[[str, int, int], None],
    on_note: Callable[[str], None] = _log.warning,
) -> str:
    """Polish and judge what is near the hull, and the points; continue what was interrupted.

    Parameters
    ----------
    folder
        The folder of the map; no other process uses it.
    settings
        The input, with ``[final]`` as wanted now.
    on_stage
        Called with what is being done, how much of it is done, and how much there is.
    on_note
        Called with a sentence for each composition that cannot be polished.

    Returns
    -------
    str
        Why it ended before its time, else empty.

    Raises
    ------
    InputError
        If the judge cannot be used.
    """
    path = Path(folder)
    judge_of(settings.final)
    with locked(path):
        if settings.final.best and (reason := _polish(path, settings, on_stage, on_note)):
            return reason
        return _judge(path, settings, on_stage)


def _polish(
    path: Path,
    settings: MapSettings,
    on_stage: Callable[[str, int, int], None],
    on_note: Callable[[str], None],
) -> str:
    near = [
        phase.site for phase in near_phases(_energies_of(path), JUDGED_EV) if phase.site is not None
    ]
    for done, site in enumerate(near):
        on_stage("polishing near the hull", done, len(near))
        try:
            wanted = settings.run_settings(site.composition, site.folder).model_copy(
                update={"final": settings.final.model_copy(update={"judge": "off"})}
            )
            summary = finish(site.folder, wanted)
        except UNREADABLE as error:
            on_note(f"{site.formula} is not polished: {error}")
            continue
        if summary.polish is not None and is_request(summary.polish.reason):
            return summary.polish.reason
    on_stage("polishing near the hull", len(near), len(near))
    return ""


def _energies_of(path: Path) -> Energies:
    """Return the energies of a map, of phases whose structure can be read."""
    state = read_map(path)
    state.check_structures()
    return state.energies


def _judge(path: Path, settings: MapSettings, on_stage: Callable[[str, int, int], None]) -> str:
    """Relax what makes the hull, what is near it and the points by the second model."""
    tier = judge_of(settings.final)
    energies = _energies_of(path)
    if tier is None or energies.hull().missing:
        return ""
    phases = near_phases(energies, JUDGED_EV)
    rivals = [rivals_of(phase, energies, settings.final.best) for phase in phases]
    named = [
        (f"{phase.composition.formula}, {rival.label}", rival.crystal)
        for phase, group in zip(phases, rivals, strict=True)
        for rival in group
    ]
    pressure_gpa = settings.field.pressure_gpa
    inline = partial(inline_executor, pressure_gpa=pressure_gpa) if has_objects([tier]) else None
    try:
        found, reason, _ = relaxed_crystals(
            named,
            tier,
            settings,
            path,
            lambda done, whole: on_stage(f"judging the hull by {tier.name}", done, whole),
            inline,
        )
    except NucleateError as error:
        _log.warning("judge: %s", error)
        return f"no second hull: {error}"
    if reason:
        return reason
    outcomes = iter(found)
    values: dict[str, float] = {}
    others: dict[str, int | str] = {}
    for phase, group in zip(phases, rivals, strict=True):
        choice = preferred(group, list(islice(outcomes, len(group))))
        if choice is not None:
            values[phase.composition.formula] = choice.enthalpy
            if choice.label is not None:
                others[phase.composition.formula] = choice.label
    data = {
        "tier": tier.name,
        "energies": values,
        "structures": {phase.composition.formula: identity_of(phase) for phase in phases},
        "others": others,
    }
    with MapStore.read(path) as store:
        store.remember(JUDGED, data)
    return ""
