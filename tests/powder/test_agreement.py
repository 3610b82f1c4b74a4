"""Fits of patterns whose answer is known."""

import numpy as np
import pytest
from ase.spacegroup import crystal as spacegroup_crystal
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.powder.test_peaks import monoclinic, rutile

from nucleate import Crystal
from nucleate.powder import Bounds, Pattern, agreement, calculated_pattern, radiation

ANGLES = np.arange(15.0, 90.0, 0.03)


def anatase():
    return Crystal.from_ase(
        spacegroup_crystal(
            ["Ti", "O"], [(0, 0, 0), (0, 0, 0.208)], spacegroup=141,
            cellpar=[3.785, 3.785, 9.514, 90, 90, 90],
        )
    )  # fmt: skip


def measured(crystal, *, strain=0.0, zero=0.0, width=0.15, seed=0, rays="CuKa"):
    """A pattern with counting noise, a background and a strained cell."""
    strained = crystal.replace(cell=crystal.cell * (1.0 + strain))
    ideal = calculated_pattern(strained, radiation(rays), two_theta=ANGLES - zero, width=width)
    mean = 30.0 * ideal + 300.0 * np.exp(-ANGLES / 40.0) + 60.0
    counts = np.random.default_rng(seed).poisson(mean).astype(float)
    return Pattern(ANGLES, counts, np.sqrt(np.maximum(counts, 30.0)))


@given(
    strain=st.floats(-0.025, 0.025),
    zero=st.floats(-0.12, 0.12),
    width=st.floats(0.08, 0.4),
    seed=st.integers(0, 9),
)
@settings(max_examples=8, deadline=None)
def test_strain_zero_shift_and_width_are_recovered(strain, zero, width, seed):
    crystal = Crystal.from_ase(rutile())
    pattern = measured(crystal, strain=strain, zero=zero, width=width, seed=seed)
    fit = agreement(crystal, pattern, radiation("CuKa"))
    assert fit.strain == pytest.approx(strain, abs=4e-4)
    assert fit.zero == pytest.approx(zero, abs=0.02)
    assert fit.width == pytest.approx(width, rel=0.15)
    assert fit.explained > 0.9


def test_the_right_structure_agrees_best_and_the_noise_is_what_remains():
    truth = Crystal.from_ase(monoclinic())
    pattern = measured(truth, strain=0.015)
    rays = radiation("CuKa")
    moved = truth.replace(scaled=truth.scaled + 0.04 * np.sin(np.arange(36)).reshape(12, 3))
    right, wrong = agreement(truth, pattern, rays), agreement(moved, pattern, rays)
    noise = np.sqrt(len(ANGLES)) / np.linalg.norm(pattern.intensity / pattern.sigma)
    assert right.r_wp < 1.15 * 100.0 * noise
    assert wrong.r_wp > 1.3 * right.r_wp
    assert agreement(anatase(), pattern, rays).explained < 0.5


def test_bounds_are_held():
    pattern = measured(Crystal.from_ase(rutile()), strain=0.03, zero=0.1)
    fit = agreement(Crystal.from_ase(rutile()), pattern, radiation("CuKa"), Bounds(0.005, 0.01))
    assert abs(fit.strain) <= 0.005
    assert abs(fit.zero) <= 0.01
    assert fit.explained < 0.6


def test_the_curves_are_those_of_the_figures():
    truth = Crystal.from_ase(rutile())
    pattern = measured(truth)
    fit = agreement(truth, pattern, radiation("CuKa"))
    weighted = (pattern.intensity - fit.calculated) / pattern.sigma
    total = pattern.intensity / pattern.sigma
    assert fit.r_wp == pytest.approx(
        100.0 * np.linalg.norm(weighted) / np.linalg.norm(total), rel=1e-3
    )
    assert (fit.calculated >= fit.background - 1e-9).all()
