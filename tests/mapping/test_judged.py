"""The energies of a second model belong to the structures that it has relaxed, and to no others."""

from __future__ import annotations

import pytest
from tests.report.maps.made import crystal_with, made_map

from nucleate.mapping.judged import (
    identity_of,
    judged_before,
    judged_heights,
    judged_missing,
    judged_others,
)
from nucleate.report.maps.advice import to_make_next
from nucleate.report.maps.page import map_page_text
from nucleate.report.maps.rows import map_rows
from nucleate.report.maps.status import map_status, status_text


@pytest.fixture
def judged_map(tmp_path):
    """Return a map, and what a second model has said of all its phases."""
    state = made_map("Cu-Au", tmp_path, max_atoms_per_formula=6)
    phases = state.energies.phases()
    judged = {
        "tier": "other",
        "energies": {phase.composition.formula: phase.energy - 0.01 for phase in phases},
        "structures": {phase.composition.formula: identity_of(phase) for phase in phases},
    }
    state.meta["judged"] = judged
    return state, judged


def test_a_lower_structure_leaves_the_judged_hull(judged_map):
    state, judged = judged_map
    energies = state.energies
    heights = judged_heights(energies, judged)
    assert not judged_before(energies, judged)
    assert set(heights) == set(judged["energies"])
    assert min(heights.values()) == 0.0


def test_what_was_judged_before_is_said(judged_map):
    state, judged = judged_map
    energies = state.energies
    sites = [item for item in energies.sites if item.best is not None]
    site = min(sites, key=lambda item: item.best)
    site.note(7, site.best - 0.5)
    site.best_crystal = crystal_with(site.composition)
    energies.update()
    assert judged_before(energies, judged) == {site.formula}
    assert site.formula not in judged_heights(energies, judged)
    rows = map_rows(energies, judged)
    row = next(row for row in rows if row.formula == site.formula)
    assert (row.is_judged_before, row.judged_above_hull_ev_per_atom) == (True, None)
    advice = next(item for item in to_make_next(rows) if item.formula == site.formula)
    assert "judged before" in advice.doubts
    assert "second model has it" not in advice.reasons
    words = f"hull of the second model is of an earlier state: {site.formula} were judged before"
    assert words in status_text(map_status(state))
    assert words in map_page_text(state, rows)
    judged["structures"][site.formula] = identity_of(
        next(item for item in energies.phases() if item.composition.formula == site.formula)
    )
    assert not judged_before(energies, judged)


def test_energies_of_an_earlier_version_name_no_structure(judged_map):
    state, judged = judged_map
    del judged["structures"]
    assert judged_before(state.energies, judged) == set(judged["energies"])
    assert judged_heights(state.energies, judged) == {}


def test_a_second_model_without_a_corner_is_said_to_have_no_hull(judged_map):
    state, judged = judged_map
    del judged["energies"]["Au"]
    rows = map_rows(state.energies, judged)
    assert all(row.judged_above_hull_ev_per_atom is None for row in rows)
    words = "second model (other) has no energy of what is Au now, so that it has no hull"
    assert words in status_text(map_status(state))
    page = map_page_text(state, rows)
    assert words in page
    assert "No second model has judged" not in page
    judged["others"] = {"AuCu": 7}
    assert judged_others(judged, judged_heights(state.energies, judged)) == {}


def test_a_corner_that_was_judged_before_leaves_no_hull(judged_map):
    state, judged = judged_map
    assert judged_missing(state.energies, judged) == []
    judged["structures"]["Au"] = "another"
    assert judged_missing(state.energies, judged) == ["Au"]
    assert judged_heights(state.energies, judged) == {}
