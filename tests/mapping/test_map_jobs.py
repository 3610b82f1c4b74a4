"""Ready folders for all that is near the hull of a map, and the hull of their results."""

from __future__ import annotations

import shutil

import pytest
from ase.build import bulk
from tests.cli.conftest import call_in
from tests.cli.hand_off import submit
from tests.programs.fakes import fake_vasp, potentials

import nucleate as nc
from nucleate import api
from nucleate.api.map_jobs import _outcome_of
from nucleate.api.refine import only_tier
from nucleate.crystal.composition import Composition
from nucleate.crystal.crystal import Crystal
from nucleate.errors import InputError
from nucleate.mapping.energies import RelaxedReference
from nucleate.mapping.field import key_of
from nucleate.mapping.judged import JUDGED
from nucleate.mapping.known_jobs import read_known, write_known
from nucleate.mapping.reading import read_map
from nucleate.report.content import read_run


@pytest.fixture(scope="module")
def searched(tmp_path_factory, quick_map):
    folder = tmp_path_factory.mktemp("jobs")
    shutil.copytree(quick_map, folder / "map")
    program = fake_vasp(folder)
    pots = potentials(folder / "pp" / "potpaw_PBE", {"Cu": 200.0, "Au": 300.0})
    (folder / "dft.toml").write_text(
        '[[tier]]\nname = "dft"\nmax_stress_gpa = 50.0\n[tier.engine]\nkind = "vasp"\n'
        f'command = "{program}"\npotentials = "{pots}"\nsetups = {{ base = "minimal" }}\n'
    )
    return folder


@pytest.fixture
def exported(searched, tmp_path):
    shutil.copytree(searched / "map", tmp_path / "map")
    result = call_in(tmp_path, "export", "map", "--input", searched / "dft.toml")
    assert result.status == 0, result.err
    assert "nucleate import map map/for-vasp" in result.out
    return tmp_path


def test_results_make_a_hull_of_their_own(exported):
    found = nc.open(exported / "map")
    root = exported / "map" / "for-vasp"
    places = sorted(path.parent for path in root.glob("*/*/run.sh"))
    known = {path.name for path in places if path.parent.name == "known"}
    phases = read_map(found.folder).energies.phases()
    lowest_known = {phase.reference.name for phase in phases if phase.site is None}
    assert known  # the elements are known compounds
    assert all(any(name in place for name in lowest_known) for place in known)
    result = call_in(exported, "import", "map", "map/for-vasp")
    assert result.status != 0
    assert "holds no finished calculation of this map" in result.err
    first, *rest = [path for path in places if path.parent.name == "known"]
    for place in places:
        if place != first:
            submit(place, FAKE_MODE="given")
    result = call_in(exported, "import", "map", "map/for-vasp")
    assert result.status == 0, result.err
    assert f"known/{first.name}: has no result" in result.out
    assert "No hull of dft yet" in result.out
    assert all(row.judged_above_hull_ev_per_atom is None for row in found.rows)
    submit(first, FAKE_MODE="given")
    result = call_in(exported, "import", "map", "map/for-vasp")
    assert "No hull" not in result.out, result.out
    assert "known compounds: " in result.out
    again = nc.open(exported / "map")
    heights = {
        row.formula: row.judged_above_hull_ev_per_atom
        for row in again.rows
        if row.judged_above_hull_ev_per_atom is not None
    }
    judged = read_map(again.folder).meta[JUDGED]
    assert judged["tier"] == "dft"
    assert set(heights) == set(judged["energies"])
    assert heights["Cu"] == heights["Au"] == pytest.approx(0.0, abs=1e-9)
    assert min(judged["energies"].values()) < -3.0 == judged["energies"]["Cu"]
    for place in places:
        if place.parent.name == "known":
            continue
        content = read_run(again.folder / "compositions" / place.parent.name)
        assert content.ladder[-1] == "dft"
        [outcome] = [done for r, _ in content.told if (done := r.relaxed_by("dft"))]
        if again.phase(place.parent.name).site is not None:
            expected = pytest.approx(outcome.enthalpy_per_atom)
            assert judged["energies"][place.parent.name] == expected
    assert len(rest) == len(known) - 1


def test_folders_are_written_once_and_of_one_map(exported, searched):
    found = nc.open(exported / "map")
    with pytest.raises(InputError, match=r"is not empty\. Give the name of a new folder"):
        found.export_jobs(input_file=searched / "dft.toml")
    with pytest.raises(InputError, match="holds no calculations of a map"):
        api.import_near(found.folder, exported)
    with pytest.raises(InputError, match="is not a folder"):
        api.import_near(found.folder, exported / "nothing")
    place = next((found.folder / "for-vasp" / "known").iterdir())
    manifest = place / "nucleate.json"
    manifest.write_text(manifest.read_text().replace('"PBE"', '"PBEsol"', 1))
    with pytest.raises(InputError, match="cannot be compared"):
        api.import_near(found.folder, found.folder / "for-vasp")


def test_what_another_model_finds_lower_makes_its_hull(quick_map, tmp_path):
    shutil.copytree(quick_map, tmp_path / "map")
    options = {"sigma": 2.3, "epsilon": -0.3, "rc": 8.0}
    engine = {"kind": "ase", "calculator": "ase.calculators.lj:LennardJones", "options": options}
    tier = {"name": "lj", "relax": False, "engine": engine}
    summaries = api.refine_near(tmp_path / "map", tier, best=3, on_stage=lambda *_: None)
    assert any(summary.n_with_energy > 1 for _, summary in summaries)
    state = read_map(tmp_path / "map")
    reordered = 0
    for phase in state.energies.phases():
        if phase.site is None:
            continue
        told = [record for record, _ in read_run(phase.site.folder).told]
        both = [(r.relaxed_by("emt"), done) for r in told if (done := r.relaxed_by("lj"))]
        if not both:
            continue
        lowest = min(done.enthalpy_per_atom for _, done in both)
        outcome = _outcome_of(phase, state, "lj", {})
        assert outcome.enthalpy_per_atom == lowest
        first = min(both, key=lambda pair: pair[0].enthalpy_per_atom)[1]
        reordered += first.enthalpy_per_atom > lowest + 1e-6
    assert reordered, "the second model puts no other structure first, so this tests nothing"


def test_known_compounds_of_one_name_are_told_apart(searched, tmp_path):
    tier = only_tier(None, searched / "dft.toml")
    crystals = [Crystal.from_ase(bulk(name)) for name in ("Cu", "Au")]
    known = [
        RelaxedReference("POSCAR", Composition.from_formula(item.formula), -3.0, item)
        for item in crystals
    ]
    write_known(known, tier, tmp_path / "known", system="Au-Cu", pressure_gpa=0.0)
    for place in (tmp_path / "known").iterdir():
        submit(place, FAKE_MODE="given")
    found, problems = read_known(tmp_path / "known", "Au-Cu")
    assert not problems
    assert {name for _, name in found} == {"POSCAR"}
    assert len(found) == 2
    for item in known:
        outcome, _ = found[key_of(item.composition.counts), "POSCAR"]
        assert outcome.crystal.formula == item.composition.formula
