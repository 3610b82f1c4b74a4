"""Rows, tie lines, the hull as it grew, advice, files and figures of maps."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from itertools import combinations
from types import SimpleNamespace

import numpy as np
import pytest
from ase.io import read
from ase.units import GPa
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.report.maps.made import crystal_with, made_map

from nucleate.errors import InputError
from nucleate.mapping.energies import Energies
from nucleate.mapping.hull import Hull
from nucleate.mapping.potentials import open_hull, stability_windows
from nucleate.report.maps import export, figures
from nucleate.report.maps.advice import to_make_next
from nucleate.report.maps.displays import table_of
from nucleate.report.maps.edges import faces, tie_lines
from nucleate.report.maps.export import _write_for_pymatgen, _write_structures
from nucleate.report.maps.figures import hull_figure
from nucleate.report.maps.growth import growth
from nucleate.report.maps.materials import entry_dict, phase_diagram
from nucleate.report.maps.page import map_page_text
from nucleate.report.maps.reservoir import open_elements_of, open_ranges
from nucleate.report.maps.rows import NO_ENERGY, NOT_VISITED, STABLE, UNLISTED, MapRow, map_rows
from nucleate.report.maps.status import map_status, status_text

SYSTEMS = ("Cu-Au", "Sr-Ti-O", "SrO-TiO2", "Li-Sn-S-Cl")


@pytest.fixture(params=SYSTEMS)
def state(request, tmp_path):
    return made_map(request.param, tmp_path, max_atoms_per_formula=9)


def test_every_composition_has_one_row(state):
    rows = map_rows(state.energies)
    assert sorted(row.formula for row in rows) == sorted(
        item.formula for item in state.field.compositions
    )
    heights = [row.above_hull_ev_per_atom for row in rows]
    known = [height for height in heights if height is not None]
    assert known == sorted(known)
    assert heights[len(known) :] == [None] * (len(heights) - len(known))
    assert {row.state for row in rows if row.above_hull_ev_per_atom is None} <= {
        NO_ENERGY,
        NOT_VISITED,
    }


def test_pymatgen_reads_its_phase_diagram_back(state, tmp_path):
    serialization = pytest.importorskip("monty.serialization")
    _write_for_pymatgen(tmp_path, state)
    again = serialization.loadfn(tmp_path / "phase-diagram.json")
    diagram = phase_diagram(state)
    assert type(again) is type(diagram)
    assert len(again.stable_entries) == len(diagram.stable_entries)
    for one, other in zip(again.all_entries, diagram.all_entries, strict=True):
        assert one.energy == pytest.approx(other.energy)


def test_rows_are_those_of_pymatgen(state):
    diagram = phase_diagram(state)
    entries = {
        getattr(entry, "original_entry", entry).composition.reduced_composition: entry
        for entry in diagram.all_entries
    }
    from pymatgen.core import Composition

    for row in map_rows(state.energies):
        if row.above_hull_ev_per_atom is None:
            continue
        entry = entries[Composition(row.formula).reduced_composition]
        assert diagram.get_e_above_hull(entry) == pytest.approx(
            row.above_hull_ev_per_atom, abs=1e-8
        )
        assert diagram.get_form_energy_per_atom(entry) == pytest.approx(
            row.formation_ev_per_atom, abs=1e-8
        )


def test_reactions_are_balanced_and_have_the_energy_that_is_given(state):
    import re

    from nucleate.crystal.composition import Composition

    energies = {p.composition.formula: p.energy for p in state.energies.phases()}
    for row in map_rows(state.energies):
        if not row.decomposition:
            continue
        sides, totals = row.decomposition.split(" → "), []
        for side in sides:
            counts: dict[str, int] = {}
            energy = 0.0
            for term in side.split(" + "):
                number, formula = re.fullmatch(r"(?:(\d+) )?(\S+)", term).groups()
                composition = Composition.from_formula(formula)
                energy += int(number or 1) * composition.n_atoms * energies[formula]
                for symbol, count in composition.items:
                    counts[symbol] = counts.get(symbol, 0) + int(number or 1) * count
            totals.append((counts, energy))
        assert totals[0][0] == totals[1][0]
        n_atoms = sum(totals[0][0].values())
        difference = (totals[0][1] - totals[1][1]) / n_atoms
        assert difference == pytest.approx(row.reaction_ev_per_atom, abs=1e-7)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(["Cu-Au", "Sr-Ti-O", "Y-Sr-Ti-O"]))
def test_tie_lines_lie_on_the_hull(seed, system):
    from pathlib import Path

    hull = made_map(system, Path("nowhere"), seed, max_atoms_per_formula=7).energies.hull()
    lines = tie_lines(hull)
    assert {place for line in lines for place in line} == set(hull.vertices)
    middles = np.array([(hull.shares[a] + hull.shares[b]) / 2 for a, b in lines])
    heights = np.array([(hull.formation[a] + hull.formation[b]) / 2 for a, b in lines])
    assert hull.at_shares(middles) == pytest.approx(heights, abs=1e-6)


@pytest.mark.parametrize("seed", range(4))
def test_faces_of_a_quaternary_lie_on_the_hull_and_have_its_tie_lines(seed, tmp_path):
    hull = made_map("Li-Sn-S-Cl", tmp_path, seed, max_atoms_per_formula=7).energies.hull()
    found = faces(hull)
    centres = np.array([hull.shares[list(face)].mean(axis=0) for face in found])
    heights = np.array([hull.formation[list(face)].mean() for face in found])
    assert hull.at_shares(centres) == pytest.approx(heights, abs=1e-6)
    edges = {pair for face in found for pair in combinations(face, 2)}
    assert set(tie_lines(hull)) <= edges
    assert faces(made_map("Sr-Ti-O", tmp_path, max_atoms_per_formula=7).energies.hull()) == []


def test_bars_of_a_binary_are_those_of_the_second_model(tmp_path, monkeypatch):
    state = made_map("Cu-Au", tmp_path, max_atoms_per_formula=7)
    hull = state.energies.hull()
    formulas = [phase.composition.formula for phase in state.energies.phases()]
    judged = {formula: 0.05 * place for place, formula in enumerate(formulas[1::2])}
    monkeypatch.setattr(figures, "judged_heights", lambda *_: judged)
    (axes,) = hull_figure(state).axes
    (bars,) = (item for item in axes.containers if item.has_yerr)
    found = sorted(abs(line[1][1] - line[0][1]) for line in bars.lines[2][0].get_segments())
    wanted = [abs(judged[f] - hull.above_hull[k]) for k, f in enumerate(formulas) if f in judged]
    assert found == pytest.approx(sorted(wanted))


def test_a_ternary_hull_is_a_triangulation(tmp_path):
    hull = made_map("Sr-Ti-O", tmp_path, max_atoms_per_formula=9).energies.hull()
    n, edges = len(hull.vertices), len(tie_lines(hull))
    on_rim = sum(hull.shares[k].min() < 1e-12 for k in hull.vertices)
    assert edges == 3 * n - 3 - on_rim  # Euler


def test_the_last_frame_is_the_hull_of_now(state):
    frames = growth(state)
    assert frames
    assert set(frames[-1].stable) == set(state.energies.hull().vertices)
    assert [frame.core_s for frame in frames] == sorted(frame.core_s for frame in frames)
    phases = len(state.energies.phases())
    counts = [len(frame.heights) for frame in frames]
    assert counts == sorted(counts)
    assert counts[-1] == phases
    for frame in frames:
        places = {place for place, _, _ in frame.heights}
        assert min(above for _, _, above in frame.heights) == 0.0
        assert set(frame.stable) <= places
        assert {place for line in frame.lines for place in line} == set(frame.stable)


def test_a_composition_without_a_reference_is_not_called_new(state):
    facts = map_status(state, best=1000)
    assert "the shipped library lacks about 14,000 formulas" in facts["library"]
    assert (facts["library"] in status_text(facts)) == bool(facts["not_in_library"])
    with_reference = {
        phase.composition.formula: phase.reference for phase in state.energies.phases()
    }
    for row in map_rows(state.energies):
        if row.formula not in with_reference:
            continue
        if with_reference[row.formula] is None:
            is_element = row.formula in state.field.elements
            assert row.origin == ("element" if is_element else UNLISTED)
        else:
            assert row.origin in ("known", "lower than known")
            assert row.known_as


def test_advice_is_about_what_is_not_in_the_library_and_near():
    def row(formula, **values):
        text = "AB → A + B"
        return MapRow(formula, STABLE, UNLISTED, "", -1.0, -0.5, decomposition=text, **values)

    rows = [
        row("A", above_hull_ev_per_atom=0.0, reaction_ev_per_atom=-0.002, n_structures=50),
        row("B", above_hull_ev_per_atom=0.0, reaction_ev_per_atom=-0.05, n_structures=3),
        row("C", above_hull_ev_per_atom=0.03, n_structures=50),
        MapRow("D", STABLE, "known", "mp-1", -1.0, -0.5, 0.0, "D → A"),
        row(
            "E",
            above_hull_ev_per_atom=0.0,
            reaction_ev_per_atom=-0.1,
            judged_above_hull_ev_per_atom=0.2,
            n_structures=50,
        ),
    ]
    found = to_make_next(rows)
    assert [item.formula for item in found] == ["B", "A", "E"]
    assert "only 3 structures" in found[0].doubts
    assert "smaller than the errors" in found[1].doubts
    assert "200 meV/atom above its hull" in found[2].doubts


def test_what_separates_into_the_corners_is_the_last_to_make():
    def row(formula, formation, above):
        return MapRow(
            formula, "metastable", UNLISTED, formation_ev_per_atom=formation,
            above_hull_ev_per_atom=above, decomposition="AB → A + B", n_structures=50,
            reaction_ev_per_atom=above,
        )  # fmt: skip

    first, last = to_make_next([row("AuCu3", 0.004, 0.004), row("AuCu", -0.01, 0.02)])
    assert (first.formula, last.formula) == ("AuCu", "AuCu3")
    assert "formation energy is positive (4 meV/atom)" in last.doubts
    assert "formation energy" not in first.doubts
    assert first.reasons.endswith("not in the library, which is not complete")


def test_a_corner_that_was_searched_is_a_doubt(tmp_path):
    state = made_map("Cu-Au", tmp_path, max_atoms_per_formula=4)
    assert map_status(state)["searched_corners"] == ""
    gold, energies = state.energies.sites[0], state.energies
    gold.note(0, -3.9)
    gold.best_crystal = crystal_with(gold.composition)
    kept = [item for item in energies.references if item.composition != gold.composition]
    searched = replace(state, energies=Energies(energies.field, energies.sites, kept, 8))
    rows = map_rows(searched.energies)
    assert {row.formula for row in rows if row.searched_corners == gold.formula} == {
        row.formula for row in rows if gold.formula in row.formula and row.energy_ev_per_atom
    }
    words = f"the energy of {gold.formula} comes from a search with at most 24 atoms in a cell"
    assert words in status_text(map_status(searched))
    assert words[1:] in map_page_text(searched, rows)
    doubts = [item.doubts for item in to_make_next(rows)]
    assert doubts
    assert all(f"{gold.formula} comes from a search" in text for text in doubts)


def test_entries_are_read_by_pymatgen(state):
    from pymatgen.entries.computed_entries import ComputedEntry

    for phase in state.energies.phases():
        data = json.loads(json.dumps(entry_dict(phase, state)))
        entry = ComputedEntry.from_dict(data)
        assert entry.energy_per_atom == pytest.approx(phase.energy)
        assert entry.composition.reduced_formula == _pymatgen_formula(phase.composition.formula)


def _pymatgen_formula(formula: str) -> str:
    from pymatgen.core import Composition

    return Composition(formula).reduced_formula


def test_what_is_stable_in_a_reservoir(tmp_path):
    state = made_map("Sr-Ti-O", tmp_path, max_atoms_per_formula=9)
    assert open_elements_of(state) == ["O", "Sr", "Ti"]
    ranges = open_ranges(state, "O")
    hull = state.energies.hull()
    oxygen = state.field.elements.index("O")
    for item in ranges:
        assert (item.low is None) == ("O" not in item.formula)
        assert item.high <= 0.0
        assert item.low is None or item.low <= item.high
    names = {hull.names[k] for k in hull.vertices if hull.shares[k, oxygen] < 1.0}
    assert {item.formula for item in ranges} == names
    with pytest.raises(InputError, match="no energy in this map"):
        open_ranges(state, "N")
    assert open_elements_of(made_map("Cu-Au", tmp_path)) == []
    assert open_elements_of(made_map("SrO-TiO2", tmp_path)) == []


def test_a_phase_of_a_narrow_range_has_its_exact_limits():
    """Ti4O7 is stable over 0.03 eV, less than a step of a scan of the potentials."""
    counts = {"Sr": (1, 0, 0), "Ti": (0, 1, 0), "O": (0, 0, 1), "TiO2": (0, 1, 2)}
    counts |= {"Ti2O3": (0, 2, 3), "Ti4O7": (0, 4, 7), "SrO": (1, 0, 1), "SrTiO3": (1, 1, 3)}
    energies = {"Sr": 0.0, "Ti": 0.0, "O": 0.0, "TiO2": -3.3, "Ti2O3": -3.258, "SrO": -3.0}
    energies |= {"Ti4O7": -3.2823, "SrTiO3": -3.45}
    symbols = ("Sr", "Ti", "O")
    hull = Hull.build(
        np.eye(3), symbols, list(counts.values()), [energies[key] for key in counts], list(counts)
    )
    state = SimpleNamespace(
        field=SimpleNamespace(elements=symbols),
        energies=SimpleNamespace(hull=lambda: hull),
        options=SimpleNamespace(pressure_gpa=0.0),
    )
    by_formula = {item.formula: item for item in open_ranges(state, "O")}
    windows = {window.name: window for window in stability_windows(hull)}
    assert 0.0 < by_formula["Ti4O7"].high - by_formula["Ti4O7"].low < 0.04
    for formula, item in by_formula.items():
        assert item.low == (windows[formula].low[2] if "O" in formula else None)
        assert item.high == windows[formula].high[2]
        inside = item.high - 0.3 if item.low is None else (item.low + item.high) / 2
        around = [item.high + 1e-4] + ([] if item.low is None else [item.low - 1e-4])
        for mu, is_stable in ((inside, True), *((mu, False) for mu in around if mu <= 0.0)):
            found = open_hull(hull, symbols, "O", mu)
            assert (formula in [found.names[k] for k in found.vertices]) == is_stable
    assert by_formula["Sr"].hottest_k is None


def test_figures_and_text(state, tmp_path):
    hull_figure(state).savefig(tmp_path / "hull.png")
    assert (tmp_path / "hull.png").stat().st_size > 10_000
    text = status_text(map_status(state))
    assert state.field.system in text
    assert "stopped (the time is up)" in text


def test_five_corners_have_everything_but_the_figure(tmp_path, monkeypatch):
    """The figure is left out, with a note, and takes nothing else with it."""
    state = made_map("Cu-Au-Ag-Ni-Pd", tmp_path, max_atoms_per_formula=2, references=[])
    monkeypatch.setattr(export, "read_map", lambda _: state)
    out = export.export_map(tmp_path, out=tmp_path / "out")
    written = {path.name for path in out.iterdir()}
    assert {"hull.csv", "next.csv", "potentials.csv", "map.html", "entries.json"} <= written
    assert "hull.png" not in written
    note = "has 5 corners and a figure shows four at most"
    assert note in (out / "map.html").read_text(encoding="utf-8")
    assert note in status_text(map_status(state))
    assert "NiPd" in (out / "hull.csv").read_text(encoding="utf-8").replace("PdNi", "NiPd")
    with pytest.raises(InputError, match=note):
        hull_figure(state)


def test_a_map_without_a_corner_has_no_hull_and_a_page(tmp_path):
    state = made_map("Sr-Ti-O", tmp_path, max_atoms_per_formula=6)
    state.energies.references = ()
    state.energies._lowest_known = {}
    state.energies.update()
    rows = map_rows(state.energies)
    assert all(row.above_hull_ev_per_atom is None for row in rows)
    assert "there is no hull" in map_page_text(state, rows)
    assert growth(state) == []
    with pytest.raises(InputError, match="has no energy yet"):
        hull_figure(state)
    with pytest.raises(InputError, match="has no energy yet"):
        phase_diagram(state)


def test_rows_as_csv_and_frames(state, tmp_path):
    pytest.importorskip("pandas")
    from nucleate.report.maps.rows import frame_of, rows_html
    from nucleate.report.render import write_rows

    rows = map_rows(state.energies)
    write_rows(tmp_path / "hull.csv", [row.to_dict() for row in rows])
    with (tmp_path / "hull.csv").open(encoding="utf-8") as stream:
        read = list(csv.DictReader(stream))
    assert [row["formula"] for row in read] == [row.formula for row in rows]
    assert list(frame_of(rows)["formula"]) == [row.formula for row in rows]
    assert rows_html(rows, "<b>").startswith("<p>&lt;b&gt;</p>")


def test_the_live_table_has_whole_formulas_on_80_columns(tmp_path):
    from rich.console import Console

    energies = made_map("Y2O3-SrO-TiO2", tmp_path).energies
    console = Console(width=80, height=24, record=True, file=io.StringIO())
    console.print(table_of(energies))
    text = console.export_text()
    lowest = map_rows(energies)[:10]
    assert all(row.formula in text and row.state in text for row in lowest)
    assert "meV/atom" in text


def test_files_have_the_energy_without_the_pressure(tmp_path):
    state = made_map("Cu-Au", tmp_path, pressure_gpa=20.0)
    _write_structures(tmp_path, state, map_rows(state.energies))
    frames = read(tmp_path / "structures.extxyz", ":")
    phases = {phase.composition.formula: phase for phase in state.energies.phases()}
    assert len(frames) == len(phases)
    for atoms in frames:
        phase = phases[atoms.info["formula"]]
        enthalpy = atoms.get_potential_energy() + 20.0 * GPa * atoms.get_volume()
        assert enthalpy == pytest.approx(phase.energy * len(atoms))
        assert enthalpy == pytest.approx(atoms.info["enthalpy"])
        entry = entry_dict(phase, state)
        assert entry["energy"] == pytest.approx(phase.energy * phase.composition.n_atoms)
        assert entry["parameters"]["pressure_gpa"] == 20.0
