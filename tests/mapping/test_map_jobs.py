"""Ready folders for all that is near the hull of a map, and the hull of their results."""

from __future__ import annotations

import shutil

import pytest
from tests.cli.conftest import call_in
from tests.cli.hand_off import submit
from tests.programs.fakes import fake_vasp, potentials

import nucleate as nc
from nucleate import api
from nucleate.errors import InputError
from nucleate.mapping.judged import JUDGED
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
