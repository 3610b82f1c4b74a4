"""Likelihoods of the flow: against a known density, exact divergences, and the way there."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from nucleate.crystal.crystal import Crystal
from nucleate.generate.flow.canonical import canonical
from nucleate.generate.flow.cells import cell_of_strain, expected_length, log_strain

pytest.importorskip("torch")

import torch

from nucleate.generate.flow.likelihood import log_likelihoods

if TYPE_CHECKING:
    from nucleate.generate.flow.network import FlowNetwork

NUMBERS = np.array([8, 8, 22])


def crystals(number: int, *, seed: int = 0) -> list[Crystal]:
    """Return crystals near the expected volume, in their canonical descriptions."""
    rng = np.random.default_rng(seed)
    length = expected_length(NUMBERS)
    cells = length * cell_of_strain(rng.normal(0.0, 0.05, (number, 6)))
    return [canonical(Crystal(NUMBERS, cell, rng.random((3, 3)))) for cell in cells]


def test_a_field_that_does_not_move_has_the_density_of_random_cells(field: FlowNetwork) -> None:
    still = copy.deepcopy(field)
    for name, parameter in still.named_parameters():
        if "to_" in name or "along" in name:
            torch.nn.init.zeros_(parameter)
    spread = still.prior_spread.double().numpy()
    prior = multivariate_normal(still.prior_mean.double().numpy(), spread @ spread.T)
    some = crystals(5)
    expected = [prior.logpdf(log_strain(c.cell / expected_length(NUMBERS))) for c in some]
    np.testing.assert_allclose(log_likelihoods(still, some), expected, rtol=1e-5, atol=1e-3)


def test_divergences_are_those_of_the_whole_jacobian(field: FlowNetwork) -> None:
    """One step, against the Jacobian by columns: along the same directions, and its trace."""
    [crystal] = crystals(1, seed=3)
    length = torch.tensor([expected_length(NUMBERS)], dtype=torch.float32)
    start = np.concatenate([log_strain(crystal.cell / length.item()), crystal.scaled.ravel()])
    point = torch.as_tensor(start, dtype=torch.float32)

    def velocity(values: torch.Tensor) -> torch.Tensor:
        numbers, time = torch.as_tensor(NUMBERS)[None], torch.tensor([0.5])
        strain, scaled = values[None, :6], values[6:].reshape(1, 3, 3)
        return torch.cat([part.ravel() for part in field(numbers, length, strain, scaled, time)])

    jacobian = torch.autograd.functional.jacobian(velocity, point).numpy()
    rng, along = np.random.default_rng(0), []
    for _ in range(400):
        signs = np.concatenate(
            [rng.choice([-1.0, 1.0], 6), rng.choice([-1.0, 1.0], (3, 3)).ravel()]
        )
        along.append(signs @ jacobian @ signs)
    end = (point - velocity(point)).detach().numpy()[:6]
    spread = field.prior_spread.double().numpy()
    prior = multivariate_normal(field.prior_mean.double().numpy(), spread @ spread.T).logpdf(end)
    [found] = log_likelihoods(field, [crystal], steps=1, probes=400)
    assert found == pytest.approx(prior - np.mean(along), abs=1e-3)
    assert abs(np.mean(along) - np.trace(jacobian)) < 3.0 * np.std(along) / 20.0


def test_likelihoods_depend_on_the_crystal_alone(field: FlowNetwork) -> None:
    some = crystals(20, seed=7)
    whole = log_likelihoods(field, some)
    np.testing.assert_allclose(log_likelihoods(field, some[17:18]), whole[17:18], atol=1e-3)
    moved = [
        Crystal(c.numbers, c.cell, (c.scaled + np.array([0.3, 0.6, -1.2])) % 1.0) for c in some[:3]
    ]
    np.testing.assert_allclose(log_likelihoods(field, moved), whole[:3], atol=1e-3)
    flat = Crystal(NUMBERS, np.zeros((3, 3)), some[0].scaled)
    assert np.isnan(log_likelihoods(field, [flat, some[0]])[0])
    assert np.ptp(whole) > 0.1


def test_equal_descriptions_of_a_crystal_have_one_likelihood(field: FlowNetwork) -> None:
    """In a cubic cell all axes are Niggli bases, and the field tells them apart."""
    numbers, cell = np.array([38, 22, 8, 8, 8]), 3.95 * np.eye(3)
    scaled = np.array([[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0.1], [0.5, 0, 0.45], [0, 0.5, 0.45]])
    other = np.array([[1, 0, 0], [1, 1, 0], [0, 0, 1.0]])
    equal = [
        Crystal(numbers, cell, scaled),
        Crystal(numbers, cell, scaled[:, [1, 2, 0]]),
        Crystal(numbers, cell, -scaled % 1.0),
        Crystal(numbers, cell, (scaled[[0, 1, 4, 2, 3]] + [0.31, 0.77, 0.12]) % 1.0),
        Crystal(numbers, other @ cell, scaled @ np.linalg.inv(other) % 1.0),
    ]
    found = log_likelihoods(field, equal)
    np.testing.assert_allclose(found, found[0], atol=5e-3)
    stretched = [c.replace(cell=c.cell @ np.diag([1.0, 1.1, 1.2])) for c in equal[:2]]
    assert abs(np.diff(log_likelihoods(field, stretched))[0]) > 1e-3
