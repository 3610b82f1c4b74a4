"""Everything a map has found as files that other programs read."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nucleate.crystal.files import write_cif, write_extxyz
from nucleate.errors import MissingDependencyError
from nucleate.mapping.judged import JUDGED
from nucleate.mapping.near import NEAR_EV, near_phases
from nucleate.mapping.potentials import stability_windows
from nucleate.mapping.reading import read_map
from nucleate.mapping.site import name_of
from nucleate.mapping.travel import crystal_of
from nucleate.report.maps.advice import Advice, to_make_next
from nucleate.report.maps.materials import entry_dict, phase_diagram
from nucleate.report.maps.named import named
from nucleate.report.maps.rows import map_rows
from nucleate.report.maps.status import without_figure
from nucleate.report.render import write_rows
from nucleate.units import GPA_PER_EV_A3
from nucleate.writing import remove_unfinished, whole_files

if TYPE_CHECKING:
    from nucleate.mapping.reading import MapState
    from nucleate.report.maps.rows import MapRow

CIF_SYMPREC = 0.01
SLOW = ("entries.json", "phase-diagram.json", "hull.png")
"""Files that take longer than the others together."""

REFERENCE_COLUMNS = ("name", "formula", "state", "energy_ev_per_atom", "reason")


def export_map(folder: str | Path, *, out: str | Path | None = None, quickly: bool = False) -> Path:
    """Write the files of a map.

    ``hull.csv`` has every composition with its structure type, ``next.csv`` those to make next with
    the reasons, ``references.csv`` every known structure, also those that failed,
    ``potentials.csv`` the chemical potentials at which each phase is stable,
    ``structures.extxyz`` the lowest structure of each composition, ``structures/`` a CIF for those
    near the hull and for the points of the input, ``entries.json`` and ``phase-diagram.json`` what
    pymatgen reads (the second where it is installed), ``hull.png`` (of at most four corners) and
    ``map.html`` the hull. Existing files of these names are replaced.

    Parameters
    ----------
    folder
        The folder of the map.
    out
        Where to write; None means the folder of the map.
    quickly
        Leave out ``hull.png`` and the files for pymatgen, as when somebody waits for the end;
        those of an earlier state are removed.

    Raises
    ------
    InputError
        If the folder holds no map, or cannot be written.
    """
    from nucleate.report.maps.page import write_map_page

    state = read_map(folder)
    state.check_structures()
    target = Path(folder if out is None else out)
    rows = named(map_rows(state.energies, state.meta.get(JUDGED)), state)
    remove_unfinished(target)
    with whole_files(target) as unfinished:
        write_rows(unfinished / "hull.csv", [row.to_dict() for row in rows])
        advice = [item.to_dict() for item in to_make_next(rows)]
        write_rows(unfinished / "next.csv", advice, [item.name for item in fields(Advice)])
        write_rows(unfinished / "references.csv", reference_rows(state), REFERENCE_COLUMNS)
        write_rows(unfinished / "potentials.csv", potential_rows(state), ["formula"])
        _write_structures(unfinished, state, rows)
        if not quickly:
            _write_for_pymatgen(unfinished, state)
            _write_figure(unfinished / "hull.png", state)
        write_map_page(unfinished / "map.html", state, rows)
    for name in SLOW if quickly else ():
        (target / name).unlink(missing_ok=True)
    return target


def _write_figure(path: Path, state: MapState) -> None:
    from nucleate.report.maps.figures import hull_figure

    if not state.energies.hull().missing and not without_figure(state):
        hull_figure(state).savefig(path, dpi=150)


def reference_rows(state: MapState) -> list[dict[str, Any]]:
    """Return the known structures of a map; those that are not in the hull come last."""
    rows: list[tuple[Any, ...]] = [
        (item.name, item.composition.formula, "relaxed", item.energy, "")
        for item in state.energies.references
    ]
    for lost in state.lost:
        text = "failed" if lost.reason else "not relaxed yet"
        rows.append((lost.name, lost.formula, text, "", lost.reason))
    return [dict(zip(REFERENCE_COLUMNS, row, strict=True)) for row in rows]


def potential_rows(state: MapState) -> list[dict[str, Any]]:
    """Return the chemical potentials at which each phase is stable; empty without a hull."""
    hull = state.energies.hull()
    if hull.missing:
        return []
    rows: list[dict[str, Any]] = []
    for window in stability_windows(hull):
        row: dict[str, Any] = {"formula": window.name}
        for name, low, high in zip(hull.member_names, window.low, window.high, strict=True):
            row[f"lowest_{name}_ev"] = "" if low == float("-inf") else low
            row[f"highest_{name}_ev"] = high
        rows.append(row)
    return rows


def _write_structures(target: Path, state: MapState, rows: list[MapRow]) -> None:
    heights = {row.formula: row for row in rows}
    pressure_gpa = state.options.pressure_gpa
    pressure_ev = pressure_gpa / GPA_PER_EV_A3
    frames = []
    structures = target / "structures"
    structures.mkdir()
    for phase in state.energies.phases():
        row, crystal = heights[phase.composition.formula], crystal_of(phase)
        facts = {key: value for key, value in row.to_dict().items() if value not in (None, "")}
        facts["energy"] = phase.energy * crystal.n_atoms - pressure_ev * crystal.volume
        if pressure_gpa:
            facts |= {"enthalpy": phase.energy * crystal.n_atoms, "pressure_gpa": pressure_gpa}
        frames.append((row.formula, crystal, facts))
    write_extxyz(target / "structures.extxyz", frames)
    for phase in near_phases(state.energies, NEAR_EV):
        path = structures / f"{name_of(phase.composition)}.cif"
        write_cif(path, crystal_of(phase), symprec=CIF_SYMPREC)


def _write_for_pymatgen(target: Path, state: MapState) -> None:
    entries = [entry_dict(phase, state) for phase in state.energies.phases()]
    (target / "entries.json").write_text(json.dumps(entries, indent=1), encoding="utf-8")
    if state.energies.hull().missing:
        return
    try:
        diagram = phase_diagram(state)
    except MissingDependencyError:
        return
    data = json.loads(diagram.to_json())
    for corner in data.get("terminal_compositions", ()):
        corner.update({"@module": "pymatgen.core.composition", "@class": "Composition"})
    (target / "phase-diagram.json").write_text(json.dumps(data), encoding="utf-8")
