"""The parts of both networks: harmonics, fused messages, envelopes, pooling."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import sph_harm_y

from nucleate.networks.graph_network.harmonic import ORDERS, envelope, harmonics, message_sum
from nucleate.networks.graph_network.megnet import (
    Set2Set,
    ShiftedSoftplus,
    _hard_sigmoid,
    _mean,
    _softmax,
    _sum,
)
from strategies import rotations, seeds

FEW = settings(max_examples=8, deadline=None)


def directions(rng: np.random.Generator, n: int) -> np.ndarray:
    vectors = rng.normal(size=(n, 3))
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def split(values: torch.Tensor) -> list[np.ndarray]:
    return [part.numpy() for part in values.split(ORDERS, dim=0)]


@FEW
@given(seed=seeds)
def test_harmonics_span_those_of_scipy(seed: int) -> None:
    """Of each degree, sums of products over the orders are the same: the addition theorem."""
    unit = directions(np.random.default_rng(seed), 6)
    mine = split(harmonics(torch.from_numpy(unit)))
    polar, azimuth = np.arccos(np.clip(unit[:, 2], -1, 1)), np.arctan2(unit[:, 1], unit[:, 0])
    for degree, values in enumerate(mine):
        theirs = np.array(
            [sph_harm_y(degree, order, polar, azimuth) for order in range(-degree, degree + 1)]
        )
        expected = (theirs.conj().T @ theirs).real * 4 * math.pi / (2 * degree + 1)
        np.testing.assert_allclose(values.T @ values, expected, atol=1e-12)


@FEW
@given(seed=seeds, turn=rotations(), mirror=st.booleans())
def test_sums_of_harmonics_have_a_length_that_no_rotation_changes(
    seed: int, turn: np.ndarray, mirror: bool
) -> None:
    rng = np.random.default_rng(seed)
    unit, weights = directions(rng, 7), rng.normal(size=7)
    turn = -turn if mirror else turn
    lengths = []
    for vectors in (unit, unit @ turn):
        parts = split(harmonics(torch.from_numpy(vectors)))
        lengths.append([np.sum((part @ weights) ** 2) for part in parts])
    np.testing.assert_allclose(lengths[0], lengths[1], rtol=1e-9)


@pytest.mark.parametrize("degree", range(4))
def test_harmonics_of_odd_degree_change_sign_with_the_direction(degree: int) -> None:
    unit = torch.from_numpy(directions(np.random.default_rng(3), 5))
    there, back = (split(harmonics(sign * unit))[degree] for sign in (1, -1))
    np.testing.assert_allclose(back, (-1) ** degree * there, atol=1e-12)


def test_the_envelope_is_a_smooth_step() -> None:
    ratio = torch.linspace(0.0, 1.4, 281, dtype=torch.float64, requires_grad=True)
    values = envelope(ratio)
    (slope,) = torch.autograd.grad(values.sum(), ratio)
    inner, outer = ratio.detach() <= 0.6, ratio.detach() >= 1.0
    assert (values[inner] == 1.0).all()
    assert values[outer].abs().max() < 1e-12
    assert (slope <= 1e-9).all()
    assert slope[inner].abs().max() < 1e-9
    assert slope[outer].abs().max() < 1e-9
    assert envelope(torch.tensor(0.8)).item() == pytest.approx(0.5)


class Messages:
    """Seeded inputs of :func:`message_sum`: 6 atoms with 5 neighbours, 4 channels."""

    def __init__(self, seed: int, *, scale: float = 1.0) -> None:
        generator = torch.Generator().manual_seed(seed)

        def normal(*shape: int) -> torch.Tensor:
            return torch.randn(shape, generator=generator)

        self.own, self.sent = scale * normal(6, 4), scale * normal(6, 4)
        self.radial, self.angular = normal(6, 5, 4), normal(6, 16, 5)
        self.near = torch.randint(0, 6, (6, 5), generator=generator)

    def sum(self, dtype: torch.dtype = torch.float32) -> torch.Tensor:
        values = [x.to(dtype) for x in (self.own, self.sent, self.radial)]
        return message_sum(*values, self.near, self.angular.to(dtype))


@pytest.mark.parametrize("scale", [0.01, 1.0, 40.0])
def test_fused_messages_are_exact_over_the_range_of_the_sigmoid(scale: float) -> None:
    made = Messages(1, scale=scale)
    exact = made.sum(torch.float64)
    size = max(1.0, exact.abs().max().item())
    np.testing.assert_allclose(made.sum().double(), exact, atol=2e-5 * size)


def test_a_neighbour_whose_envelope_is_zero_sends_nothing() -> None:
    """It is skipped where its first harmonic is zero, as padding is."""
    made = Messages(2)
    made.angular[2, :, 3] = 0.0
    before = made.sum()
    made.near[2, 3] = (made.near[2, 3] + 1) % 6
    made.radial[2, 3] = 50.0
    assert torch.equal(made.sum(), before)
    made.radial.requires_grad_()
    (slope,) = torch.autograd.grad(made.sum().sum(), made.radial)
    assert not slope[2, 3].any()
    assert slope[2, 2].any()


def test_the_order_of_neighbours_does_not_matter() -> None:
    made = Messages(3)
    before, order = made.sum(), torch.randperm(5, generator=torch.Generator().manual_seed(1))
    made.near, made.radial = made.near[:, order], made.radial[:, order]
    made.angular = made.angular[:, :, order]
    np.testing.assert_allclose(made.sum(), before, atol=1e-5)


def test_gradients_that_nobody_asks_for_are_left_out() -> None:
    """Training asks for the weights alone, a descent for positions too."""
    made = Messages(4)
    made.own.requires_grad_()
    made.sum().sum().backward()
    assert made.angular.grad is None
    first = made.own.grad.clone()
    made.own.grad = None
    made.angular.requires_grad_()
    made.sum().sum().backward()
    assert made.angular.grad is not None
    assert torch.equal(made.own.grad, first)


@FEW
@given(seed=seeds)
def test_pools_of_megnet_are_those_of_a_loop(seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = torch.from_numpy(rng.normal(size=(9, 3)))
    group = torch.from_numpy(rng.integers(0, 4, 9))
    score = values[:, 0] * 30.0
    for g in range(5):  # the last is empty
        mine = values[group == g]
        np.testing.assert_allclose(_sum(values, group, 5)[g], mine.sum(0), atol=1e-12)
        mean = mine.mean(0) if len(mine) else torch.zeros(3).double()
        np.testing.assert_allclose(_mean(values, group, 5)[g], mean, atol=1e-12)
        if len(mine):
            expected = torch.softmax(score[group == g], 0)
            np.testing.assert_allclose(_softmax(score, group, 5)[group == g], expected, atol=1e-12)


def test_activations_of_megnet() -> None:
    x = torch.linspace(-40.0, 40.0, 33, dtype=torch.float64)
    np.testing.assert_allclose(ShiftedSoftplus()(x), np.logaddexp(0.0, x.numpy()) - np.log(2.0))
    assert ShiftedSoftplus()(torch.zeros(1)).item() == pytest.approx(0.0, abs=1e-7)
    assert _hard_sigmoid(torch.tensor([-9.0, 0.0, 2.5, 9.0])).tolist() == [0.0, 0.5, 1.0, 1.0]


def test_set2set_pools_each_crystal_alone_and_ignores_the_order() -> None:
    torch.manual_seed(5)
    pool = Set2Set(3, 4, 2)
    torch.nn.init.normal_(pool.gates.weight)
    states, graph = torch.randn(7, 3), torch.tensor([0, 0, 1, 1, 1, 2, 2])
    with torch.no_grad():
        together = pool(states, graph, 3)
        order = torch.tensor([6, 3, 0, 5, 4, 1, 2])
        np.testing.assert_allclose(pool(states[order], graph[order], 3), together, atol=1e-6)
        alone = pool(states[2:5], torch.zeros(3, dtype=torch.int64), 1)
        np.testing.assert_allclose(alone[0], together[1], atol=1e-6)
        doubled = pool(states[2:5].repeat(2, 1), torch.zeros(6, dtype=torch.int64), 1)
        np.testing.assert_allclose(doubled, alone, atol=1e-6)
    assert together.shape == (3, 8)


def test_set2set_of_one_element_reads_that_element() -> None:
    """All attention is on it, so the second half of the result is its memory."""
    torch.manual_seed(6)
    pool = Set2Set(3, 4, 3)
    state = torch.randn(1, 3)
    with torch.no_grad():
        found = pool(state, torch.zeros(1, dtype=torch.int64), 1)
        np.testing.assert_allclose(found[0, 4:], pool.memory(state)[0], atol=1e-6)
