"""Search a phase field: many compositions and their convex hull."""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING, Any

from nucleate.api.generators import as_generators
from nucleate.api.inputs import given
from nucleate.api.map_inputs import settings_of_map
from nucleate.api.models import as_tiers, has_objects, inline_executor
from nucleate.api.phase_map import PhaseMap

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from nucleate.mapping.field import Field
    from nucleate.report.maps.displays import MapDisplay


def map_field(
    field: Any,
    *,
    folder: str | Path | None = None,
    oxidation_states: Mapping[str, int | Sequence[int]] | None = None,
    neutral: bool | None = None,
    windows: Sequence[str] | None = None,
    lines: Sequence[str] | None = None,
    points: Sequence[str] | None = None,
    max_ratio: int | None = None,
    max_atoms_per_formula: int | None = None,
    max_atoms: int | None = None,
    references: Sequence[str | Path] | None = None,
    pressure_gpa: float | None = None,
    model: Any = None,
    generators: Any = None,
    known: str | None = None,
    library: Sequence[str | Path] | None = None,
    seed: int | None = None,
    allocation: str | None = None,
    time: str | float | None = None,
    core_time: str | float | None = None,
    structures: int | None = None,
    expected_change_mev: float | None = None,
    polish: int | None = None,
    judge: Any = None,
    workers: int | None = None,
    display: MapDisplay | bool = True,
    trust: bool = False,
) -> PhaseMap:
    """Search a phase field and return its map; ``nucleate.map``.

    Ctrl-C ends the search and returns what was found. Each composition is a run in a folder of its
    own, which :func:`nucleate.open` opens and :func:`nucleate.predict` continues.

    Parameters
    ----------
    field
        Elements or end members joined by hyphens (``"Y-Sr-Ti-O"``, ``"Li2O-SiO2-LiCl"``), the path
        of an input file, or settings.
    folder
        Folder of the map; default ``nucleate-map-FIELD``. A map that it holds is continued.
    oxidation_states
        Charge of elements, or a list for mixed valence; the others have their usual ones.
    neutral
        Whether only charge-neutral compositions count.
    windows, lines, points
        Limits such as ``"0.1 < x(Li) < 0.4"``, lines such as ``"SrO-TiO2"``, and compositions.
    max_ratio, max_atoms_per_formula
        Largest ratio of two counts, and largest formula unit of the grid.
    max_atoms
        Maximum number of atoms in a cell.
    references
        Known compounds: ``"shipped"``, libraries, folders of structure files, or JSON of the
        Materials Project.
    pressure_gpa
        External pressure in GPa.
    model, generators, known, seed
        As in :func:`nucleate.predict`.
    library
        Libraries of known structures whose types are tried: ``"shipped"`` or ``.nlib`` files.
    allocation
        Which composition is next: ``"hull"`` (default), ``"equal"`` or ``"random"``.
    time, core_time, structures
        When to stop: running time, processor time, structures of all compositions together.
    expected_change_mev
        Stop when the hull is expected to change by less than this, in meV/atom. Default 1.
    polish, judge
        As in :func:`nucleate.predict`, for the compositions on or near the hull. Default: neither.
    workers
        Worker processes, by default one per processor core.
    display
        Whether to show the map while it proceeds. Or a display.
    trust
        Run programs and modules that the stored input of an existing folder names.

    Raises
    ------
    InputError
        If the input cannot be used, or the folder holds a map of another input.
    """
    from nucleate.api.final import judge_of
    from nucleate.api.map_final import finish_map
    from nucleate.mapping.campaign import run_map
    from nucleate.mapping.events import Several
    from nucleate.mapping.field import check_models, field_of
    from nucleate.report.maps.displays import suitable_map_display
    from nucleate.report.maps.live import LiveMapPage
    from nucleate.signals import is_request

    options = {
        "field": given(
            oxidation_states=None if oxidation_states is None else dict(oxidation_states),
            neutral=neutral,
            windows=_listed(windows),
            lines=_listed(lines),
            points=_listed(points),
            max_ratio=max_ratio,
            max_atoms_per_formula=max_atoms_per_formula,
            max_atoms=max_atoms,
            references=_listed(references),
            pressure_gpa=pressure_gpa,
        ),
        "search": given(
            generators=as_generators(generators), known=known, library=_listed(library), seed=seed
        ),
        "allocation": given(rule=allocation, seed=seed),
        "stop": given(
            time=time,
            core_time=core_time,
            structures=structures,
            expected_change_mev=expected_change_mev,
        ),
        "final": given(best=polish, judge=judge),
        "run": given(workers=workers),
    }
    tiers = None if model is None else as_tiers(model)
    settings, path = settings_of_map(field, options, tiers=tiers, folder=folder, trust=trust)
    judge = judge_of(settings.final)
    if judge is not None:
        check_models(field_of(settings), [judge])
    executor = None
    if has_objects(settings.tier):
        executor = partial(inline_executor, pressure_gpa=settings.field.pressure_gpa)
    shown = suitable_map_display(display) if isinstance(display, bool) else display
    with shown:
        shown.start(settings.field.system, path, settings.stop.time)
        watching = Several([shown, LiveMapPage(path)]) if display else shown
        summary = run_map(settings, path, callback=watching, executor=executor)
        if not is_request(summary.reason):
            lack = finish_map(path, settings, on_stage=shown.on_stage, on_note=shown.on_note)
            if lack:
                shown.on_note(lack)
    return PhaseMap(path)


def compositions_of(
    field: Any, *, folder: str | Path | None = None, trust: bool = False, **options: Any
) -> Field:
    """Return the compositions of a field without searching any.

    Parameters
    ----------
    field
        As in :func:`map_field`.
    folder
        Of the map that is continued, if there is one.
    trust
        As in :func:`map_field`.
    options
        Keys of ``[field]``.

    Raises
    ------
    InputError
        If the input cannot be used.
    """
    from nucleate.mapping.field import check_models, field_of

    settings, _ = settings_of_map(field, {"field": given(**options)}, folder=folder, trust=trust)
    found = field_of(settings)
    check_models(found, settings.tier)
    return found


def _listed(items: Sequence[Any] | None) -> list[str] | None:
    return None if items is None else [str(item) for item in items]


def live_or_lines() -> MapDisplay:
    """Return a live table where standard output is a terminal, else lines."""
    from nucleate.report.maps.displays import LiveMapDisplay, PlainMapDisplay

    return LiveMapDisplay() if sys.stdout.isatty() else PlainMapDisplay(sys.stdout)


def table_text(facts: Mapping[str, Any]) -> str:
    """Return the state of a map, as :meth:`PhaseMap.status` gives it, as text."""
    from nucleate.report.maps.status import status_text

    return status_text(facts)
