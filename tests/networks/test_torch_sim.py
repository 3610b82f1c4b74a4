"""A torch-sim model behind the batched protocol; needs torch-sim, so Python 3.12 or later."""

from __future__ import annotations

import numpy as np
import pytest

from nucleate.crystal.crystal import Crystal
from nucleate.energy.model import Batch
from nucleate.relax.settings import TierSettings, build_relaxer

pytest.importorskip("torch_sim")


def test_stress_and_forces_are_derivatives_in_a_skewed_cell() -> None:
    options = {
        "sigma": 2.2, "epsilon": 1.0, "cutoff": 5.0,
        "compute_forces": True, "compute_stress": True,
    }  # fmt: skip
    engine = {
        "kind": "torch-sim", "model": "torch_sim.models.lennard_jones:LennardJonesModel",
        "options": options,
    }  # fmt: skip
    relaxer = build_relaxer(TierSettings.model_validate({"engine": engine}))
    model = relaxer._model  # type: ignore[attr-defined]
    cell = np.array([[3.0, 0.2, 0.0], [1.0, 2.9, 0.1], [0.3, -0.4, 3.3]])
    crystal = Crystal(np.array([18, 18]), cell, np.array([[0.0, 0, 0], [0.45, 0.55, 0.5]]))
    result = model.evaluate(Batch.of([crystal, crystal]))
    step = 1e-3
    tilt = np.array([[0.0, step, 0.0], [step, 0.0, 0.0], [0.0, 0.0, step]])
    up, down = (
        model.evaluate(Batch.of([crystal.replace(cell=cell @ (np.eye(3) + s * tilt))])).energies[0]
        for s in (1, -1)
    )
    expected = crystal.volume * (2 * result.stresses[0][0, 1] + result.stresses[0][2, 2])
    assert (up - down) / (2 * step) == pytest.approx(expected, rel=2e-2, abs=2e-2)
    assert result.energies[0] == pytest.approx(result.energies[1], abs=1e-5)
