"""The log-strain coordinates: gradients by finite differences, pressure against ASE."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.relax.models import argon, pair_energy

from nucleate.crystal.crystal import Crystal
from nucleate.energy.minimiser import deformation, gradient_at, start_minimisation
from nucleate.relax.series import relax_all
from nucleate.relax.settings import TierSettings, build_relaxer
from nucleate.units import GPA_PER_EV_A3


@settings(max_examples=15)
@given(seed=st.integers(0, 10**6), pressure=st.sampled_from([0.0, 0.3]))
def test_gradient_is_the_derivative_of_the_enthalpy(seed: int, pressure: float) -> None:
    rng = np.random.default_rng(seed)
    crystal = argon(3, 5)
    state = start_minimisation(crystal)
    point = state.x.copy()
    strain = rng.normal(size=(3, 3)) * 0.05
    point[-9:] = (strain + strain.T).ravel() * state.real[3]
    point[:-9] += 0.05 * rng.normal(size=point.size - 9)

    def deformed(at: np.ndarray) -> Crystal:
        deform, _, _ = deformation(state, at)
        positions = at[:-9].reshape(-1, 3) @ deform
        return Crystal.from_positions(crystal.numbers, state.cell @ deform, positions)

    def enthalpy(at: np.ndarray) -> float:
        moved = deformed(at)
        return pair_energy(moved)[0] + pressure * moved.volume

    deform, values, vectors = deformation(state, point)
    moved = deformed(point)
    _, forces, virial = pair_energy(moved)
    virial = virial + pressure * moved.volume * np.eye(3)
    gradient = gradient_at(state, forces, virial, values, vectors, deform, True)
    direction = rng.normal(size=point.size)
    tilt = direction[-9:].reshape(3, 3)
    direction[-9:] = (tilt + tilt.T).ravel()
    step = 1e-5
    slope = (enthalpy(point + step * direction) - enthalpy(point - step * direction)) / (2 * step)
    assert gradient @ direction == pytest.approx(slope, rel=2e-4, abs=1e-4)


def test_pressure_leads_to_the_same_minimum_as_the_frechet_filter_of_ase() -> None:
    from ase.build import bulk
    from ase.calculators.emt import EMT
    from ase.filters import FrechetCellFilter
    from ase.optimize import BFGS

    atoms = bulk("Cu", "fcc", a=3.6) * (2, 1, 1)
    atoms.numbers[0] = 79
    atoms.set_cell(atoms.cell @ (np.eye(3) + 0.03 * np.ones((3, 3))), scale_atoms=True)
    start = Crystal.from_ase(atoms)
    engine = {"kind": "ase", "calculator": "ase.calculators.emt:EMT"}
    tier = TierSettings.model_validate(
        {"engine": engine, "fmax_ev_per_ang": 2e-3, "max_stress_gpa": 0.01}
    )
    ((_, ours),) = relax_all(build_relaxer(tier, pressure_gpa=15.0), [(0, start)])
    pressure = 15.0 / GPA_PER_EV_A3
    atoms.calc = EMT()
    BFGS(FrechetCellFilter(atoms, scalar_pressure=pressure), logfile=None).run(1e-3, 300)
    theirs = atoms.get_potential_energy() + pressure * atoms.get_volume()
    assert ours.enthalpy == pytest.approx(theirs, abs=2e-4)
    assert ours.crystal.volume == pytest.approx(atoms.get_volume(), rel=1e-3)
