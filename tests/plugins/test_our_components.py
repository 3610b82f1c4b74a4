"""All shipped components keep the contracts that `nucleate.testing` checks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.emt import EMT
from tests.programs.fakes import potentials
from tests.programs.recorded import BUCKINGHAM, DATA, mgo, mgo_pair
from tests.surrogate.conftest import made_up

from nucleate.crystal.crystal import Crystal
from nucleate.energy.engine import EngineContext
from nucleate.errors import MissingDependencyError
from nucleate.plugins import find, kinds
from nucleate.testing import (
    check_generator,
    check_model,
    check_move,
    check_program,
    check_search,
)

SHIPPED = {group: [k.name for k in of.values() if k.source == "nucleate"]
           for group, of in kinds().items()}  # fmt: skip
DISPLACED = np.array([[0.0, 0.0, 0.0], [0.03, 0.01, -0.02]])
LARGE = {"swap-two-blocks", "swap-two-layers"}

FORCE_FIELD = """\
name = "Na-Cl"

[charges]
Na = 1.0
Cl = -1.0

[[buckingham]]
pair = ["Na", "Cl"]
A_eV = 1256.31
rho_A = 0.3159
C_eV_A6 = 0.0
"""


def _salts(folder: Path) -> str:
    bulk("NaCl", "rocksalt", a=5.64).write(folder / "one.cif")
    bulk("NaCl", "cesiumchloride", a=3.45).write(folder / "two.cif")
    return str(folder)


DRAWN = [kind for kind in SHIPPED["generators"] if kind not in ("rigid", "flow")]
FLOW = pytest.param("flow", marks=pytest.mark.slow)
"""A quick one: tests/generate/flow/test_shipped.py."""


@pytest.mark.parametrize("kind", [*DRAWN, FLOW])
def test_generators(kind: str, tmp_path) -> None:
    settings = {
        "lattice": {"grids": 20, "relaxed": 3},
        "seeds": {"files": _salts(tmp_path)},
        "pool": {"files": _salts(tmp_path)},
        "graph-search": {"number": 12, "refined": 4, "descent_steps": 0, "ranking": "network",
                         "most_formula_units": 2},
        "wyckoff-language": {"number": 8},
        "flow": {"number": 6, "steps": 4},
    }  # fmt: skip
    if kind == "graph-search":
        pytest.importorskip("torch")
    component = find(kind, "generators").model_validate(settings.get(kind, {}))
    check_generator(component, "NaCl", max_atoms=8)


@pytest.mark.parametrize("kind", SHIPPED["moves"])
def test_moves(kind: str) -> None:
    if kind in LARGE:
        check_move(kind, "Ca3Ti2O7", max_atoms=48)
    elif kind == "move-along-freedom":
        check_move(kind, "MgAl2O4", max_atoms=28)
    else:
        check_move(kind, "CaTiO3", max_atoms=20)


@pytest.mark.parametrize("kind", SHIPPED["searches"])
def test_searches(kind: str) -> None:
    check_search(kind)
    check_search(kind, "NaCl", max_atoms=4, in_flight=1, seed=3)


def _single_precision() -> dict[str, object]:
    """Return displaced crystals and a longer step, for models in single precision."""
    crystals = [
        Crystal.from_ase(bulk("NaCl", "rocksalt", a=5.5)),
        Crystal.from_ase(bulk("CsCl", "cesiumchloride", a=4.0)),
    ]
    moved = [c.replace(scaled=c.scaled + DISPLACED) for c in crystals]
    return {"crystals": moved, "step": 0.02, "tolerance": 1e-2}


@pytest.mark.parametrize("kind", SHIPPED["models"])
def test_models(kind: str, tmp_path) -> None:
    (tmp_path / "salt.toml").write_text(FORCE_FIELD)
    made_up((11, 17)).save(tmp_path / "salt.fit")
    settings = {
        "surrogate": {"file": str(tmp_path / "salt.fit")},
        "ase": {"calculator": "ase.calculators.emt:EMT"},
        "force-field": {"file": str(tmp_path / "salt.toml")},
        "torch-sim": {"model": "torch_sim.models.lennard_jones:LennardJonesModel"},
    }
    component = find(kind, "models").model_validate(settings.get(kind, {}))
    try:
        component.build(EngineContext())
    except MissingDependencyError as error:
        pytest.skip(str(error))
    if kind == "ase":
        check_model(component, "Cu3Au", max_atoms=4)
    elif kind in ("spp", "force-field", "surrogate"):
        check_model(component)
    else:
        check_model(component, **_single_precision())


def test_a_calculator_given_as_an_object() -> None:
    check_model(EMT(), "Cu3Au", max_atoms=4)


def _pseudopotentials(folder: Path) -> Path:
    folder.mkdir()
    for name in ("Mg.UPF", "O.UPF"):
        (folder / name).write_text("<UPF>")
    return folder


@pytest.mark.parametrize("kind", SHIPPED["programs"])
def test_programs(kind: str, tmp_path) -> None:
    library = tmp_path / "ions.lib"
    library.write_text("species\nMg core 2.0\nO core -2.0\n")
    settings = {
        "lammps": {"elements": ["Mg", "O"], "charges": {"Mg": 2, "O": -2}, "potential": BUCKINGHAM},
        "gulp": {"library": str(library)},
        "vasp": {"potentials": str(potentials(tmp_path / "paw", {"Mg": 200.0, "O": 400.0}))},
        "espresso": {"pseudopotentials": str(_pseudopotentials(tmp_path / "upf"))},
    }
    component = find(kind, "programs").model_validate(settings.get(kind, {}))
    finished = DATA / kind / "none" if kind in ("lammps", "gulp") else None
    crystal = mgo_pair() if kind == "gulp" else mgo()
    check_program(component, crystal, finished=finished)
