"""Forces and stress of CHGNet against differences of its energy in double precision."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("chgnet")

from nucleate.crystal.crystal import Crystal  # noqa: E402
from nucleate.energy.model import Batch, BatchedModel  # noqa: E402
from nucleate.networks.chgnet.checkpoint import load_checkpoint  # noqa: E402
from nucleate.networks.chgnet.graph import build_graph  # noqa: E402
from nucleate.networks.chgnet.models import build_chgnet  # noqa: E402
from nucleate.networks.chgnet.network import Network  # noqa: E402
from nucleate.networks.chgnet.parameters import parameters_of  # noqa: E402

STEP = 1e-4


def energy(network: Network, crystal: Crystal) -> float:
    start = np.array([0, crystal.n_atoms])
    graph = build_graph(crystal.cell[None].copy(), crystal.positions, start, 6.0, 3.0)
    owner = np.zeros(crystal.n_atoms, np.int64)
    return network.evaluate(graph, crystal.numbers, owner, 1)[0].item()


@cache
def in_double_precision() -> Network:
    return Network(parameters_of(load_checkpoint()), dtype=torch.float64)


def slope(ends: list[Crystal]) -> float:
    """Energy difference of two crystals in double precision, over two steps."""
    network = in_double_precision()
    return (energy(network, ends[0]) - energy(network, ends[1])) / (2 * STEP)


@pytest.fixture(scope="module")
def crystal() -> Crystal:
    rng = np.random.default_rng(4)
    cell = np.array([[4.1, 0.0, 0.0], [0.4, 4.0, 0.0], [-0.3, 0.2, 4.3]])
    scaled = np.array([[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]])
    return Crystal(np.array([38, 22, 8, 8, 8]), cell, scaled + rng.normal(0.0, 0.02, (5, 3)))


@pytest.fixture(scope="module", params=["cpu", "torch-cpu"])
def model(request: pytest.FixtureRequest) -> BatchedModel:
    return build_chgnet(device=request.param)


def test_forces_are_the_slope_of_the_energy(model: BatchedModel, crystal: Crystal) -> None:
    forces = model.evaluate(Batch.of([crystal])).forces
    for atom, axis in ((0, 0), (1, 2), (3, 1)):
        move = np.zeros((crystal.n_atoms, 3))
        move[atom, axis] = STEP
        ends = [
            Crystal.from_positions(crystal.numbers, crystal.cell, crystal.positions + sign * move)
            for sign in (1, -1)
        ]
        assert forces[atom, axis] == pytest.approx(-slope(ends), abs=3e-4)


def test_stress_is_the_slope_by_strain(model: BatchedModel, crystal: Crystal) -> None:
    stress = model.evaluate(Batch.of([crystal])).stresses[0]
    for i, j in ((0, 0), (1, 2)):
        strain = np.zeros((3, 3))
        strain[i, j] += STEP / 2
        strain[j, i] += STEP / 2
        ends = [crystal.replace(cell=crystal.cell @ (np.eye(3) + s * strain)) for s in (1, -1)]
        assert stress[i, j] == pytest.approx(slope(ends) / crystal.volume, abs=3e-5)
