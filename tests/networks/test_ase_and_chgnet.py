"""Engines against their references: ASE's EMT, and the chgnet package."""

from __future__ import annotations

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators import emt as ase_emt

from nucleate.crystal.crystal import Crystal
from nucleate.energy.level import LevelOfTheory
from nucleate.energy.model import Batch
from nucleate.networks.ase_model import AseModel
from nucleate.relax.batched import BatchedRelaxer
from nucleate.relax.outcome import Failed, FailReason, Relaxed
from nucleate.relax.series import relax_all
from nucleate.relax.settings import TierSettings, build_relaxer

EMT = {"kind": "ase", "calculator": "ase.calculators.emt:EMT"}


def test_emt_relaxes_to_the_lattice_of_ase() -> None:
    from ase.filters import FrechetCellFilter
    from ase.optimize import BFGS

    atoms = bulk("Cu", "fcc", a=3.75) * (2, 1, 1)
    atoms.rattle(0.05, seed=1)
    tier = TierSettings.model_validate(
        {"engine": EMT, "fmax_ev_per_ang": 0.005, "max_stress_gpa": 0.02}
    )
    ((key, outcome),) = relax_all(build_relaxer(tier), [(7, Crystal.from_ase(atoms))])
    atoms.calc = ase_emt.EMT()
    BFGS(FrechetCellFilter(atoms), logfile=None).run(fmax=0.001, steps=200)
    assert key == 7
    assert isinstance(outcome, Relaxed)
    assert outcome.converged
    assert outcome.energy == pytest.approx(atoms.get_potential_energy(), abs=1e-3)
    assert outcome.crystal.volume == pytest.approx(atoms.get_volume(), rel=3e-3)


class SingleEMT(ase_emt.EMT):
    """EMT that answers in float32, as many networks do."""

    def calculate(self, *args, **kwargs) -> None:
        super().calculate(*args, **kwargs)
        for name in ("forces", "stress"):
            self.results[name] = self.results[name].astype(np.float32)


def test_a_calculator_in_single_precision_relaxes() -> None:
    atoms = bulk("Cu", "fcc", a=3.75) * (2, 1, 1)
    atoms.rattle(0.05, seed=1)
    tier = TierSettings.model_validate({"engine": EMT, "fmax_ev_per_ang": 0.02})
    model = AseModel(SingleEMT(), LevelOfTheory("ase", "", "EMT"), 6.0)
    outcomes = []
    for relaxer in (BatchedRelaxer(model, tier, 0.0), build_relaxer(tier)):
        ((_, outcome),) = relax_all(relaxer, [(0, Crystal.from_ase(atoms))])
        assert isinstance(outcome, Relaxed)
        assert outcome.converged
        outcomes.append(outcome)
    assert outcomes[0].steps > 0
    assert outcomes[0].energy == pytest.approx(outcomes[1].energy, abs=1e-4)


def test_pressure_shrinks_the_cell_and_counts_in_the_enthalpy() -> None:
    crystal = Crystal.from_ase(bulk("Cu", "fcc", a=3.6))
    tier = TierSettings.model_validate(
        {"engine": EMT, "fmax_ev_per_ang": 0.005, "max_stress_gpa": 0.02}
    )
    ((_, free),) = relax_all(build_relaxer(tier), [(0, crystal)])
    ((_, pressed),) = relax_all(build_relaxer(tier, pressure_gpa=20.0), [(0, crystal)])
    assert isinstance(free, Relaxed)
    assert isinstance(pressed, Relaxed)
    assert pressed.crystal.volume < 0.95 * free.crystal.volume
    work = 20.0 / 160.21766208 * pressed.crystal.volume
    assert pressed.enthalpy - pressed.energy == pytest.approx(work)
    np.testing.assert_allclose(pressed.stress_gpa, -20.0 * np.eye(3), atol=0.05)


def test_bad_crystals_fail_alone() -> None:
    good = Crystal.from_ase(bulk("Cu", "fcc", a=3.6))
    bad = {
        FailReason.INVALID: good.replace(scaled=np.full((1, 3), np.nan)),
        FailReason.ISOLATED_ATOM: good.replace(cell=np.eye(3) * 15.0),
    }
    relaxer = build_relaxer(TierSettings.model_validate({"engine": EMT}))
    outcomes = dict(relax_all(relaxer, enumerate([*bad.values(), good])))
    for index, reason in enumerate(bad):
        failed = outcomes[index]
        assert isinstance(failed, Failed)
        assert failed.reason is reason
    assert isinstance(outcomes[len(bad)], Relaxed)


def test_chgnet_agrees_with_its_package() -> None:
    pytest.importorskip("chgnet")
    from chgnet.model import CHGNet

    rng = np.random.default_rng(3)
    shapes = [
        bulk("NaCl", "rocksalt", a=5.64, cubic=True),
        bulk("Cu", "fcc", a=3.6),
        bulk("TiN", "rocksalt", a=4.24) * (2, 1, 1),
    ]
    crystals = []
    for atoms in shapes:
        atoms.rattle(0.1, rng=rng)
        atoms.set_cell(atoms.cell @ (np.eye(3) + 0.02 * rng.normal(size=(3, 3))), scale_atoms=True)
        crystals.append(Crystal.from_ase(atoms))
    tier = TierSettings.model_validate({"relax": False, "pre_relax": False})
    outcomes = dict(relax_all(build_relaxer(tier), enumerate(crystals)))
    reference = CHGNet.load(verbose=False, use_device="cpu")
    for index, crystal in enumerate(crystals):
        expected = reference.predict_structure(crystal.to_pymatgen())
        found = outcomes[index]
        assert isinstance(found, Relaxed)
        assert found.energy_per_atom == pytest.approx(float(expected["e"]), abs=1e-5)
        np.testing.assert_allclose(found.forces, expected["f"], atol=2e-4)
        np.testing.assert_allclose(found.stress_gpa, expected["s"], atol=1e-3)


@pytest.mark.parametrize("model", ["0.3.0", "r2scan"])
def test_a_crystal_lies_near_the_energy_of_its_composition(model: str) -> None:
    pytest.importorskip("chgnet")
    from nucleate.networks.chgnet.models import build_chgnet

    magnesia = Crystal.from_ase(bulk("MgO", "rocksalt", 4.21))
    network = build_chgnet(model)
    composition = network.composition_energies
    assert composition is not None
    per_atom = network.evaluate(Batch.of([magnesia])).energies[0] / 2
    assert abs(per_atom - composition[magnesia.numbers].mean()) < 2.0
