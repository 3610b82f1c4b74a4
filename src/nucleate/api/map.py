"""Search a phase field: many compositions and their convex hull."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from nucleate.api.continued import NO_WINDOW
from nucleate.api.generators import as_generators
from nucleate.api.inputs import executor_section, given, libraries
from nucleate.api.map_inputs import changes_of_map, settings_of_map
from nucleate.api.models import as_tiers, has_objects, inline_executor
from nucleate.api.phase_map import PhaseMap
from nucleate.errors import InputError, NucleateError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from nucleate.mapping.field import Field
    from nucleate.mapping.references import References
    from nucleate.mapping.settings import FieldSettings, MapSettings
    from nucleate.relax.settings import TierSettings
    from nucleate.report.maps.displays import MapDisplay


def map_field(
    field: Any,
    *,
    folder: str | Path | None = None,
    oxidation_states: Mapping[str, int | Sequence[int]] | None = None,
    neutral: bool | None = None,
    windows: str | Sequence[str] | None = None,
    lines: str | Sequence[str] | None = None,
    points: str | Sequence[str] | None = None,
    max_ratio: int | None = None,
    max_atoms_per_formula: int | None = None,
    max_atoms: int | None = None,
    references: str | Path | Sequence[str | Path] | None = None,
    pressure_gpa: float | None = None,
    model: Any = None,
    generators: Any = None,
    known: str | None = None,
    library: str | Path | Sequence[str | Path] | None = None,
    seed: int | None = None,
    allocation: str | None = None,
    time: str | float | None = None,
    core_time: str | float | None = None,
    structures: int | None = None,
    expected_change_mev: float | None = None,
    polish: int | None = None,
    judge: Any = None,
    workers: int | None = None,
    executor: Any = None,
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
        Limits such as ``"0.1 < x(Li) < 0.4"``, lines such as ``"SrO-TiO2"``, and compositions, one
        or several. Lines and points are added to those of the input file or the existing map;
        windows replace them, and ``"none"`` or an empty list removes them.
    max_ratio, max_atoms_per_formula
        Largest ratio of two counts, and largest formula unit of the grid.
    max_atoms
        Maximum number of atoms in a cell.
    references
        Known compounds: ``"shipped"``, libraries, folders of structure files, or JSON of the
        Materials Project, one or several; an empty list for none. They are added to those of an
        existing map.
    pressure_gpa
        External pressure in GPa.
    model, generators, known, seed
        As in :func:`nucleate.predict`.
    library
        Libraries of known structures whose types are tried: ``"shipped"`` or ``.nlib`` files.
    allocation
        Which composition is next: ``"hull"`` (default), ``"equal"`` or ``"random"``.
    time, core_time, structures
        When to stop: running time, processor time, structures of all compositions together. On an
        existing map, limits of an earlier start count no more once a rule of stopping is given.
    expected_change_mev
        Stop when the hull is expected to change by less than this, in meV/atom. Default 1.
    polish, judge
        As in :func:`nucleate.predict`, for points and for compositions on or near
        the hull. Default: neither.
    workers
        Worker processes, by default one per processor core.
    executor
        Who starts them, as in :func:`nucleate.predict`.
    display
        Whether to show the map while it proceeds. Or a display.
    trust
        Run programs and modules that the stored input of an existing folder names.

    Raises
    ------
    InputError
        If the input cannot be used, or the folder holds a map of another input.
    """
    from nucleate.api.map_final import finish_map
    from nucleate.mapping.events import Several
    from nucleate.mapping.running import run_map
    from nucleate.report.maps.displays import suitable_map_display
    from nucleate.report.maps.live import LiveMapPage
    from nucleate.signals import is_request

    options = {
        "oxidation_states": oxidation_states,
        "neutral": neutral,
        "windows": windows,
        "lines": lines,
        "points": points,
        "max_ratio": max_ratio,
        "max_atoms_per_formula": max_atoms_per_formula,
        "max_atoms": max_atoms,
        "references": references,
        "pressure_gpa": pressure_gpa,
        "model": model,
        "generators": generators,
        "known": known,
        "library": library,
        "seed": seed,
        "allocation": allocation,
        "time": time,
        "core_time": core_time,
        "structures": structures,
        "expected_change_mev": expected_change_mev,
        "polish": polish,
        "judge": judge,
        "workers": workers,
        "executor": executor,
    }
    settings, path, _ = _ready(field, options, folder, trust)
    inline = None
    if has_objects(settings.tier):
        inline = partial(inline_executor, pressure_gpa=settings.field.pressure_gpa)
    shown = suitable_map_display(display) if isinstance(display, bool) else display
    with shown:
        shown.start(settings.field.system, path, settings.stop.time)
        for text in (*changes_of_map(settings, path), *empty_lines(settings.field)):
            shown.on_note(text)
        watching = Several([shown, LiveMapPage(path)]) if display else shown
        try:
            summary = run_map(settings, path, callback=watching, executor=inline)
        except Exception:
            _export_broken_off(path)
            raise
        if summary.has_searched and not is_request(summary.reason):
            lack = finish_map(path, settings, on_stage=shown.on_stage, on_note=shown.on_note)
            if lack:
                shown.on_note(lack)
    return PhaseMap(path)


