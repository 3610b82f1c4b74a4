"""Perturbed copies keep their composition and are worse."""

from __future__ import annotations

import numpy as np
import pytest

from nucleate.crystal.crystal import Crystal
from nucleate.fitting.graph_network.perturbation import PERTURBATIONS, contact_penalty

SALT = Crystal(
    np.array([11, 11, 17, 17]),
    np.diag([4.0, 4.0, 5.64]),
    np.array([[0.0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0], [0, 0, 0.5]]),
)


@pytest.mark.parametrize("kind", PERTURBATIONS)
def test_composition_is_kept_and_the_seed_decides(kind: str) -> None:
    first = PERTURBATIONS[kind](SALT, rng=np.random.default_rng(1))
    again = PERTURBATIONS[kind](SALT, rng=np.random.default_rng(1))
    assert sorted(first.numbers) == sorted(SALT.numbers)
    assert np.array_equal(first.cell, again.cell)
    assert np.array_equal(first.scaled, again.scaled)
    assert first.volume > 0


def test_contact_penalty_grows_as_atoms_meet() -> None:
    assert contact_penalty(SALT) == 0.0
    scaled = SALT.scaled.copy()
    penalties = []
    for x in (0.3, 0.2, 0.1):
        scaled[2] = [x, 0.0, 0.0]
        penalties.append(contact_penalty(SALT.replace(scaled=scaled)))
    assert 0 < penalties[0] < penalties[1] < penalties[2]
