"""The lines that a user writes: in a script and in a thread, with and without a run folder."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator

import nucleate as nc

EMT_NAME = "ase.calculators.emt:EMT"
QUICK = {"max_atoms": 4, "model": EMT_NAME, "structures": 6, "seed": 3, "workers": 1}
TWO = QUICK | {"structures": 2, "polish": 0}


@pytest.fixture(scope="module")
def run() -> nc.Run:
    """A small search without a folder of its own."""
    return nc.predict("Cu3Au", **QUICK)


def test_importing_takes_no_time() -> None:
    code = (
        "import sys, time\nstart = time.process_time()\nimport nucleate\n"
        "print(time.process_time() - start)\n"
        "assert not {'numpy', 'pydantic', 'ase'} & set(sys.modules)\n"
        "assert {'predict', 'relax', 'generate', 'open', 'Run'} <= set(dir(nucleate))"
    )
    times = [
        float(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True).stdout)
        for _ in range(3)
    ]
    assert min(times) < 0.1


def test_functions_keep_their_names_when_their_rooms_are_imported() -> None:
    import nucleate.generate.mix
    import nucleate.relax.outcome  # noqa: F401

    assert callable(nc.relax)
    assert callable(nc.generate)
    assert nc.relax.__doc__.startswith("Relax structures")
    with pytest.raises(AttributeError, match="no attribute 'predikt'"):
        nc.predikt  # noqa: B018
    assert all(hasattr(nc, name) for name in nc.__all__)


def test_predict_without_a_folder(run: nc.Run) -> None:
    assert run.stop_reason == "6 structures were relaxed"
    assert len(run.records) == len(run)
    assert run.best is run.structures[0]
    assert run.best.crystal.reduced_formula == "AuCu3"
    atoms = run.best.to_ase()
    alone = atoms.copy()
    alone.calc = EMT()
    assert atoms.get_potential_energy() == pytest.approx(alone.get_potential_energy(), abs=1e-9)
    np.testing.assert_allclose(atoms.get_forces(), alone.get_forces(), atol=1e-9)
    np.testing.assert_allclose(atoms.get_stress(), alone.get_stress(), atol=1e-9)
    structure = run.best.to_pymatgen()
    assert structure.properties["energy"] == atoms.get_potential_energy()
    np.testing.assert_allclose(structure.site_properties["forces"], atoms.get_forces())
    assert run.settings.problem.max_atoms == 4


def test_tables_and_plots(run: nc.Run) -> None:
    rows = run.to_dicts()
    assert [row["rank"] for row in rows] == list(range(1, len(rows) + 1))
    assert rows[0]["probability"] > 0.0
    by_energy = run.ranked("energy").to_dicts()
    energies = [row["enthalpy_ev_per_atom"] for row in by_energy]
    assert energies == sorted(energies)
    frame = run.to_pandas()
    assert list(frame.columns) == list(rows[0])
    assert frame["formula"].tolist() == ["AuCu3"] * len(rows)
    assert "eV/atom" in repr(run.structures)
    html = run.structures._repr_html_()
    assert html.count("<tr>") == len(rows) + 1
    assert "AuCu3" in run._repr_html_()
    assert len(run.structures[:2]) == 2
    assert "best" in repr(run)
    for figure in (run.plot_trajectory(), run.plot_energy_volume()):
        assert figure.axes[0].get_ylabel().startswith("enthalpy (eV/atom)")


def test_export_and_open(run: nc.Run, tmp_path: Path) -> None:
    out = run.export(tmp_path / "out", best=2)
    assert (out / "report.html").exists()
    assert len(list((out / "structures").glob("*.res"))) == min(2, len(run.structures))
    again = nc.open(run.folder)
    assert again.best.crystal == run.best.crystal
    with pytest.raises(nc.InputError, match="not a run folder"):
        nc.open(tmp_path)


def test_the_temporary_folder_lives_as_long_as_the_run() -> None:
    run = nc.predict("Cu", **TWO)
    folder = run.folder
    assert (folder / "run.db").exists()
    assert run.continue_(structures=3, workers=1) is run
    assert sum(bool(record.outcomes) for record in run.records) == 3
    del run
    assert not folder.exists()


def test_a_folder_is_continued_and_keeps_its_input(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    first = nc.predict("Cu", folder=folder, **TWO)
    more = nc.predict("Cu", folder=folder, structures=4, workers=1)
    assert more.settings.tier == first.settings.tier
    assert sum(bool(record.outcomes) for record in first.records) == 4, "a run grows when it does"
    with pytest.raises(nc.InputError, match=r"search.seed: 3 -> 4"):
        nc.predict("Cu", folder=folder, seed=4)


def test_outside_the_main_thread() -> None:
    found: list[object] = []

    def work() -> None:
        found.append(nc.predict("Cu", **TWO))
        found.append(nc.relax(bulk("Cu"), model=EMT()))
        found.append(nc.generate("Cu", "blocks", n=2, max_atoms=4))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert len(found) == 3


def test_a_search_of_which_everything_fails_says_why() -> None:
    with pytest.raises(nc.SearchFailedError, match="EMT"):
        nc.predict("NaCl", max_atoms=2, model=EMT_NAME, workers=1)


def test_relax_takes_every_kind_of_structure(tmp_path: Path) -> None:
    atoms = bulk("Cu", "fcc", 3.7)
    crystal = nc.Crystal.from_ase(atoms)
    atoms.write(tmp_path / "a.cif")
    atoms.write(tmp_path / "b.extxyz")
    origin = nc.Origin("file")
    given = [
        atoms,
        crystal,
        crystal.to_pymatgen(),
        nc.Candidate(crystal, origin),
        tmp_path / "a.cif",
        str(tmp_path / "b.extxyz"),
    ]
    outcomes = nc.relax(given, model=EMT())
    assert [type(outcome) for outcome in outcomes] == [nc.Relaxed] * len(given)
    energies = [outcome.energy_per_atom for outcome in outcomes]
    np.testing.assert_allclose(energies, energies[0], atol=1e-6)
    again = nc.relax(outcomes[0], model=EMT())
    assert again.steps <= outcomes[0].steps
    assert isinstance(nc.relax(tmp_path / "a.cif", model=EMT()), list)


def test_relax_keeps_the_order_and_failures_are_data() -> None:
    flat = bulk("Cu")
    flat.cell[2] = flat.cell[0]
    given = [bulk("Fe", "bcc", 2.8), bulk("Cu", "fcc", 3.7), bulk("Al", "fcc", 4.0)]
    outcomes = nc.relax(given, model=EMT())
    assert [type(item) for item in outcomes] == [nc.Failed, nc.Relaxed, nc.Relaxed]
    assert outcomes[2].crystal.formula == "Al"
    assert isinstance(nc.relax(bulk("Fe"), model=EMT()), nc.Failed)
    assert nc.relax([], model=EMT()) == []


def test_options_of_a_relaxation() -> None:
    atoms = bulk("Cu", "fcc", 3.7, cubic=True)
    atoms.rattle(0.1, seed=1)
    alone = atoms.copy()
    alone.calc = EMT()
    point = nc.relax(atoms, model=EMT(), single_point=True)
    assert point.energy == pytest.approx(alone.get_potential_energy())
    assert point.note == "single point"
    fixed = nc.relax(atoms, model=EMT(), fix_cell=True, fmax_ev_per_ang=0.01)
    np.testing.assert_allclose(fixed.crystal.cell, atoms.cell.array)
    assert fixed.max_force <= 0.01
    pressed = nc.relax(atoms, model=EMT(), pressure_gpa=5.0)
    np.testing.assert_allclose(pressed.stress_gpa, -5.0 * np.eye(3), atol=0.5)
    assert not nc.relax(atoms, model=EMT(), max_steps=2).converged


def test_tension_is_asked_for() -> None:
    atoms = bulk("Cu", "fcc", 3.7)
    for wrong in (-5.0, float("nan"), float("-inf")):
        with pytest.raises(nc.InputError, match="pressure_gpa = "):
            nc.relax(atoms, model=EMT(), pressure_gpa=wrong)
    pulled = nc.relax(atoms, model=EMT(), pressure_gpa=-5.0, allow_tension=True)
    np.testing.assert_allclose(pulled.stress_gpa, 5.0 * np.eye(3), atol=0.5)


def test_models_of_every_kind() -> None:
    atoms = bulk("Cu", "fcc", 3.7)
    by_object = nc.relax(atoms, model=EMT())
    by_path = nc.relax(atoms, model=EMT_NAME)
    settings = {"kind": "ase", "calculator": EMT_NAME}
    by_settings = nc.relax(atoms, model=settings)
    assert by_object.energy == by_path.energy == by_settings.energy
    proxy = nc.relax(bulk("NaCl", "rocksalt", 5.6), model="spp")
    assert proxy.level.unit == "arbitrary"
    assert proxy.to_ase().calc is None, "arbitrary units are no eV"
    assert "energy" not in proxy.to_pymatgen().properties
    ladder = nc.relax(bulk("Cu", "fcc", 3.7), model=["spp", EMT()])
    assert ladder.level.code == "ase"


def test_generate_follows_from_its_seed() -> None:
    first = nc.generate("SrTiO3", "symmetric", n=4, max_atoms=10, seed=1)
    again = nc.generate("SrTiO3", ["symmetric"], n=4, max_atoms=10, seed=1)
    other = nc.generate("SrTiO3", "symmetric", n=4, max_atoms=10, seed=2)
    assert [item.crystal for item in first] == [item.crystal for item in again]
    assert [item.crystal for item in first] != [item.crystal for item in other]
    assert {item.origin.source for item in first} == {"symmetric"}
    only = nc.generate("SrTiO3", "symmetric", n=3, formula_units=[2])
    assert {item.crystal.formula for item in only} == {"Sr2Ti2O6"}


class Squares:
    """A generator as a user writes one."""

    name = "squares"

    def generate(self, *, rng, max_formula_units=None):
        size = rng.uniform(3.0, 5.0)
        crystal = nc.Crystal([11, 17], np.diag([size] * 3), [[0, 0, 0], [0.5, 0.5, 0.5]])
        return nc.Candidate(crystal, nc.Origin(self.name))


def test_a_generator_of_the_users_own() -> None:
    alone = nc.generate("NaCl", Squares(), n=3)
    assert {item.origin.source for item in alone} == {"squares"}
    mixed = nc.generate("NaCl", [Squares(), "blocks"], n=40, max_atoms=4)
    assert {item.origin.source for item in mixed} == {"squares", "blocks"}


class Twice(Squares):
    """A finite generator."""

    def __init__(self) -> None:
        self.left = 2

    def generate(self, *, rng, max_formula_units=None):
        self.left -= 1
        return super().generate(rng=rng) if self.left >= 0 else None


def test_an_exhausted_generator_gives_what_it_has(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="only 2 of 5 structures"):
        assert len(nc.generate("NaCl", Twice(), n=5)) == 2
    with pytest.raises(nc.InputError, match="n = 0"):
        nc.generate("NaCl", n=0)
    bulk("Cu").write(tmp_path / "a.cif")
    seeds = {"kind": "seeds", "files": str(tmp_path / "a.cif")}
    assert nc.generate("Cu", seeds, n=1)[0].origin.source == "seeds"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: nc.relax(3), "structures is a int. Give ASE Atoms"),
        (lambda: nc.relax([bulk("Cu"), None], model=EMT()), r"structures\[1\] is a NoneType"),
        (lambda: nc.relax(Atoms("Cu"), model=EMT()), "not periodic in three directions"),
        (lambda: nc.relax("none.cif"), "none.cif: cannot be read"),
        (
            lambda: nc.relax(bulk("Cu"), model="magic"),
            "kind = 'magic' is not known",
        ),
        (lambda: nc.relax(bulk("Cu"), model="none.toml"), "there is no such file"),
        (lambda: nc.relax(bulk("Cu"), model=7), "model is a int"),
        (lambda: nc.relax(bulk("Cu"), model=[]), r"model = \[\]"),
        (lambda: nc.relax(bulk("Cu"), model=EMT(), fmax_ev_per_ang=-1), "fmax"),
        (lambda: nc.generate("SrTiO3", "magic"), "magic"),
        (lambda: nc.generate("SrTiO3", 5), "generators: 5 is not a generator"),
        (lambda: nc.generate("Xx2"), "Xx"),
        (lambda: nc.predict(5), "problem is a int"),
        (lambda: nc.predict("Cu", time="soon"), "soon"),
        (lambda: nc.predict("Cu", max_atoms=0), "max_atoms = 0"),
    ],
)
def test_bad_input_names_the_argument(call, message) -> None:
    with pytest.raises(nc.InputError, match=message):
        call()


def test_a_disordered_structure_is_refused() -> None:
    pytest.importorskip("pymatgen")
    from pymatgen.core import Structure

    mixed = Structure(np.eye(3) * 3, [{"Cu": 0.5, "Au": 0.5}], [[0, 0, 0]])
    with pytest.raises(nc.InputError, match="several elements"):
        nc.relax(mixed, model=EMT())


def test_results_of_another_calculator_do_not_matter() -> None:
    atoms = bulk("Cu", "fcc", 3.7)
    atoms.calc = SinglePointCalculator(atoms, energy=99.0)
    assert nc.relax(atoms, model=EMT(), single_point=True).energy < 1.0


def test_time_limit_is_kept() -> None:
    start = time.monotonic()
    run = nc.predict("Cu3Au", max_atoms=4, model=EMT_NAME, time="1s", polish=0, workers=1)
    assert run.stop_reason is not None
    assert run.stop_reason.startswith("the time is up")  # and perhaps that energies came later
    assert time.monotonic() - start < 60.0
