"""A run stops at its target, or says how near it came."""

from __future__ import annotations

import json

import pytest
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.io import write

from nucleate.run.reference import EVENT
from nucleate.run.store import Store

SEARCH = """\
[problem]
formula = "Cu"
max_atoms = 2
[search]
seed = 2
population = 3
known = "off"
generators = [{ kind = "symmetric" }]
[stop]
structures = 12
target = "target.vasp"
[[tier]]
name = "emt"
slots = 1
engine = { kind = "ase", calculator = "ase.calculators.emt:EMT" }
[final]
best = 0
[run]
workers = 1
"""


@pytest.fixture
def searched(nucleate, tmp_path, request):
    """A search for a structure of copper, and what it printed."""
    write(tmp_path / "target.vasp", request.param)
    (tmp_path / "run.toml").write_text(SEARCH)
    result = nucleate("predict", "run.toml", "--out", "run")
    assert result.status == 0, result.err
    return tmp_path / "run", result, nucleate


@pytest.mark.parametrize("searched", [bulk("Cu", "fcc", a=3.9)], indirect=True)
def test_the_target_is_relaxed_and_found(searched):
    run, result, _ = searched
    assert "the target structure was found" in result.out
    atoms = bulk("Cu", "fcc", a=3.59)
    atoms.calc = EMT()
    with Store.read(run) as store:
        ((_, _, data),) = store.events(EVENT)
        found = [record for record, update in store.records() if update.is_target]
    assert data["enthalpy"] == pytest.approx(atoms.get_potential_energy(), abs=2e-3)
    assert found[-1].relaxed.enthalpy_per_atom <= data["enthalpy"] + 0.002
    page = (run / "report.html").read_text()
    assert f'"lines":[["target",{round(data["enthalpy"], 5)}]]' in page


@pytest.mark.parametrize("searched", [bulk("Cu", "diamond", a=5.0)], indirect=True)
def test_a_run_that_ends_without_it_says_how_near_it_came(searched):
    run, result, nucleate = searched
    assert "The target was not found" in result.out
    assert "meV/atom" in result.out
    facts = json.loads(nucleate("status", run, "--json").out)
    assert facts["target"].startswith("the target was not found")
    assert "<p>The target was not found" in (run / "report.html").read_text()
    again = nucleate("predict", "run.toml", "--out", "run")
    assert again.status == 0
    with Store.read(run) as store:
        assert len(list(store.events(EVENT))) == 1
