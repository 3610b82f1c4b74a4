"""The compiled pieces of CHGNet against plain torch in double precision, and its autograd."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from nucleate.networks.chgnet.compiled import Evaluator, _collect, _geometry
from nucleate.networks.chgnet.graph import build_graph
from nucleate.networks.chgnet.kernels import (
    angular_basis,
    gate_backward,
    gate_forward,
    radial_basis,
    silu_halves,
    silu_halves_backward,
)
from nucleate.networks.chgnet.network import radial_basis as torch_radial_basis
from nucleate.networks.chgnet.parameters import WIDTH
from strategies import seeds

FEW = settings(max_examples=8, deadline=None)


def normal(rng: np.random.Generator, *shape: int, scale: float = 1.0) -> np.ndarray:
    return (scale * rng.normal(size=shape)).astype(np.float32)


def leaf(array: np.ndarray) -> torch.Tensor:
    return torch.tensor(array, dtype=torch.float64, requires_grad=True)


@FEW
@given(seed=seeds, scale=st.sampled_from([0.01, 1.0, 30.0]))
def test_silu_of_both_halves_and_its_derivative(seed: int, scale: float) -> None:
    rng = np.random.default_rng(seed)
    hidden, upstream = normal(rng, 5, 2 * WIDTH, scale=scale), normal(rng, 2, 5, WIDTH)
    out, grad = np.empty((2, 5, WIDTH), np.float32), np.empty_like(hidden)
    silu_halves(hidden, out)
    silu_halves_backward(hidden, upstream, grad)
    x = leaf(hidden)
    exact = torch.stack(functional.silu(x).split(WIDTH, dim=1))
    np.testing.assert_allclose(out, exact.detach().numpy(), rtol=2e-6, atol=2e-6)
    (slope,) = torch.autograd.grad(exact, x, torch.tensor(upstream, dtype=torch.float64))
    np.testing.assert_allclose(grad, slope.numpy(), rtol=1e-5, atol=1e-5)


def exact_gate(core: torch.Tensor, gate: torch.Tensor, norm: np.ndarray) -> torch.Tensor:
    if len(norm):
        scales = torch.tensor(norm, dtype=torch.float64)
        core = functional.layer_norm(core, (WIDTH,), scales[0], scales[1], eps=1e-5)
        gate = functional.layer_norm(gate, (WIDTH,), scales[2], scales[3], eps=1e-5)
    return functional.silu(core) * torch.sigmoid(gate)


@FEW
@given(seed=seeds, scale=st.sampled_from([0.1, 1.0, 10.0]), normed=st.booleans())
def test_gates_and_their_derivatives(seed: int, scale: float, normed: bool) -> None:
    rng = np.random.default_rng(seed)
    core, gate = normal(rng, 2, 4, WIDTH, scale=scale)
    upstream, norm = normal(rng, 4, WIDTH), normal(rng, 4 * normed, WIDTH)
    value, again, by_core, by_gate = np.empty((4, 4, WIDTH), np.float32)
    gate_forward(core, gate, norm, value)
    gate_backward(core, gate, norm, upstream, again, by_core, by_gate)
    leaves = leaf(core), leaf(gate)
    exact = exact_gate(*leaves, norm)
    np.testing.assert_allclose(value, exact.detach().numpy(), rtol=1e-5, atol=2e-5)
    np.testing.assert_allclose(again, value, rtol=1e-6, atol=1e-6)
    slopes = torch.autograd.grad(exact, leaves, torch.tensor(upstream, dtype=torch.float64))
    for mine, slope in zip((by_core, by_gate), slopes, strict=True):
        size = max(1.0, float(slope.abs().max()))
        np.testing.assert_allclose(mine, slope.numpy(), atol=3e-5 * size)


def test_a_row_of_equal_numbers_has_no_variance_and_stays_finite() -> None:
    same = np.full((1, WIDTH), 3.0, np.float32)
    norm = np.ones((4, WIDTH), np.float32)
    value, by_core, by_gate = np.empty((3, 1, WIDTH), np.float32)
    gate_backward(same, same, norm, same, value, by_core, by_gate)
    assert np.isfinite([value, by_core, by_gate]).all()
    np.testing.assert_allclose(value, 1.0 / (1.0 + math.exp(-1.0)) ** 2, rtol=1e-5)


@pytest.mark.parametrize("size", [60.0, 1e4])
def test_gates_of_huge_numbers_do_not_overflow(size: float) -> None:
    core, none = np.full((1, WIDTH), size, np.float32), np.empty((0, WIDTH), np.float32)
    value, by_core, by_gate = np.empty((3, 1, WIDTH), np.float32)
    for sign, expected in ((1.0, size), (-1.0, 0.0)):
        gate_backward(core, sign * core, none, np.ones_like(core), value, by_core, by_gate)
        np.testing.assert_allclose(value, expected, rtol=1e-5, atol=1e-10 * size)
        assert np.isfinite([by_core, by_gate]).all()


@FEW
@given(
    distances=st.lists(st.floats(0.5, 6.5), min_size=1, max_size=8),
    cutoff=st.sampled_from([3.0, 6.0]),
    exponent=st.sampled_from([5, 8]),
)
def test_the_radial_basis_and_its_slope(
    distances: list[float], cutoff: float, exponent: int
) -> None:
    frequencies = (math.pi * np.arange(1, 32)).astype(np.float32)
    basis, slope = np.empty((2, len(distances), 31), np.float32)
    radial_basis(np.array(distances), frequencies, cutoff, exponent, basis, slope)
    d = leaf(np.array(distances))
    exact = torch_radial_basis(d, torch.tensor(frequencies).double(), cutoff, exponent)
    np.testing.assert_allclose(basis, exact.detach().numpy(), rtol=1e-5, atol=2e-6)
    for column in (0, 14, 30):
        (expected,) = torch.autograd.grad(exact[:, column].sum(), d, retain_graph=True)
        np.testing.assert_allclose(slope[:, column], expected.numpy(), rtol=1e-4, atol=2e-5)


@pytest.mark.parametrize("exponent", [5, 8])
def test_the_envelope_ends_flat_at_the_cutoff(exponent: int) -> None:
    frequencies = (math.pi * np.arange(1, 5)).astype(np.float32)
    near = np.array([6.0 - 1e-3, 6.0, 6.0 + 1e-9, 7.0])
    basis, slope = np.empty((2, near.size, 4), np.float32)
    radial_basis(near, frequencies, 6.0, exponent, basis, slope)
    assert np.abs(basis[0]).max() < 1e-9
    assert np.abs(slope[0]).max() < 1e-6
    assert not basis[1:].any()
    assert not slope[1:].any()


@FEW
@given(cosines=st.lists(st.floats(-1.0, 1.0), min_size=1, max_size=8))
def test_the_angular_basis_and_its_slope(cosines: list[float]) -> None:
    frequencies = np.arange(1.0, 16.0, dtype=np.float32)
    basis, slope = np.empty((2, len(cosines), 31), np.float32)
    angular_basis(np.array(cosines), frequencies, basis, slope)
    c = leaf(np.array(cosines))
    phase = torch.outer(torch.acos(c * (1.0 - 1e-6)), torch.tensor(frequencies).double())
    constant = torch.full_like(phase[:, :1], math.sqrt(0.5))
    exact = torch.cat([constant, torch.sin(phase), torch.cos(phase)], 1) / math.sqrt(math.pi)
    np.testing.assert_allclose(basis, exact.detach().numpy(), atol=2e-6)
    for column in (1, 8, 15, 16, 30):
        (expected,) = torch.autograd.grad(exact[:, column].sum(), c, retain_graph=True)
        np.testing.assert_allclose(slope[:, column], expected.numpy(), rtol=1e-4, atol=1e-4)


@FEW
@given(seed=seeds)
def test_forces_and_virial_from_derivatives_by_lengths_and_cosines(seed: int) -> None:
    """A made-up energy, linear in lengths and cosines, against autograd through the geometry."""
    rng = np.random.default_rng(seed)
    cell = np.diag(rng.uniform(2.6, 3.4, 3)) + np.tril(rng.uniform(-0.8, 0.8, (3, 3)), -1)
    positions = rng.random((3, 3)) @ cell
    graph = build_graph(cell[None], positions, np.array([0, 3]), 4.0, 2.5)
    lengths, cosines = _geometry(graph.vectors, graph.angles, graph.angle_sign)
    by_length, by_cosine = rng.normal(size=lengths.size), rng.normal(size=cosines.size)
    forces, virial = _collect(
        graph.bond_ends, graph.vectors, graph.angles, graph.angle_sign, lengths, cosines,
        by_length, by_cosine, 3,
    )  # fmt: skip
    places, strain = leaf(positions), torch.zeros((3, 3), dtype=torch.float64, requires_grad=True)
    deform = torch.eye(3, dtype=torch.float64) + 0.5 * (strain + strain.T)
    start, end = torch.tensor(graph.bond_ends).long().T
    images = torch.tensor(graph.bond_shift).double() @ torch.tensor(cell)
    vectors = (places[end] + images - places[start]) @ deform
    length = vectors.norm(dim=1)
    _, one, other = torch.tensor(graph.angles[::2]).long().T
    sign = torch.tensor(graph.angle_sign[::2]).double()
    cosine = sign * (vectors[one] * vectors[other]).sum(1) / (length[one] * length[other])
    np.testing.assert_allclose(lengths, length.detach().numpy(), rtol=1e-12)
    np.testing.assert_allclose(cosines, cosine.detach().numpy(), atol=1e-12)
    energy = length @ torch.tensor(by_length) + cosine @ torch.tensor(by_cosine)
    by_place, by_strain = torch.autograd.grad(energy, [places, strain])
    np.testing.assert_allclose(forces, -by_place.numpy(), atol=1e-9)
    np.testing.assert_allclose(virial, by_strain.numpy(), atol=1e-9)


def test_the_readout_and_its_derivative(compiled_chgnet) -> None:
    evaluator: Evaluator = compiled_chgnet._evaluator
    p = evaluator._p
    features, numbers = normal(np.random.default_rng(2), 4, WIDTH), np.array([1, 8, 26, 94])
    energy, by_feature = evaluator._readout(features, numbers)
    x = leaf(features)
    y = x
    if len(p.readout_norm):
        scale, shift = torch.tensor(p.readout_norm).double()
        y = functional.layer_norm(y, (WIDTH,), scale, shift)
    for weight, bias in zip(p.readout, p.readout_bias, strict=True):
        y = functional.silu(y @ torch.tensor(weight).double() + torch.tensor(bias).double())
    site = y @ torch.tensor(p.energy).double() + p.energy_bias
    exact = (site + torch.tensor(p.atom_energy[numbers]).double()).sum()
    assert energy == pytest.approx(exact.item(), abs=1e-4)
    (slope,) = torch.autograd.grad(exact, x)
    np.testing.assert_allclose(by_feature, slope.numpy(), atol=1e-4)
