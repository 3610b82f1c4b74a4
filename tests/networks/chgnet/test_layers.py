"""The compiled layers of CHGNet against plain torch in double precision, and its autograd."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from nucleate.networks.chgnet.graph import Graph, build_graph
from nucleate.networks.chgnet.layers import (
    CHUNK,
    TWICE,
    angle_update,
    angle_update_backward,
    atom_messages,
    atom_messages_backward,
    bond_messages,
    bond_messages_backward,
)
from nucleate.networks.chgnet.parameters import WIDTH

SIZES = {"few": (2, 3.2), "many": (8, 4.0)}
"""Atoms and edge in Å: fewer edges and angles than a chunk has rows, and more."""


class Layer:
    """Seeded features and weights of one layer on a small graph."""

    def __init__(self, size: str, *, normed: bool) -> None:
        n_atoms, edge = SIZES[size]
        rng = np.random.default_rng(n_atoms)
        cell = edge * np.eye(3)
        positions = rng.random((n_atoms, 3)) @ cell
        self.n_atoms = n_atoms
        self.graph: Graph = build_graph(cell[None], positions, np.array([0, n_atoms]), 4.5, 2.8)
        self.rng = rng
        self.norm = self.normal(4, WIDTH) if normed else np.empty((0, WIDTH), np.float32)
        self.second = self.normal(2, WIDTH, WIDTH, scale=WIDTH**-0.5)
        self.second_bias = self.normal(2, WIDTH)

    def normal(self, *shape: int, scale: float = 1.0) -> np.ndarray:
        return (scale * self.rng.normal(size=shape)).astype(np.float32)

    def gate(self, hidden: torch.Tensor, *, second: bool) -> torch.Tensor:
        """Return the gated perceptron of rows of 128 features, exactly."""
        if second:
            hidden = functional.silu(hidden)
        core, gate = hidden.split(WIDTH, dim=1)
        if second:
            maps, bias = exact(self.second), exact(self.second_bias)
            core, gate = core @ maps[0] + bias[0], gate @ maps[1] + bias[1]
        if len(self.norm):
            norm = exact(self.norm)
            core = functional.layer_norm(core, (WIDTH,), norm[0], norm[1], eps=1e-5)
            gate = functional.layer_norm(gate, (WIDTH,), norm[2], norm[3], eps=1e-5)
        return functional.silu(core) * torch.sigmoid(gate)


def exact(array: np.ndarray, *, grad: bool = False) -> torch.Tensor:
    return torch.tensor(array, dtype=torch.float64, requires_grad=grad)


def close(mine: np.ndarray, theirs: torch.Tensor) -> None:
    size = max(1.0, float(theirs.detach().abs().max()))
    np.testing.assert_allclose(mine, theirs.detach().numpy(), atol=2e-5 * size)


@pytest.fixture(params=[(size, normed) for size in SIZES for normed in (True, False)])
def layer(request: pytest.FixtureRequest) -> Layer:
    size, normed = request.param
    made = Layer(size, normed=normed)
    assert (len(made.graph.angles) > CHUNK) == (size == "many")
    return made


def test_messages_to_atoms(layer: Layer) -> None:
    graph, n_bonds = layer.graph, len(layer.graph.bond_ends)
    tables = [layer.normal(n, TWICE) for n in (layer.n_atoms, layer.n_atoms, n_bonds)]
    weight, upstream = layer.normal(n_bonds, WIDTH), layer.normal(layer.n_atoms, WIDTH)
    kept = np.empty((2, 2 * n_bonds, WIDTH), np.float32)
    out = np.zeros((layer.n_atoms, WIDTH), np.float32)
    atom_messages(
        graph.bond_ends, *tables, layer.second, layer.second_bias, layer.norm, weight, kept, out
    )
    grads = [np.zeros_like(array) for array in (weight, *tables)]
    turned = np.ascontiguousarray(layer.second.transpose(0, 2, 1))
    atom_messages_backward(
        graph.bond_ends, *tables, turned, layer.norm, weight, kept, upstream, *grads
    )

    center, neighbour, bond, factor = leaves = [
        exact(array, grad=True) for array in (*tables, weight)
    ]
    ends = torch.tensor(graph.bond_ends).long()
    to, of = ends.reshape(-1), ends.flip(1).reshape(-1)
    which = torch.arange(n_bonds).repeat_interleave(2)
    value = layer.gate(center[to] + neighbour[of] + bond[which], second=True) * factor[which]
    summed = torch.zeros(layer.n_atoms, WIDTH, dtype=torch.float64).index_add(0, to, value)
    close(out, summed)
    *of_tables, of_weight = torch.autograd.grad(summed, leaves, exact(upstream))
    for mine, theirs in zip(grads, (of_weight, *of_tables), strict=True):
        close(mine, theirs)


@pytest.mark.parametrize("step", [1, 2])
def test_messages_to_bonds(layer: Layer, step: int) -> None:
    graph, n_short, n_angles = layer.graph, layer.graph.n_short, len(layer.graph.angles)
    tables = [layer.normal(n, TWICE) for n in (layer.n_atoms, n_short, n_short)]
    features, first = layer.normal(n_angles // step, 31), layer.normal(31, TWICE, scale=0.2)
    weight, upstream = layer.normal(n_short, WIDTH), layer.normal(n_short, WIDTH)
    hidden = np.empty((n_angles, TWICE), np.float32)
    kept = np.empty((2, n_angles, WIDTH), np.float32)
    out = np.zeros((n_short, WIDTH), np.float32)
    bond_messages(
        graph.angles, *tables, features, step, first, layer.second, layer.second_bias, layer.norm,
        weight, hidden, kept, out,
    )  # fmt: skip
    grads = [np.zeros_like(array) for array in (weight, *tables, features)]
    turned = np.ascontiguousarray(layer.second.transpose(0, 2, 1))
    bond_messages_backward(
        graph.angles, turned, layer.norm, weight, hidden, kept, upstream, step,
        np.ascontiguousarray(first.T), *grads,
    )  # fmt: skip

    leaves = [exact(array, grad=True) for array in (weight, *tables, features)]
    rows = gathered(graph, leaves[1:4], leaves[4] @ exact(first), step)
    _, one, other = torch.tensor(graph.angles).long().T
    value = layer.gate(rows, second=True) * leaves[0][one] * leaves[0][other]
    summed = torch.zeros(n_short, WIDTH, dtype=torch.float64).index_add(0, one, value)
    close(hidden, rows)
    close(out, summed)
    for mine, theirs in zip(
        grads, torch.autograd.grad(summed, leaves, exact(upstream)), strict=True
    ):
        close(mine, theirs)


@pytest.mark.parametrize("step", [1, 2])
def test_new_angles(layer: Layer, step: int) -> None:
    graph, n_short, n_angles = layer.graph, layer.graph.n_short, len(layer.graph.angles)
    tables = [layer.normal(n, TWICE) for n in (layer.n_atoms, n_short, n_short)]
    features, first = layer.normal(n_angles // step, WIDTH), layer.normal(WIDTH, TWICE, scale=0.1)
    upstream = layer.normal(n_angles, WIDTH)
    kept = np.empty((2, n_angles, WIDTH), np.float32)
    out = np.empty((n_angles, WIDTH), np.float32)
    angle_update(graph.angles, *tables, features, step, first, layer.norm, kept, out)
    grads = [np.zeros_like(array) for array in (*tables, features)]
    angle_update_backward(
        graph.angles, layer.norm, kept, upstream, step, np.ascontiguousarray(first.T), *grads
    )

    leaves = [exact(array, grad=True) for array in (*tables, features)]
    rows = gathered(graph, leaves[:3], leaves[3] @ exact(first), step)
    value = layer.gate(rows, second=False)
    close(out, value)
    for mine, theirs in zip(
        grads, torch.autograd.grad(value, leaves, exact(upstream)), strict=True
    ):
        close(mine, theirs)


def gathered(
    graph: Graph, tables: list[torch.Tensor], by_angle: torch.Tensor, step: int
) -> torch.Tensor:
    """Return what centre, both bonds and the angle give, shape (n_angles, 128)."""
    middle, one, other = torch.tensor(graph.angles).long().T
    own = by_angle.repeat_interleave(step, dim=0)
    return tables[0][middle] + tables[1][one] + tables[2][other] + own
