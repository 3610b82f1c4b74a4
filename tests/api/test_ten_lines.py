"""The ten lines of the README, as they are written there; with CHGNet."""

from __future__ import annotations

import pytest

pytest.importorskip("chgnet")

LINES = """
import nucleate as nc
run = nc.predict("Ca3Ti2O7", max_atoms=24, model="chgnet", time="5m")
run.structures
atoms = run.best.to_ase()
run.to_pandas(); run.plot_trajectory(); run.export("out")
relaxed = nc.relax([atoms, structure], model="chgnet", pressure_gpa=5)
pool = nc.generate("Ca3Ti2O7", "symmetric", n=100, seed=1)
search = nc.BasinHopping("Ca3Ti2O7", generators=[nc.Symmetric(), MyGenerator()],
                         moves=[*nc.FUSE_MOVES, shear])
trial = search.ask(); search.tell(trial, nc.relax(trial, model=my_batched_model))
old = nc.open("nucleate-Ca3Ti2O7")
"""


@pytest.mark.slow
def test_ten_lines(tmp_path, monkeypatch) -> None:
    from ase.build import bulk
    from tests.api.test_search import Springs, shear

    import nucleate as nc

    monkeypatch.chdir(tmp_path)
    code = LINES.replace('time="5m"', 'time="40s", folder="nucleate-Ca3Ti2O7"')

    class MyGenerator:
        """Another name for the shipped one."""

        name = "mine"

        def __init__(self) -> None:
            self.pool = nc.generate("Ca3Ti2O7", "symmetric", n=3, max_atoms=24)

        def generate(self, *, rng, max_formula_units=None):
            return self.pool[rng.integers(len(self.pool))]

    names = {
        "structure": nc.Crystal.from_ase(bulk("MgO", "rocksalt", 4.2)).to_pymatgen(),
        "MyGenerator": MyGenerator,
        "shear": shear,
        "my_batched_model": Springs(),
    }
    exec(compile(code, "ten_lines", "exec"), names)
    run = names["run"]
    assert run.best.crystal.reduced_formula == "Ca3Ti2O7"
    assert names["atoms"].get_forces().shape == (run.best.crystal.n_atoms, 3)
    assert [item.converged for item in names["relaxed"]] == [True, True]
    assert len(names["pool"]) == 100
    assert names["search"].progress.n_structures == 1
    assert names["old"].best.crystal == run.best.crystal
    assert (tmp_path / "out" / "report.html").exists()
