"""All shipped components keep the contracts that `nucleate.testing` checks."""

from __future__ import annotations

import numpy as np
import pytest
from ase.build import bulk
from tests.programs.recorded import BUCKINGHAM, DATA, mgo, mgo_pair

from nucleate.crystal.crystal import Crystal
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
NEEDS_A_POOL = {"graph-search", "pool"}  # tested with their networks and files
NEEDS_A_PACKAGE = set(SHIPPED["models"]) - {"spp", "ase", "chgnet", "force-field"}
DISPLACED = np.array([[0.0, 0.0, 0.0], [0.03, 0.01, -0.02]])
LARGE = {"swap-two-blocks", "swap-two-layers"}

FORCE_FIELD = """\
[charges]
Na = 1.0
Cl = -1.0
"""


@pytest.mark.parametrize("kind", [k for k in SHIPPED["generators"] if k not in NEEDS_A_POOL])
def test_generators(kind: str, tmp_path) -> None:
    settings = {"lattice": {"grids": 20, "relaxed": 3}, "seeds": {"files": str(tmp_path)}}
    if kind == "seeds":
        bulk("NaCl", "rocksalt", a=5.64).write(tmp_path / "one.cif")
        bulk("NaCl", "cesiumchloride", a=3.45).write(tmp_path / "two.cif")
    component = find(kind, "generators").model_validate(settings.get(kind, {}))
    check_generator(component, "NaCl", max_atoms=8)


@pytest.mark.parametrize("kind", SHIPPED["moves"])
def test_moves(kind: str) -> None:
    if kind in LARGE:
        check_move(kind, "Ca3Ti2O7", max_atoms=48)
    else:
        check_move(kind, "CaTiO3", max_atoms=20)


@pytest.mark.parametrize("kind", SHIPPED["searches"])
def test_searches(kind: str) -> None:
    check_search(kind)
    check_search(kind, "NaCl", max_atoms=4, in_flight=1, seed=3)


def test_proxy_potentials() -> None:
    check_model("spp")


def test_ase_calculators() -> None:
    from ase.calculators.emt import EMT

    check_model(EMT(), "Cu3Au", max_atoms=4)
    check_model(find("ase", "models")(calculator="ase.calculators.emt:EMT"), "Cu3Au", max_atoms=4)


def test_chgnet() -> None:
    """In single precision: a longer step."""
    crystals = [
        Crystal.from_ase(bulk("NaCl", "rocksalt", a=5.5)),
        Crystal.from_ase(bulk("CsCl", "cesiumchloride", a=4.0)),
    ]
    moved = [c.replace(scaled=c.scaled + DISPLACED) for c in crystals]
    check_model("chgnet", crystals=moved, step=0.02, tolerance=1e-2)


@pytest.mark.parametrize("kind", ["lammps", "gulp", "cp2k"])
def test_programs(kind: str, tmp_path) -> None:
    library = tmp_path / "ions.lib"
    library.write_text("species\nMg core 2.0\nO core -2.0\n")
    settings = {
        "lammps": {"elements": ["Mg", "O"], "charges": {"Mg": 2, "O": -2}, "potential": BUCKINGHAM},
        "gulp": {"library": str(library)},
        "cp2k": {},
    }
    component = find(kind, "programs").model_validate(settings[kind])
    finished = DATA / kind / "none" if kind in ("lammps", "gulp") else None
    crystal = mgo_pair() if kind == "gulp" else mgo()
    check_program(component, crystal, finished=finished)
