"""Invariances, sizes and gradients of the networks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from nucleate.crystal.crystal import Crystal  # noqa: E402
from nucleate.errors import InputError  # noqa: E402
from nucleate.networks.graph_network.checkpoint import (  # noqa: E402
    Checkpoint,
    build_network,
    load_checkpoint,
    save_checkpoint,
)
from nucleate.networks.graph_network.differentiable import differentiable_batch  # noqa: E402
from nucleate.networks.graph_network.graphs import NearestGraphs, build_graphs, load_graphs  # noqa: E402
from nucleate.networks.graph_network.harmonic import harmonics, message_sum  # noqa: E402
from nucleate.networks.graph_network.network import GraphNetwork  # noqa: E402
from nucleate.networks.graph_network.settings import configuration  # noqa: E402

NAMES = ("harmonic", "megnet")
CELL = np.array([[4.0, 0.0, 0.0], [0.5, 4.2, 0.0], [0.3, 0.1, 5.0]])


def make_crystal(seed: int, n_atoms: int = 5) -> Crystal:
    rng = np.random.default_rng(seed)
    return Crystal(rng.integers(1, 80, n_atoms), CELL, rng.random((n_atoms, 3)))


def fresh(name: str, seed: int = 0) -> GraphNetwork:
    torch.manual_seed(seed)
    sizes = configuration(name)
    return GraphNetwork(
        Checkpoint(sizes, (build_network(sizes).state_dict(),), tuple(range(1, 95)))
    )


@pytest.fixture(scope="module", params=NAMES)
def network(request: pytest.FixtureRequest) -> GraphNetwork:
    return fresh(request.param)


@pytest.mark.parametrize(("name", "count"), [("megnet", 167_761), ("megnet-10", 162_001)])
def test_reference_configuration_has_the_published_size(name: str, count: int) -> None:
    parameters = build_network(configuration(name)).parameters()
    assert sum(parameter.numel() for parameter in parameters) == count


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_energies_do_not_depend_on_the_description(network: GraphNetwork, seed: int) -> None:
    rng = np.random.default_rng(seed)
    crystal = make_crystal(seed)
    order = rng.permutation(crystal.n_atoms)
    turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    double = Crystal(
        np.tile(crystal.numbers, 2),
        CELL * np.array([[2.0], [1.0], [1.0]]),
        np.concatenate([crystal.scaled, crystal.scaled + np.eye(3)[0]]) / [2, 1, 1],
    )
    others = [
        Crystal(crystal.numbers[order], CELL, crystal.scaled[order]),
        crystal.replace(scaled=crystal.scaled + rng.normal(size=3)),
        crystal.replace(cell=CELL @ turn),
        crystal.replace(
            cell=np.array([[1, 0, 0], [1, 1, 0], [0, 0, 1]]) @ CELL,
            scaled=crystal.scaled @ np.array([[1, 0, 0], [-1, 1, 0], [0, 0, 1]]),
        ),
        double,
    ]
    energies = network.energies([crystal, *others])
    assert np.allclose(energies, energies[0], atol=2e-5)


def test_batching_does_not_change_energies(network: GraphNetwork) -> None:
    crystals = [make_crystal(seed, n_atoms=1 + seed % 40) for seed in range(40)]
    alone = [network.energies([crystal])[0] for crystal in crystals]
    assert np.allclose(network.energies(crystals), alone, atol=2e-5)


@pytest.mark.parametrize("name", NAMES)
def test_gradients_agree_with_finite_differences(name: str) -> None:
    torch.manual_seed(1)
    sizes = configuration(name)
    model = build_network(sizes).double()
    crystal = make_crystal(3)

    def energy(moved: Crystal) -> float:
        batch = differentiable_batch([moved], sizes, dtype=torch.float64)
        return model(**batch.inputs).item()

    batch = differentiable_batch([crystal], sizes, dtype=torch.float64)
    by_position, by_strain = torch.autograd.grad(
        model(**batch.inputs).sum(), [batch.positions, batch.strain]
    )
    # steps so small that the first neighbour left out stays the same
    step = 1e-6
    for atom in range(crystal.n_atoms):
        move = np.zeros((crystal.n_atoms, 3))
        move[atom, 1] = step
        ends = [
            Crystal.from_positions(crystal.numbers, CELL, crystal.positions + s * move)
            for s in (1, -1)
        ]
        slope = (energy(ends[0]) - energy(ends[1])) / (2 * step)
        assert by_position[atom, 1].item() == pytest.approx(slope, rel=1e-3, abs=1e-7)
    strain = np.zeros((3, 3))
    strain[0, 2] = strain[2, 0] = step / 2
    ends = [crystal.replace(cell=CELL @ (np.eye(3) + s * strain)) for s in (1, -1)]
    slope = (energy(ends[0]) - energy(ends[1])) / (2 * step)
    assert by_strain[0, 0, 2].item() == pytest.approx(slope, rel=1e-3, abs=1e-7)


def test_forces_sum_to_zero_and_stress_is_symmetric(network: GraphNetwork) -> None:
    found = network.gradients([make_crystal(5), make_crystal(6)])
    assert found.energies_ev_per_atom == pytest.approx(
        network.energies([make_crystal(5), make_crystal(6)]), abs=2e-5
    )
    for forces, stress in zip(found.forces, found.stresses, strict=True):
        assert np.abs(forces.sum(axis=0)).max() < 1e-5
        assert np.allclose(stress, stress.T, atol=1e-7)


def test_harmonic_energy_is_continuous_where_neighbours_change() -> None:
    model = fresh("harmonic")
    crystal = make_crystal(7)
    way = np.linspace(0.0, 0.2, 401)
    path = []
    for shift in way:
        scaled = crystal.scaled.copy()
        scaled[0, 0] += shift
        path.append(crystal.replace(scaled=scaled))
    steps = np.abs(np.diff(model.energies(path)))
    assert steps.max() < 20 * (np.median(steps) + 1e-5)


def test_one_atom_of_each_orbit_gives_the_energy_of_the_crystal() -> None:
    model = fresh("harmonic")
    rutile = Crystal(
        np.array([22, 22, 8, 8, 8, 8]),
        np.diag([4.6, 4.6, 2.96]),
        np.array(
            [
                [0, 0, 0],
                [0.5, 0.5, 0.5],
                [0.305, 0.305, 0],
                [0.695, 0.695, 0],
                [0.195, 0.805, 0.5],
                [0.805, 0.195, 0.5],
            ]
        ),
    )
    reduced = build_graphs([rutile], model.settings, orbits=True)
    assert reduced.numbers.size == 2
    assert model.graph_energies(reduced) == pytest.approx(model.energies([rutile]), abs=1e-5)


def test_fused_messages_agree_with_torch() -> None:
    generator = torch.Generator().manual_seed(0)
    shapes = [(9, 8), (9, 8), (9, 4, 8), (9, 16, 4)]
    own, sent, radial, angular = (
        torch.randn(s, generator=generator, requires_grad=True) for s in shapes
    )
    near = torch.randint(0, 9, (9, 4), generator=generator)
    inputs = (own, sent, radial, angular)
    doubles = [x.detach().double().requires_grad_() for x in inputs]
    fused = message_sum(own, sent, radial, near, angular)
    plain = message_sum(doubles[0], doubles[1], doubles[2], near, doubles[3])
    assert torch.allclose(fused.double(), plain, atol=1e-5)
    upstream = torch.randn(fused.shape, generator=generator)
    got = torch.autograd.grad(fused, inputs, upstream)
    want = torch.autograd.grad(plain, doubles, upstream.double())
    for mine, exact in zip(got, want, strict=True):
        assert torch.allclose(mine.double(), exact, atol=1e-4)


def test_harmonics_are_normalised_and_orthogonal() -> None:
    direction = torch.randn(
        20_000, 1, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0)
    )
    values = harmonics(direction / direction.norm(dim=-1, keepdim=True)).squeeze(-1)
    for low, high in ((0, 1), (1, 4), (4, 9), (9, 16)):
        assert torch.allclose(
            values[:, low:high].square().sum(1), torch.ones(20_000, dtype=torch.float64)
        )
    overlap = values.T @ values / 20_000
    assert (overlap - torch.diag(overlap.diagonal())).abs().max() < 0.02


def test_graphs_and_checkpoints_come_back(tmp_path) -> None:
    model = fresh("harmonic")
    crystals = [make_crystal(1), make_crystal(2)]
    graphs = build_graphs(crystals, model.settings)
    graphs.save(tmp_path / "graphs.npz")
    read = load_graphs(tmp_path / "graphs.npz", model.settings)
    assert isinstance(read, NearestGraphs)
    assert model.graph_energies(read) == pytest.approx(model.energies(crystals), abs=1e-3)
    save_checkpoint(tmp_path / "m.safetensors", model.checkpoint)
    again = GraphNetwork.load(tmp_path / "m.safetensors")
    assert np.array_equal(again.energies(crystals), model.energies(crystals))
    with pytest.raises(InputError, match=r"network = .*nothing.*: there is no such file\. Give"):
        load_checkpoint(tmp_path / "nothing")


def test_shipped_network_knows_good_from_bad() -> None:
    from nucleate.fitting.graph_network.perturbation import crowded, scattered

    network = GraphNetwork.load()
    cell = 5.64 / 2 * np.array([[0.0, 1, 1], [1, 0, 1], [1, 1, 0]])
    salt = Crystal(np.array([11, 17]), cell, np.array([[0.0, 0, 0], [0.5, 0.5, 0.5]]))
    rng = np.random.default_rng(0)
    bad = [scattered(salt, rng=rng) for _ in range(5)] + [
        crowded(salt.replace(cell=cell * 0.85), rng=rng)
    ]
    energies = network.energies([salt, *bad])
    assert energies[0] == pytest.approx(-2.1, abs=0.15)
    assert energies[1:].min() > energies[0]


def test_unknown_element_is_refused_with_advice() -> None:
    network = GraphNetwork.load()
    argon = Crystal(np.array([18]), np.eye(3) * 4.0, np.zeros((1, 3)))
    assert network.unknown_elements(argon.numbers) == [18]
    with pytest.raises(InputError, match="never seen Ar; use another generator"):
        network.energies([argon])
