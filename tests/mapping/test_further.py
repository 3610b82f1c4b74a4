"""More tiers for what is near the hull of a map, in the run of each composition."""

from __future__ import annotations

import shutil

import pytest
from ase.calculators.emt import EMT
from tests.cli.conftest import call_in

import nucleate as nc
from nucleate import api
from nucleate.run.store import Store

FURTHER = """
[[tier]]
name = "again"
relax = false
engine = { kind = "ase", calculator = "ase.calculators.emt:EMT", options = { asap_cutoff = true } }
"""


@pytest.fixture(scope="module")
def found(tmp_path_factory, quick_map):
    folder = tmp_path_factory.mktemp("further")
    shutil.copytree(quick_map, folder / "map")
    (folder / "further.toml").write_text(FURTHER)
    return nc.open_map(folder / "map")


def near(found):
    return [
        row.formula
        for row in found.rows
        if row.n_structures > row.n_failed
        and row.above_hull_ev_per_atom is not None
        and row.above_hull_ev_per_atom <= 0.1
    ]


@pytest.mark.slow
def test_the_best_of_each_composition_near_the_hull_get_a_further_tier(found):
    before = {row.formula: row.energy_ev_per_atom for row in found.rows}
    stages = []
    further = {"input_file": found.folder.parent / "further.toml", "best": 2, "workers": 1}
    made = api.refine_near(found.folder, **further, on_stage=lambda *stage: stages.append(stage))
    assert sorted(formula for formula, _ in made) == sorted(near(found))
    assert stages[-1] == ("refining near the hull", len(made), len(made))
    for formula, summary in made:
        assert 1 <= summary.n_with_energy <= 2
        with Store.read(found.folder / "compositions" / formula) as store:
            assert "again" in store.added_tiers()
            records = [record for record, _ in store.records() if record.relaxed_by("again")]
        assert len(records) == summary.n_with_energy
        for record in records:
            atoms = record.relaxed_by("emt").crystal.to_ase()
            atoms.calc = EMT(asap_cutoff=True)
            expected = atoms.get_potential_energy() / len(atoms)
            outcome = record.relaxed_by("again")
            assert outcome.enthalpy_per_atom == pytest.approx(expected, abs=1e-6)
    again = nc.open(found.folder)
    assert {row.formula: row.energy_ev_per_atom for row in again.rows} == before
    assert api.refine_near(found.folder, **further, on_stage=lambda *_: None) == made


def test_what_cannot_be_done_is_said(found):
    def refused(*options):
        answer = call_in(found.folder.parent, "refine", found.folder, *options)
        assert answer.status != 0
        return answer.err

    assert "--judge is for the final phase" in refused("--tier", "chgnet", "--judge", "sevennet")
    assert "--name, --single-point and --retry are for --tier" in refused("--single-point")
    file = found.folder.parent / "own.toml"
    file.write_text(FURTHER.replace("again", "emt"))
    assert "is a tier of the search itself" in refused("--input", str(file))
