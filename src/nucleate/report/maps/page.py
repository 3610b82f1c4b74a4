"""The page of a map: one HTML file that needs no network."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import numpy as np

from nucleate.crystal.symmetry import in_cell, space_group
from nucleate.hidden import without_values
from nucleate.mapping.gases import GASES
from nucleate.mapping.judged import JUDGED
from nucleate.mapping.known import LEFT_OUT, LISTED, LostReference, lost_words
from nucleate.mapping.level import CONTENTS
from nucleate.mapping.potentials import stability_windows
from nucleate.mapping.site import COMPOSITIONS
from nucleate.mapping.travel import crystal_of
from nucleate.report.displays import duration
from nucleate.report.maps.advice import to_make_next
from nucleate.report.maps.edges import faces, tie_lines
from nucleate.report.maps.growth import growth
from nucleate.report.maps.reservoir import has_gas, open_elements_of, open_ranges
from nucleate.report.maps.rows import NEAR_EV, NOT_VISITED, STABLE, UNLISTED
from nucleate.report.maps.status import judged_before_words, map_status, no_energy_words
from nucleate.report.naming import prototype_of
from nucleate.report.page.structures import drawn, lattice_text
from nucleate.report.page.works import works_of
from nucleate.text import clean, label

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from nucleate.crystal.crystal import Crystal
    from nucleate.mapping.reading import MapState
    from nucleate.report.maps.rows import MapRow

DRAWN = 120
"""Phases whose structure is on the page, those lowest above the hull."""

HEADS = (
    "formula", "state", "above hull (meV/atom)", "formation (eV/atom)", "origin", "known as",
    "structure type", "Pearson symbol", "nearest known (distance)", "decomposition",
    "margin (meV/atom)", "second model (meV/atom)", "structures", "run",
)  # fmt: skip
IS_NUMBER = (
    False, False, True, True, False, False, False, False, False, False, True, True, True, False,
)  # fmt: skip
LOST = 20
"""Known structures without an energy that are named."""

NOT_SHOWN = ("input", "mark", LISTED, LEFT_OUT, JUDGED, CONTENTS)
"""Keys of the store that are shown elsewhere on the page, or not at all."""


def write_map_page(path: Path, state: MapState, rows: Sequence[MapRow]) -> None:
    """Write the page of a map; everything it shows is inside.

    Parameters
    ----------
    path
        Replaced if it exists.
    state
        The map.
    rows
        Of the map, with reactions.
    """
    path.write_text(map_page_text(state, rows), encoding="utf-8")


def map_page_text(state: MapState, rows: Sequence[MapRow]) -> str:
    """Return the page as text; see :func:`write_map_page`."""
    from nucleate.report.page.template import environment

    facts = map_status(state, best=0)
    corners = [member.formula for member in state.field.members]
    return (
        environment("nucleate.report.maps")
        .get_template("map.html")
        .render(
            title=clean(state.field.system),
            state=_state(facts),
            running=facts["running"],
            facts=_facts(facts),
            doubts=[*map(clean, state.damaged), *_doubts(facts, rows)],
            advice=to_make_next(rows),
            **_table(rows, state),
            potentials=_potentials(state),
            corners=", ".join(corners),
            corner_names=corners,
            reservoirs=_reservoirs(state),
            made_of=_made_of(facts),
            input=_toml(state),
            made=_made(state),
            works=works_of({"input": state.meta["input"]}, _sources(state)),
            data=_data(state, rows),
            style=_asset("nucleate.report.page", "page.css"),
            script=_asset("nucleate.report.maps", "map.js"),
            viewer=_asset("nucleate.report.page", "3Dmol-min.js"),
        )
    )


def _state(facts: dict[str, Any]) -> str:
    if facts["running"]:
        return f"running for {duration(facts['elapsed_s'])}"
    return f"stopped: {clean(facts['stop_reason'])}" if facts["stop_reason"] else "interrupted"


def _facts(facts: dict[str, Any]) -> list[tuple[str, str]]:
    return [
        ("compositions", f"{facts['visited']} of {facts['compositions']} searched"),
        ("structures", f"{facts['structures']}, {facts['failed']} failed"),
        ("known structures", _known(facts)),
        ("stable", f"{facts['stable']}, {facts['not_in_library']} of them {UNLISTED}"),
        ("tiers", clean(" → ".join(facts["tiers"]))),
        ("running time", duration(facts["elapsed_s"])),
        ("processor time", duration(facts["core_s"])),
        ("for known structures", duration(facts["references_core_s"])),
        ("pressure", f"{facts['pressure_gpa']:g} GPa"),
    ]


def _known(facts: dict[str, Any]) -> str:
    failed = sum(bool(item["reason"]) for item in facts["references_lost"])
    parts = (str(facts["references"]), f"{failed} failed" * bool(failed))
    return ", ".join(filter(None, (*parts, facts["references_left_out"])))


def _doubts(facts: dict[str, Any], rows: Sequence[MapRow]) -> list[str]:
    found = []
    if facts["missing"]:
        missing = ", ".join(facts["missing"])
        found.append(f"{missing} has no energy yet, so there is no hull.")
    if facts["searched_corners"]:
        words = clean(facts["searched_corners"])
        found.append(f"{words[0].upper()}{words[1:]}.")
    if lost := [LostReference(**item) for item in facts["references_lost"]]:
        found.append(f"{clean(lost_words(lost, most=LOST))}.")
    left = sum(row.state == NOT_VISITED for row in rows)
    if left:
        found.append(f"{left} compositions have neither a known structure nor a search.")
    if facts["no_energy"]:
        found.append(f"There is {clean(no_energy_words(facts))}.")
    if words := clean(facts["judged_missing"]):
        found.append(f"{words[0].upper()}{words[1:]}.")
    elif before := [row.formula for row in rows if row.is_judged_before]:
        words = clean(judged_before_words(before))
        found.append(f"{words[0].upper()}{words[1:]}.")
    elif not any(row.judged_above_hull_ev_per_atom is not None for row in rows):
        found.append("No second model has judged the hull.")
    stable = [row for row in rows if row.state == STABLE and row.reaction_ev_per_atom is not None]
    close = [row.formula for row in stable if -(row.reaction_ev_per_atom or 0.0) < 0.005]
    if close:
        found.append(
            f"Stable by less than 5 meV/atom, which is less than the model is wrong by: "
            f"{', '.join(close[:12])}."
        )
    turned = [
        row.formula
        for row in rows
        if row.state == STABLE and (row.judged_above_hull_ev_per_atom or 0.0) > NEAR_EV
    ]
    if turned:
        found.append(f"The second model has these well above its hull: {', '.join(turned[:12])}.")
    if others := [row for row in rows if row.judged_structure]:
        named = [f"{row.formula} ({row.judged_structure})" for row in others[:12]]
        more = f" and {len(others) - 12} more" if len(others) > 12 else ""
        found.append(
            "The second model prefers a structure other than the one shown for "
            f"{clean(', '.join(named))}{more}."
        )
    if facts["without_figure"]:
        found.append(f"{clean(facts['without_figure'])}.")
    found.append(clean(facts["library"]))
    return found


def _table(rows: Sequence[MapRow], state: MapState) -> dict[str, Any]:
    """Return heads, kinds and lines of the table of compositions, empty columns left out."""
    folders = {site.formula: f"{COMPOSITIONS}/{site.folder.name}" for site in state.energies.sites}
    lines = [_line(row, state, folders.get(row.formula, "")) for row in rows]
    kept = [k for k in range(len(HEADS)) if any(line["cells"][k] for line in lines)]
    for line in lines:
        line["cells"] = [line["cells"][k] for k in kept]
    return {
        "heads": [HEADS[k] for k in kept],
        "is_number": [IS_NUMBER[k] for k in kept],
        "lines": lines,
    }


def _line(row: MapRow, state: MapState, folder: str) -> dict[str, Any]:
    has_run = row.n_structures > 0 and (state.folder / folder).is_dir()
    cells = (
        row.formula, row.state, _milli(row.above_hull_ev_per_atom),
        "" if row.formation_ev_per_atom is None else f"{row.formation_ev_per_atom:z.3f}",
        row.origin, clean(row.known_as), clean(row.structure_type), row.pearson,
        _nearest(row), row.decomposition, _milli(row.reaction_ev_per_atom),
        "judged before" if row.is_judged_before else _milli(row.judged_above_hull_ev_per_atom),
        str(row.n_structures),
        "folder" if has_run else clean(row.reason),
    )  # fmt: skip
    return {"formula": row.formula, "cells": cells, "folder": folder if has_run else ""}


def _nearest(row: MapRow) -> str:
    if row.nearest_distance is None:
        return clean(row.nearest)
    return f"{clean(row.nearest)} ({row.nearest_distance:.2f})"


def _milli(value: float | None) -> str:
    return "" if value is None else f"{1000.0 * value:z.0f}"


def _potentials(state: MapState) -> list[tuple[str, ...]]:
    hull = state.energies.hull()
    if hull.missing:
        return []
    return [
        (
            window.name,
            *(
                _range(low if np.isfinite(low) else None, high)
                for low, high in zip(window.low, window.high, strict=True)
            ),
        )
        for window in stability_windows(hull)
    ]


def _range(low: float | None, high: float) -> str:
    first = "" if low is None else f"{low:z.2f}"
    last = f"{high:z.2f}"
    return f"{first} … {last}" if first != last else first


def _reservoirs(state: MapState) -> list[dict[str, Any]]:
    """Return a table for each element that can be open."""
    if state.energies.hull().missing:
        return []
    return [_reservoir(state, symbol) for symbol in open_elements_of(state)]


def _reservoir(state: MapState, symbol: str) -> dict[str, Any]:
    ranges = open_ranges(state, symbol)
    is_gas = symbol in GASES and has_gas(state)
    lines = [
        (
            item.formula,
            _range(item.low, item.high),
            *([_kelvin(item.coldest_k, item.hottest_k)] if is_gas else []),
        )
        for item in ranges
    ]
    pressure = f"{ranges[0].pressure_bar:g}" if ranges else ""
    return {"symbol": symbol, "is_gas": is_gas, "pressure": pressure, "lines": lines}


def _kelvin(cold: float | None, hot: float | None) -> str:
    if cold is None and hot is None:
        return ""
    return f"{'' if cold is None else f'{cold:.0f}'} … {'' if hot is None else f'{hot:.0f}'}"


def _made_of(facts: dict[str, Any]) -> str:
    tier = clean(facts["tiers"][-1])
    sources = label(", ".join(facts["sources"]) or "no source")
    return (
        f"Every energy is of {tier}: {facts['references']} known structures of {sources} were "
        f"relaxed by it, and the compositions were searched with it{_searched(facts)}. Corrections "
        "are applied to none. The hull of a second model is built from its own energies alone."
    )


def _searched(facts: dict[str, Any]) -> str:
    words = clean(facts["searched_corners"]).partition(";")[0]
    return f"; {words}" if words else ""


def _sources(state: MapState) -> dict[str, Any]:
    used = ["prototypes"] if state.energies.references else []
    chosen = state.meta["input"]["search"].get("generators") or ()
    return dict.fromkeys([*used, *(str(item.get("kind")) for item in chosen)])


def _made(state: MapState) -> list[tuple[str, str]]:
    rows: list[tuple[str, str]] = []
    for key, value in sorted(state.meta.items()):
        if key in NOT_SHOWN:
            continue
        if isinstance(value, dict):
            rows += [(clean(f"{key} {name}"), clean(str(one))) for name, one in value.items()]
        else:
            rows.append((clean(key), clean(str(value))))
    return rows


def _toml(state: MapState) -> str:
    from nucleate.report.page.write import toml_text

    return toml_text(without_values(state.meta["input"]))


def _data(state: MapState, rows: Sequence[MapRow]) -> str:
    """Return what the script of the page draws, as JSON that no tag can end."""
    energies, hull = state.energies, state.energies.hull()
    by_formula = {row.formula: row for row in rows}
    phases = energies.phases()
    shown = {row.formula for row in rows[:DRAWN] if row.above_hull_ev_per_atom is not None}
    items = []
    for place, phase in enumerate(phases):
        row = by_formula[phase.composition.formula]
        crystal = crystal_of(phase) if row.formula in shown else None
        items.append(
            {
                "formula": row.formula,
                "shares": np.round(hull.shares[place], 6).tolist(),
                "formation": row.formation_ev_per_atom,
                "above": row.above_hull_ev_per_atom,
                "judged": row.judged_above_hull_ev_per_atom,
                "origin": row.origin,
                "type": clean(prototype_of(row.structure_type)),
                "cell": None if crystal is None else _cell(crystal),
                "details": _details(row, crystal),
            }
        )
    data = {
        "corners": [member.formula for member in state.field.members],
        "complete": not hull.missing,
        "near": NEAR_EV,
        "phases": items,
        "stable": list(hull.vertices),
        "lines": tie_lines(hull),
        "faces": faces(hull),
        "frames": [
            {
                "visits": item.n_visits,
                "core_s": round(item.core_s, 1),
                "stable": item.stable,
                "lines": item.lines,
                "faces": item.faces,
                "heights": [(k, round(e, 5), round(above, 5)) for k, e, above in item.heights],
            }
            for item in growth(state)
        ],
    }
    text = json.dumps(data, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _cell(crystal: Crystal) -> dict[str, Any] | None:
    """Return the conventional cell for the viewer, with the fractional coordinates of its atoms."""
    whole = in_cell(crystal, "conventional").wrapped()
    found = drawn(whole)
    if found is None:
        return None
    atoms = [
        [*atom, *np.round(place, 4).tolist()]
        for atom, place in zip(found["atoms"], whole.scaled % 1.0, strict=True)
    ]
    return {"cell": found["cell"], "atoms": atoms, "bonds": found["bonds"]}


def _details(row: MapRow, crystal: Crystal | None) -> list[tuple[str, str]]:
    found = []
    if crystal is not None:
        found.append(("Space group", space_group(crystal, 0.05)[1]))
        lattice = lattice_text(crystal)
        text = f"{lattice['lengths']} Å, {lattice['angles']}°, {lattice['volume']} Å³"
        found.append(("Conventional cell", f"{lattice['formula']}: {text}"))
    if row.decomposition:
        found.append(
            ("Decomposition", f"{row.decomposition} ({_milli(row.reaction_ev_per_atom)} meV/atom)")
        )
    if row.structure_type:
        found.append(("Structure type", clean(row.structure_type)))
        found.append(("Pearson symbol", row.pearson))
    if row.nearest:
        text = f"{row.nearest}, fingerprint distance {row.nearest_distance or 0.0:.2f}"
        found.append(("Nearest known", clean(text)))
    if row.known_as:
        found.append(("Known as", clean(row.known_as)))
    if row.judged_above_hull_ev_per_atom is not None:
        height = f"{_milli(row.judged_above_hull_ev_per_atom)} meV/atom above its hull"
        structure = f", with {clean(row.judged_structure)}" if row.judged_structure else ""
        found.append(("Second model", height + structure))
    found.append(("Structures tried", f"{row.n_structures}, {row.n_failed} failed"))
    return found


@cache
def _asset(package: str, name: str) -> str:
    return files(package).joinpath("assets", name).read_text(encoding="utf-8")
