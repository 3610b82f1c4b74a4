"""A map of a real field with a real engine: copper and gold by effective-medium theory."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from tests.mapping.conftest import INPUT, QUICK

import nucleate as nc
from nucleate.errors import InputError
from nucleate.mapping.known_jobs import KNOWN
from nucleate.mapping.reading import read_map
from nucleate.run.store import Store


@pytest.fixture(scope="module")
def found(tmp_path_factory, short_visits):
    folder = tmp_path_factory.mktemp("map")
    (folder / "field.toml").write_text(INPUT)
    return nc.map(folder / "field.toml", folder=folder / "map", display=False)


def test_ready_folders_are_written_for_every_composition_near_the_hull(found, tmp_path):
    made = [item for item in found.export_jobs("vasp", out=tmp_path) if item[0] != KNOWN]
    near = {
        row.formula
        for row in found.rows
        if row.n_structures > row.n_failed
        and row.above_hull_ev_per_atom is not None
        and row.above_hull_ev_per_atom <= 0.1
    }
    assert {formula for formula, _, _ in made} == near
    for formula, target, number in made:
        assert (target, number) == (tmp_path / formula, 1)
        assert len(list(target.glob("*/POSCAR"))) == 1


def test_the_lowest_structures_of_all_compositions_make_the_hull(found):
    state = read_map(found.folder)
    hull = state.energies.hull()
    assert not hull.missing
    assert found.system == "Au-Cu"
    for site in state.energies.sites:
        if not site.n_structures:
            continue
        with Store.read(site.folder) as store:
            values = [
                record.relaxed.enthalpy_per_atom
                for record, _ in store.records()
                if record.relaxed is not None
            ]
        assert site.best == pytest.approx(min(values), abs=1e-12)
        assert site.n_structures == len(values) + site.n_failed
    formations = hull.formation
    assert (formations[list(hull.vertices)] <= 1e-9).all()


def test_effective_medium_theory_has_ordered_copper_gold_on_the_hull(found):
    assert found.phase("CuAu").energy - 0.5 * sum(
        found.phase(symbol).energy for symbol in ("Cu", "Au")
    ) == pytest.approx(-0.010, abs=0.008)
    assert "AuCu" in [row.formula for row in found.rows if row.state == "stable"]


def test_an_energy_of_the_map_is_that_of_the_engine(found):
    from ase.calculators import emt

    crystal, phase = found.best("Cu3Au"), found.phase("AuCu3")
    atoms = crystal.to_ase()
    atoms.calc = emt.EMT()
    assert atoms.get_potential_energy() / len(atoms) == pytest.approx(phase.energy, abs=1e-6)


def test_each_composition_is_a_run(found):
    run = found.run("CuAu")
    assert run.formula == "AuCu"
    assert len(run.records) >= 3
    with pytest.raises(InputError, match="no composition of the map"):
        found.run("CuAu7")


def test_a_run_of_a_map_is_continued_whatever_the_order_of_its_elements(found, tmp_path):
    import shutil

    folder = tmp_path / "AuCu"
    shutil.copytree(found.run("CuAu").folder, folder)
    before = len(nc.open(folder).records)
    run = nc.predict(
        "CuAu", folder=folder, structures=before + 2, polish=0, display=False, trust=True
    )
    assert run.formula == "AuCu"
    assert len(run.records) >= before + 2
    with pytest.raises(InputError, match=r"formula: AuCu -> AuCu3"):
        nc.predict("AuCu3", folder=folder, display=False, trust=True)


def test_an_open_map_sees_what_a_run_of_it_has_found_since(found, tmp_path):
    import shutil

    folder = tmp_path / "map"
    shutil.copytree(found.folder, folder)
    opened = nc.open_map(folder)
    (before,) = [row.n_structures for row in opened.rows if row.formula == "AuCu"]
    run = opened.run("AuCu")
    nc.predict(
        "AuCu", folder=run.folder, structures=before + 2, polish=0, display=False, trust=True
    )
    (after,) = [row.n_structures for row in opened.rows if row.formula == "AuCu"]
    assert after >= before + 2


def test_structures_travel_with_their_provenance(found):
    state = read_map(found.folder)
    origins = [
        record.candidate.origin
        for site in state.energies.sites
        if site.n_structures
        for record in nc.open(site.folder).records
    ]
    guests = [origin for origin in origins if origin.source == "neighbour"]
    assert guests
    formulas = {phase.composition.formula for phase in state.energies.phases()}
    assert {origin.detail["from"] for origin in guests} <= formulas


def test_the_same_command_continues_with_more(found, tmp_path):
    import shutil

    folder = tmp_path / "map"
    shutil.copytree(found.folder, folder)
    before = {site.formula: site.n_structures for site in read_map(folder).energies.sites}
    again = nc.map("Cu-Au", folder=folder, structures=32, display=False)
    after = {site.formula: site.n_structures for site in read_map(folder).energies.sites}
    assert sum(after.values()) >= 32
    assert all(after[formula] >= number for formula, number in before.items())
    assert again.status()["stop_reason"].endswith("structures were relaxed")
    with pytest.raises(InputError, match="must not change"):
        nc.map("Cu-Au", folder=folder, max_atoms=6, display=False)
    with pytest.raises(InputError, match="must not change"):
        nc.map("Cu-Ag", folder=folder, display=False)


def test_what_a_later_window_excludes_stays_in_the_hull(found, tmp_path):
    import shutil

    folder = tmp_path / "map"
    shutil.copytree(found.folder, folder)
    before = found.phase("AuCu").energy
    narrow = nc.map("Cu-Au", folder=folder, windows=["x(Cu) < 0.4"], structures=1, display=False)
    (row,) = [row for row in narrow.rows if row.formula == "AuCu"]
    assert row.energy_ev_per_atom == pytest.approx(before)
    assert "outside of the limits" in row.reason


def test_a_map_survives_being_killed(tmp_path):
    (tmp_path / "field.toml").write_text(QUICK.replace("structures = 24", "structures = 6"))
    command = [sys.executable, "-m", "nucleate", "map", "field.toml", "--out", "map"]
    running = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL)
    folder = tmp_path / "map"
    deadline = time.monotonic() + 120.0
    while time.monotonic() < deadline and _n_structures(folder) < 2:
        time.sleep(0.2)
    running.send_signal(signal.SIGKILL)
    running.wait()
    kept = _numbers(folder)
    assert kept
    found = nc.map(tmp_path / "field.toml", folder=folder, display=False)
    assert kept <= _numbers(folder)
    assert sum(site.n_structures for site in read_map(folder).energies.sites) >= 6
    assert np.isfinite(found.hull.formation).all()


def _n_structures(folder: Path) -> int:
    return len(_numbers(folder))


def _numbers(folder: Path) -> set[tuple[str, int]]:
    found: set[tuple[str, int]] = set()
    for path in folder.glob("compositions/*/run.db"):
        with Store.read(path.parent) as store:
            found |= {(path.parent.name, number) for number in store.numbers()}
    return found


def test_a_composition_in_which_everything_fails_stays_blank(tmp_path):
    """The calculator refuses gold, so that there is no hull, and the map says so."""
    data = {
        "field": {"system": "Cu-Au", "max_atoms": 2, "max_atoms_per_formula": 2, "references": []},
        "search": {"generators": [{"kind": "symmetric"}], "known": "off"},
        "stop": {"structures": 12},
        "run": {"workers": 1},
    }
    found = nc.map(data, model=no_gold(), folder=tmp_path / "map", display=False)
    facts = found.status()
    assert facts["missing"] == ["Au"]
    states = {row.formula: row.state for row in found.rows}
    assert (states["Au"], states["Cu"]) == ("no energy", "no hull yet")
    with pytest.raises(InputError, match="Au has no energy yet"):
        found.phase_diagram()


def no_gold():
    """Return a calculator that fails for pure gold."""
    from ase.calculators import emt

    class Picky(emt.EMT):
        def calculate(self, atoms=None, *args, **kwargs):
            if set(atoms.numbers) == {79}:
                raise RuntimeError("no gold here")
            super().calculate(atoms, *args, **kwargs)

    return Picky()


def test_a_map_of_somebody_else_imports_nothing(found, tmp_path):
    """Reading uses no name of the stored input; continuing asks for trust."""
    import shutil
    import sqlite3

    folder = tmp_path / "map"
    shutil.copytree(found.folder, folder)
    with sqlite3.connect(folder / "map.db") as db:
        (text,) = db.execute("SELECT value FROM meta WHERE key = 'input'").fetchone()
        text = text.replace("ase.calculators.emt:EMT", "no_such_module_anywhere:boom")
        db.execute("UPDATE meta SET value = ? WHERE key = 'input'", (text,))
    db.close()
    assert nc.open_map(folder).status()["field"] == "Au-Cu"
    with pytest.raises(InputError, match="would import or execute"):
        nc.map("Cu-Au", folder=folder, display=False)


@pytest.mark.slow
def test_known_compounds_count_for_the_time_and_are_taken_up_again(tmp_path, monkeypatch):
    from nucleate.mapping import cache

    monkeypatch.setattr(cache, "user_cache", lambda: tmp_path / "user")
    (tmp_path / "field.toml").write_text(QUICK)
    folder = tmp_path / "map"
    first = nc.map(tmp_path / "field.toml", folder=folder, time=1e-6, display=False)
    facts = first.status()
    assert facts["stop_reason"] == "the time is up before all known compounds were relaxed"
    assert facts["structures"] == 0
    assert 0.0 < facts["elapsed_s"] < 60.0
    second = nc.map("Cu-Au", folder=folder, structures=4, display=False, trust=True).status()
    assert second["structures"] >= 4
    assert second["references"] > facts["references"]
    assert second["elapsed_s"] > facts["elapsed_s"]


def test_a_finished_map_is_opened_again_without_any_worker(found, tmp_path, monkeypatch):
    import shutil

    from nucleate.mapping import running
    from nucleate.run import relaxation

    def refuse(*_, **__):
        raise AssertionError("a worker was to be started")

    folder = tmp_path / "map"
    shutil.copytree(found.folder, folder)
    monkeypatch.setattr(running, "start_executor", refuse)
    monkeypatch.setattr(relaxation, "start_executor", refuse)
    before = found.status()
    again = nc.map("Cu-Au", folder=folder, display=False, trust=True).status()
    assert again["stop_reason"] == before["stop_reason"]
    assert again["structures"] == before["structures"]
    with pytest.raises(AssertionError, match="worker was to be"):
        nc.map("Cu-Au", folder=folder, structures=10**6, expected_change_mev=0.0, display=False)
