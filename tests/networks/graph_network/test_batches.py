"""Packs of graphs, batches taken out of them, and gradients through positions and strain."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings

from nucleate.crystal.crystal import Crystal
from nucleate.networks.graph_network import network as network_module
from nucleate.networks.graph_network.batching import Batcher
from nucleate.networks.graph_network.checkpoint import build_network
from nucleate.networks.graph_network.differentiable import differentiable_batch
from nucleate.networks.graph_network.graphs import (
    NearestGraphs,
    build_graphs,
    joined,
    load_graphs,
    wrapped,
)
from nucleate.networks.graph_network.network import GraphNetwork, _batches
from strategies import in_another_cell, rotations, seeds, supercell, unimodular

from .conftest import SMALL, untrained

CELL = np.array([[3.6, 0.0, 0.0], [0.5, 3.8, 0.0], [0.3, -0.4, 4.1]])
FEW = settings(max_examples=6, deadline=None)


def crystal_of(seed: int, n_atoms: int = 4) -> Crystal:
    rng = np.random.default_rng(seed)
    return Crystal(rng.integers(1, 90, n_atoms), CELL, rng.random((n_atoms, 3)))


CRYSTALS = [crystal_of(seed, 1 + seed % 4) for seed in range(6)]


@pytest.fixture(scope="module", params=list(SMALL))
def network(request: pytest.FixtureRequest) -> GraphNetwork:
    return untrained(request.param)


@FEW
@given(seed=seeds, turn=rotations(), change=unimodular(steps=2))
def test_gradients_turn_with_the_crystal(
    network: GraphNetwork, seed: int, turn: np.ndarray, change: np.ndarray
) -> None:
    crystal = crystal_of(seed)
    other = in_another_cell(crystal, change)
    here, there = (
        network.gradients([one]) for one in (crystal, other.replace(cell=other.cell @ turn))
    )
    np.testing.assert_allclose(
        there.energies_ev_per_atom, here.energies_ev_per_atom, rtol=1e-4, atol=1e-5
    )
    np.testing.assert_allclose(there.forces[0], here.forces[0] @ turn, rtol=1e-3, atol=1e-4)
    stress = turn.T @ here.stresses[0] @ turn
    np.testing.assert_allclose(there.stresses[0], stress, rtol=1e-3, atol=1e-5)


def test_a_supercell_has_the_same_energy_per_atom_and_forces(network: GraphNetwork) -> None:
    crystal = crystal_of(3)
    found = network.gradients([crystal, supercell(crystal, (2, 1, 1))])
    assert found.energies_ev_per_atom[1] == pytest.approx(found.energies_ev_per_atom[0], abs=1e-5)
    np.testing.assert_allclose(found.forces[1], np.tile(found.forces[0], (2, 1)), atol=1e-5)
    np.testing.assert_allclose(found.stresses[1], found.stresses[0], atol=1e-5)


@pytest.mark.parametrize("kind", SMALL)
def test_all_gradients_are_slopes_of_the_energy(kind: str) -> None:
    """In double precision and for two crystals at once, every coordinate and every strain."""
    torch.manual_seed(2)
    model, sizes = build_network(SMALL[kind]).double(), SMALL[kind]
    crystals = [crystal_of(8, 2), crystal_of(9, 3)]

    def energy(pair: list[Crystal]) -> np.ndarray:
        batch = differentiable_batch(pair, sizes, dtype=torch.float64)
        return model(**batch.inputs).detach().numpy()

    batch = differentiable_batch(crystals, sizes, dtype=torch.float64)
    by_position, by_strain = torch.autograd.grad(
        model(**batch.inputs).sum(), [batch.positions, batch.strain]
    )
    step = 1e-6
    for atom, axis in np.ndindex(3, 3):
        move = np.zeros((3, 3))
        move[atom, axis] = step
        up, down = (
            Crystal.from_positions(crystals[1].numbers, CELL, crystals[1].positions + s * move)
            for s in (1, -1)
        )
        slope = (energy([crystals[0], up]) - energy([crystals[0], down])) / (2 * step)
        assert slope[0] == 0.0
        assert by_position[2 + atom, axis].item() == pytest.approx(slope[1], rel=1e-3, abs=1e-8)
    for i, j in ((0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2)):
        strain = np.zeros((3, 3))
        strain[i, j] += step / 2
        strain[j, i] += step / 2
        up, down = (crystals[0].replace(cell=CELL @ (np.eye(3) + s * strain)) for s in (1, -1))
        slope = (energy([up, crystals[1]]) - energy([down, crystals[1]])) / (2 * step)
        assert by_strain[0, i, j].item() == pytest.approx(slope[0], rel=1e-3, abs=1e-8)


def test_packed_and_differentiable_graphs_give_the_same_energies(network: GraphNetwork) -> None:
    energies = network.energies(CRYSTALS)
    found = network.gradients(CRYSTALS)
    np.testing.assert_allclose(found.energies_ev_per_atom, energies, atol=1e-5)
    assert [len(forces) for forces in found.forces] == [c.n_atoms for c in CRYSTALS]


def test_descending_along_the_gradients_lowers_the_energy(network: GraphNetwork) -> None:
    crystal = crystal_of(11)
    before = network.gradients([crystal])
    size = max(np.abs(before.forces[0]).max(), 1e-9)
    moved = Crystal.from_positions(
        crystal.numbers, CELL, crystal.positions + 0.005 / size * before.forces[0]
    )
    assert network.energies([moved])[0] < before.energies_ev_per_atom[0]
    tension = before.stresses[0] / max(np.abs(before.stresses[0]).max(), 1e-9)
    strained = crystal.replace(cell=CELL @ (np.eye(3) - 0.001 * tension))
    assert network.energies([strained])[0] < before.energies_ev_per_atom[0]


@pytest.mark.parametrize("limit", [1, 3, 1000])
def test_the_size_of_batches_changes_nothing(
    network: GraphNetwork, limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    energies, found = network.energies(CRYSTALS), network.gradients(CRYSTALS)
    monkeypatch.setattr(network_module, "BATCH_ATOMS", limit)
    np.testing.assert_allclose(network.energies(CRYSTALS), energies, atol=1e-6)
    again = network.gradients(CRYSTALS)
    for mine, theirs in zip(again.forces, found.forces, strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-5)
    np.testing.assert_allclose(again.stresses, found.stresses, atol=1e-6)


@pytest.mark.parametrize("sizes", [[], [700], [1, 2, 3], [300, 300, 1], [600, 1], [599, 2, 900, 1]])
def test_batches_hold_every_crystal_once_and_no_more_atoms_than_allowed(sizes: list[int]) -> None:
    parts = list(_batches(np.array(sizes, dtype=np.int64)))
    assert np.array_equal(np.concatenate([[], *parts]), np.arange(len(sizes)))
    for part in parts:
        assert len(part) == 1 or np.array(sizes)[part].sum() <= network_module.BATCH_ATOMS
    for part, following in pairwise(parts):
        atoms = np.array(sizes)[part].sum() + sizes[following[0]]
        assert atoms > network_module.BATCH_ATOMS


def test_no_crystals_give_no_energies(network: GraphNetwork) -> None:
    assert network.energies([]).shape == (0,)
    found = network.gradients([])
    assert (found.energies_ev_per_atom.size, found.forces, found.stresses.shape) == (
        0,
        (),
        (0, 3, 3),
    )


def test_a_batch_in_any_order_is_taken_from_the_pack(network: GraphNetwork) -> None:
    graphs = build_graphs(CRYSTALS, network.settings)
    batcher = Batcher(graphs)
    (member,) = network._members
    chosen = np.array([4, 1, 1, 5])
    with torch.no_grad():
        found = member(**batcher.take(chosen)).numpy()
    np.testing.assert_allclose(found, network.energies(CRYSTALS)[chosen], atol=1e-5)


def test_padding_adds_a_graph_and_leaves_the_others() -> None:
    """As a captured graph of a GPU needs it: every batch of the same number of atoms."""
    network = untrained("harmonic")
    graphs = build_graphs(CRYSTALS, network.settings)
    batcher = Batcher(graphs)
    (member,) = network._members
    chosen = np.array([0, 3])
    places = batcher.places(chosen, atoms=9)
    assert places.shape == (3, 9)
    with torch.no_grad():
        found = member(**batcher.gathered(torch.from_numpy(places), 3)).numpy()
    np.testing.assert_allclose(found[:2], network.energies(CRYSTALS)[chosen], atol=1e-5)


def test_packs_join_and_come_back_from_disk(network: GraphNetwork, tmp_path: Path) -> None:
    one, other = (build_graphs(part, network.settings) for part in (CRYSTALS[:2], CRYSTALS[2:]))
    whole = joined(one, other)
    assert len(whole) == len(CRYSTALS)
    energies = network.energies(CRYSTALS)
    np.testing.assert_allclose(network.graph_energies(whole), energies, atol=1e-6)
    whole.save(tmp_path / "graphs.npz")
    read = load_graphs(tmp_path / "graphs.npz", network.settings)
    assert type(read) is type(whole)
    np.testing.assert_allclose(network.graph_energies(read), energies, atol=2e-3)
    assert [item.name for item in tmp_path.iterdir()] == ["graphs.npz"]


def test_fractions_are_those_of_the_formula(network: GraphNetwork) -> None:
    crystals = [*CRYSTALS, Crystal(np.array([8, 8, 22]), CELL, CRYSTALS[3].scaled[:3])]
    fractions = build_graphs(crystals, network.settings).fractions(95)
    assert fractions.shape == (len(crystals), 95)
    np.testing.assert_allclose(fractions.sum(axis=1), 1.0, atol=1e-6)
    assert fractions[-1, 8] == pytest.approx(2 / 3)
    assert fractions[-1, 22] == pytest.approx(1 / 3)


def test_known_orbits_give_the_graphs_of_a_symmetry_search() -> None:
    sizes = SMALL["harmonic"]
    salt = Crystal(
        np.repeat([11, 17], 4),
        5.6 * np.eye(3),
        np.array([[0, 0, 0], [0, 1, 1], [1, 0, 1], [1, 1, 0], [1, 1, 1], [1, 0, 0], [0, 1, 0],
                  [0, 0, 1]]) / 2,
    )  # fmt: skip
    found = NearestGraphs.build([salt], sizes, orbits=True)
    given_ = NearestGraphs.build([salt], sizes, labels=[np.repeat([0, 4], 4)])
    for name in found.__slots__:
        np.testing.assert_allclose(getattr(found, name), getattr(given_, name), atol=1e-6)
    assert found.weight.tolist() == [0.5, 0.5]
    with pytest.raises(ValueError, match="shorter"):
        NearestGraphs.build([salt, salt], sizes, labels=[np.arange(8)])


def test_coordinates_are_wrapped_into_the_cell_and_never_onto_its_far_side() -> None:
    scaled = np.array([[-1e-17, 1.0, -0.25], [3.5, -1.0, 1.0 - 1e-16]])
    inside = wrapped(Crystal(np.array([1, 1]), CELL, scaled))
    assert (inside >= 0.0).all()
    assert (inside < 1.0).all()
    np.testing.assert_allclose(inside[:, :2], [[0.0, 0.0], [0.5, 0.0]], atol=1e-12)


def test_an_atom_without_neighbours_has_an_energy(network: GraphNetwork) -> None:
    lonely = Crystal(np.array([10]), 30.0 * np.eye(3), np.zeros((1, 3)))
    found = network.gradients([lonely, crystal_of(1)])
    assert np.isfinite(found.energies_ev_per_atom).all()
    assert not found.forces[0].any()
    assert not found.stresses[0].any()


def test_energies_repeat_bit_for_bit_and_leave_the_generator_alone(network: GraphNetwork) -> None:
    torch.manual_seed(11)
    before = torch.get_rng_state()
    one, again = network.gradients(CRYSTALS), network.gradients(CRYSTALS)
    assert np.array_equal(one.energies_ev_per_atom, again.energies_ev_per_atom)
    assert np.array_equal(one.stresses, again.stresses)
    assert np.array_equal(network.energies(CRYSTALS), network.energies(CRYSTALS))
    assert torch.equal(torch.get_rng_state(), before)
    other = GraphNetwork(replace(network.checkpoint))
    assert np.array_equal(other.energies(CRYSTALS), network.energies(CRYSTALS))
