"""A small run folder with real energies (ASE's EMT potential for copper)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.emt import EMT

import nucleate as nc
from nucleate.crystal.candidate import Candidate, Origin
from nucleate.crystal.crystal import Crystal
from nucleate.energy.level import LevelOfTheory
from nucleate.relax.outcome import Failed, FailReason, Relaxed
from nucleate.run.store import Store
from nucleate.search.record import Record, SearchUpdate, TierOutcome

LEVEL = LevelOfTheory("ase", "3", "EMT")
PROXY = LevelOfTheory("nucleate", "0", "SPP", unit="arbitrary")


def emt_outcome(crystal: Crystal, level: LevelOfTheory = LEVEL) -> Relaxed:
    atoms = crystal.to_ase()
    atoms.calc = EMT()
    forces = atoms.get_forces()
    stress = atoms.get_stress(voigt=False) * 160.21766208
    energy = float(atoms.get_potential_energy())
    return Relaxed(
        crystal=crystal,
        energy=energy,
        enthalpy=energy,
        forces=forces,
        stress_gpa=stress,
        max_force=float(np.abs(forces).max()),
        max_stress_gpa=float(np.abs(stress).max()),
        converged=True,
        steps=3,
        evaluations=4,
        wall_s=0.1,
        level=level,
    )


SALT = {
    "problem": {"formula": "NaCl", "max_atoms": 4},
    "tier": [{"name": "spp", "engine": {"kind": "spp"}}],
    "search": {"generators": ["blocks", "symmetric"]},
    "stop": {"structures": 15},
    "run": {"workers": 1},
}


@pytest.fixture(scope="session")
def salt_run(tmp_path_factory: pytest.TempPathFactory) -> nc.Run:
    """A finished search with real energies, made once and only read."""
    return nc.predict(SALT, folder=tmp_path_factory.mktemp("salt") / "run", display=False)


@pytest.fixture
def run_folder(tmp_path: Path) -> Path:
    """fcc, a copy of fcc, bcc, a failure, and hcp that only the proxy has seen."""
    shapes = {
        "fcc": bulk("Cu", "fcc", a=3.6),
        "fcc-copy": bulk("Cu", "fcc", a=3.601, cubic=True),
        "bcc": bulk("Cu", "bcc", a=2.87),
        "gone": bulk("Cu", "sc", a=2.4),
        "hcp": bulk("Cu", "hcp", a=2.55, c=4.17),
    }
    with Store.create(tmp_path, {"formula": "Cu", "seed": 7}) as store:
        best = None
        for number, (name, atoms) in enumerate(shapes.items()):
            crystal = Crystal.from_ase(atoms)
            outcomes = [TierOutcome("spp", emt_outcome(crystal, PROXY))]
            if name == "gone":
                failed = Failed(FailReason.EXPLODED, "volume 4 times the start")
                outcomes.append(TierOutcome("emt", failed))
            elif name != "hcp":
                outcomes.append(TierOutcome("emt", emt_outcome(crystal)))
            origin = Origin("symmetric" if number < 2 else "move:double", (), {"name": name})
            duplicate = 0 if name == "fcc-copy" else None
            record = Record(
                number, Candidate(crystal, origin), tuple(outcomes), duplicate, 7, 0.0, 1.0 + number
            )
            best = 0 if best is None else best
            store.add_candidate(number, record.candidate)
            for position, item in enumerate(outcomes):
                store.add_outcome(number, position, item.tier, item.outcome)
            store.add_record(
                record,
                SearchUpdate(number == 0, number == 0, duplicate, False, 0.02, best, best),
            )
        store.commit()
    return tmp_path
