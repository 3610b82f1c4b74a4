"""The graph of CHGNet against ASE's neighbour lists and the graph of the chgnet package."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from ase import Atoms
from ase.neighborlist import neighbor_list
from hypothesis import given, settings
from hypothesis import strategies as st

from nucleate.crystal.crystal import Crystal
from nucleate.energy.model import Batch
from nucleate.networks.chgnet.graph import Graph, build_graph
from strategies import seeds

CUTOFF, SHORT = 6.0, 3.0


def skewed(seed: int, n_atoms: int) -> Crystal:
    """Return atoms of a skewed cell of 2.5 to 6 Å, some outside of it."""
    rng = np.random.default_rng(seed)
    cell = np.diag(rng.uniform(2.5, 6.0, 3)) + np.tril(rng.uniform(-3.0, 3.0, (3, 3)), -1)
    return Crystal(rng.integers(1, 90, n_atoms), cell, 3.0 * rng.random((n_atoms, 3)) - 1.0)


def graph_of(*crystals: Crystal, cutoff: float = CUTOFF, short: float = SHORT) -> Graph:
    batch = Batch.of(crystals)
    return build_graph(batch.cells, batch.positions, batch.start, cutoff, short)


def both_ways(graph: Graph) -> list[tuple[int, ...]]:
    """Return (atom, other atom, image of the other) of every bond from both of its ends."""
    ends, shift = graph.bond_ends, graph.bond_shift
    seen = np.concatenate([np.hstack([ends, shift]), np.hstack([ends[:, ::-1], -shift])])
    return sorted(map(tuple, seen.tolist()))


def of_ase(crystal: Crystal, radius: float) -> list[tuple[int, ...]]:
    atoms = Atoms(crystal.numbers, positions=crystal.positions, cell=crystal.cell, pbc=True)
    first, second, shift = neighbor_list("ijS", atoms, radius)
    return sorted(map(tuple, np.column_stack([first, second, shift]).tolist()))


@settings(max_examples=15, deadline=None)
@given(seed=seeds, n_atoms=st.integers(1, 5), cutoff=st.floats(1.0, 6.5))
def test_bonds_are_the_neighbours_of_ase(seed: int, n_atoms: int, cutoff: float) -> None:
    crystal = skewed(seed, n_atoms)
    graph = graph_of(crystal, cutoff=cutoff, short=min(cutoff, SHORT))
    assert both_ways(graph) == of_ase(crystal, cutoff)
    short = graph._replace(
        bond_ends=graph.bond_ends[: graph.n_short], bond_shift=graph.bond_shift[: graph.n_short]
    )
    assert both_ways(short) == of_ase(crystal, min(cutoff, SHORT))


@settings(max_examples=10, deadline=None)
@given(seed=seeds, n_atoms=st.integers(1, 4))
def test_vectors_lead_from_the_first_atom_to_the_image_of_the_second(
    seed: int, n_atoms: int
) -> None:
    crystal = skewed(seed, n_atoms)
    graph = graph_of(crystal)
    start, end = graph.bond_ends.T
    expected = crystal.positions[end] + graph.bond_shift @ crystal.cell - crystal.positions[start]
    np.testing.assert_allclose(graph.vectors, expected, atol=1e-9)
    lengths = np.linalg.norm(graph.vectors, axis=1)
    assert (lengths[: graph.n_short] < SHORT).all()
    assert (lengths[graph.n_short :] >= SHORT).all()
    assert (lengths < CUTOFF).all()


def halves_of(graph: Graph, n_atoms: int) -> list[list[tuple[int, float]]]:
    """Return (bond, sign) of the ends of short bonds at each atom, by a plain loop."""
    halves: list[list[tuple[int, float]]] = [[] for _ in range(n_atoms)]
    for bond, (start, end) in enumerate(graph.bond_ends[: graph.n_short].tolist()):
        halves[start].append((bond, 1.0))
        halves[end].append((bond, -1.0))
    return halves


@settings(max_examples=10, deadline=None)
@given(seed=seeds, n_atoms=st.integers(1, 4))
def test_angles_are_all_ordered_pairs_of_short_bonds_at_an_atom(seed: int, n_atoms: int) -> None:
    graph = graph_of(skewed(seed, n_atoms))
    expected = [
        (atom, one, other, sign * its)
        for atom, halves in enumerate(halves_of(graph, n_atoms))
        for (one, sign), (other, its) in permutations(halves, 2)
    ]
    found = [
        (*angle, sign)
        for angle, sign in zip(graph.angles.tolist(), graph.angle_sign.tolist(), strict=True)
    ]
    assert sorted(found) == sorted(expected)


@settings(max_examples=10, deadline=None)
@given(seed=seeds, n_atoms=st.integers(1, 4))
def test_both_orders_of_an_angle_lie_side_by_side(seed: int, n_atoms: int) -> None:
    graph = graph_of(skewed(seed, n_atoms))
    one, other = graph.angles[::2], graph.angles[1::2]
    assert np.array_equal(one, other[:, [0, 2, 1]])
    assert np.array_equal(graph.angle_sign[::2], graph.angle_sign[1::2])


def test_angles_of_the_cubic_lattice_are_right_and_straight() -> None:
    """Six neighbours of one atom: 15 pairs, of which 3 are straight and 12 right angles."""
    cube = Crystal(np.array([84]), 2.9 * np.eye(3), np.zeros((1, 3)))
    graph = graph_of(cube)
    assert graph.n_short == 3
    unit = graph.vectors[:3] / np.linalg.norm(graph.vectors[:3], axis=1)[:, None]
    _, one, other = graph.angles[::2].T
    cosines = graph.angle_sign[::2] * (unit[one] * unit[other]).sum(axis=1)
    assert np.sort(np.round(cosines, 9)).tolist() == [-1.0] * 3 + [0.0] * 12


@pytest.mark.parametrize(
    ("edge", "bonds", "short"),
    [
        (3.0, 3 + 6 + 4, 0),  # a neighbour at the short cut-off exactly forms no angles
        (6.0, 0, 0),  # nor one at the cut-off a bond
        (5.999999, 3, 0),
        (2.999999, 3 + 6 + 4 + 3, 3),
    ],
)
def test_a_bond_at_its_cutoff_is_none(edge: float, bonds: int, short: int) -> None:
    cube = Crystal(np.array([84]), edge * np.eye(3), np.zeros((1, 3)))
    graph = graph_of(cube)
    assert (len(graph.bond_ends), graph.n_short) == (bonds, short)


def test_a_batch_is_its_crystals_side_by_side() -> None:
    """The short bonds of all crystals come first; within them each keeps its own order."""
    crystals = [skewed(seed, n) for seed, n in ((1, 3), (2, 1), (3, 4))]
    crystals.insert(1, Crystal(np.array([2]), 9.0 * np.eye(3), np.zeros((1, 3))))
    start = Batch.of(crystals).start
    together = graph_of(*crystals)
    owner = np.searchsorted(start, together.bond_ends[:, 0], side="right") - 1
    for k, crystal in enumerate(crystals):
        alone = graph_of(crystal)
        mine = owner == k
        assert np.array_equal(together.bond_ends[mine] - start[k], alone.bond_ends)
        assert np.array_equal(together.bond_shift[mine], alone.bond_shift)
        assert np.array_equal(together.vectors[mine], alone.vectors)
        assert mine[: together.n_short].sum() == alone.n_short
        middle = together.angles[:, 0]
        inside = (middle >= start[k]) & (middle < start[k + 1])
        assert np.array_equal(together.angle_sign[inside], alone.angle_sign)


def test_many_bonds_outgrow_the_room_that_was_set_aside() -> None:
    """A metal at 12 Å has some 230 bonds per atom, far over the room for one atom."""
    cell = 2.8 * (1 - np.eye(3)) / 2**0.5
    dense = Crystal(np.array([29]), cell, np.zeros((1, 3)))
    graph = graph_of(dense, cutoff=12.0)
    assert len(graph.bond_ends) == len(of_ase(dense, 12.0)) // 2 > 200


def test_the_package_has_the_same_bonds_and_angles(package_chgnet) -> None:
    crystal = skewed(5, 4).replace(numbers=np.array([22, 8, 8, 38]))
    theirs = package_chgnet.graph_converter(crystal.to_pymatgen())
    graph = graph_of(crystal)
    assert len(theirs.atom_graph) == 2 * len(graph.bond_ends)
    assert len(theirs.undirected2directed) == len(graph.bond_ends)
    counts = np.bincount(theirs.atom_graph[:, 0].numpy(), minlength=4)
    assert np.array_equal(counts, np.bincount(graph.bond_ends.ravel(), minlength=4))
    angles = np.bincount(theirs.bond_graph[:, 0].numpy(), minlength=4)
    assert angles.sum() > 0
    assert np.array_equal(angles, np.bincount(graph.angles[:, 0], minlength=4))