def _export_broken_off(path: Path) -> None:
    """Write the files of a map that an error has ended, as far as that is possible."""
    from nucleate.mapping.reading import read_map
    from nucleate.mapping.store import MapStore
    from nucleate.report.maps.export import export_map

    with suppress(NucleateError, OSError, ValueError):
        if not MapStore.exists(path):
            return
        events = read_map(path).events
        if events and events[-1][4].get("is_error"):
            export_map(path, quickly=True)


def system_of(system: str) -> str:
    """Return a field as it is written in files; raises InputError if it is none."""
    from nucleate.mapping.field import field_of
    from nucleate.mapping.settings import FieldSettings

    return field_of(FieldSettings.model_validate({"system": system})).system


@dataclass(frozen=True, slots=True, eq=False)
class MapPreview:
    """What a map would do.

    Attributes
    ----------
    field : Field
        The compositions.
    references : References
        The known compounds.
    settings : MapSettings
        The whole input.
    judge : TierSettings or None
        The second model.
    changes : tuple of str
        How the input differs from that of the map that the folder holds, in words.
    """

    field: Field
    references: References
    settings: MapSettings
    judge: TierSettings | None
    changes: tuple[str, ...] = ()


def preview_map(
    field: Any, *, folder: str | Path | None = None, trust: bool = False, **options: Any
) -> MapPreview:
    """Return what a map would do, after checking everything that it would need; nothing is done.

    Parameters
    ----------
    field, folder, trust
        As in :func:`map_field`.
    options
        Any other option of :func:`map_field` but ``display``.

    Raises
    ------
    InputError
        If the input cannot be used, a file, library, interpreter or module is missing, or the
        folder holds a map of another input.
    """
    from nucleate.mapping.field import field_of
    from nucleate.mapping.references import references_of

    settings, path, judge = _ready(field, options, folder, trust)
    settings.check_end()
    found = field_of(settings)
    changes = tuple(changes_of_map(settings, path))
    return MapPreview(found, references_of(found, settings), settings, judge, changes)


def _ready(
    field: Any, options: Mapping[str, Any], folder: str | Path | None, trust: bool
) -> tuple[MapSettings, Path, TierSettings | None]:
    """Return the input of a map, its folder and its second model; all are checked."""
    from nucleate.api.final import judge_of
    from nucleate.mapping.field import field_of
    from nucleate.mapping.ready import check_by_trial, check_ready
    from nucleate.mapping.store import MapStore

    model = options.get("model")
    tiers = None if model is None else as_tiers(model)
    chosen = options.get("executor")
    settings, path = settings_of_map(
        field,
        _sections(**options),
        tiers=tiers,
        executor=None if chosen is None else executor_section(chosen),
        folder=folder,
        trust=trust,
    )
    if MapStore.exists(path):
        with MapStore.read(path) as store:
            store.check_same(path, settings)
    judge = judge_of(settings.final)
    found = field_of(settings)
    check_ready(found, settings, judge)
    if not MapStore.exists(path):
        check_by_trial(found, settings, judge)
    return settings, path, judge


def _sections(**options: Any) -> dict[str, dict[str, Any]]:
    """Return options of :func:`map_field` by section and key of the input."""
    get = options.get
    lists = ("windows", "lines", "points")
    plain = ("neutral", "max_ratio", "max_atoms_per_formula", "max_atoms", "pressure_gpa")
    stop = ("time", "core_time", "structures", "expected_change_mev")
    field = given(
        oxidation_states=_states(get("oxidation_states")),
        references=libraries(get("references")),
        **{key: _listed(get(key)) for key in lists},
        **{key: get(key) for key in plain},
    )
    if get("references") == []:
        field["references"] = []
    if get("windows") == []:
        field["windows"] = [NO_WINDOW]
    return {
        "field": field,
        "search": given(
            generators=as_generators(get("generators")),
            known=get("known"),
            library=libraries(get("library")),
            seed=get("seed"),
        ),
        "allocation": given(rule=get("allocation"), seed=get("seed")),
        "stop": given(**{key: get(key) for key in stop}),
        "final": given(best=get("polish"), judge=get("judge")),
        "run": given(workers=get("workers")),
    }


def _states(states: Any) -> dict[str, Any] | None:
    """Return oxidation states by element; raises InputError for anything else."""
    if states is None:
        return None
    if isinstance(states, Mapping):
        return dict(cast("Mapping[str, Any]", states))
    raise InputError(
        f"oxidation_states = {states!r} does not name elements. Give a dictionary such as "
        "{'Sn': [2, 4]}."
    )


def _listed(items: str | Sequence[Any] | None) -> list[str] | None:
    """Return items as texts; a text alone is one of them."""
    if items is None:
        return None
    return [items] if isinstance(items, str) else [str(item) for item in items]


def empty_lines(options: FieldSettings) -> list[str]:
    """Return a sentence for each line of a field that adds nothing between its ends."""
    from nucleate.mapping.field import empty_lines as found_empty

    return found_empty(options)


def live_or_lines() -> MapDisplay:
    """Return a live table where standard output is a terminal, else lines."""
    from nucleate.report.maps.displays import LiveMapDisplay, PlainMapDisplay

    return LiveMapDisplay() if sys.stdout.isatty() else PlainMapDisplay(sys.stdout)


def table_text(facts: Mapping[str, Any]) -> str:
    """Return the state of a map, as :meth:`PhaseMap.status` gives it, as text."""
    from nucleate.report.maps.status import status_text

    return status_text(facts)
