"""Evaluations that a surrogate learns from."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.surrogate.conftest import loose

from nucleate.errors import InputError
from nucleate.surrogate.frames import Frame, compressed, thin
from strategies import seeds

CRYSTAL = loose(np.random.default_rng(0))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"energy_ev": np.nan}, "NaN"),
        ({"energy_ev": None}, "learns from energies, forces and stresses"),
        ({"energy_ev": np.zeros(2)}, "shape"),
        ({"energy_ev": "low"}, "real numbers"),
        ({"forces_ev_per_ang": None}, "learns from energies, forces and stresses"),
        ({"forces_ev_per_ang": np.zeros((5, 3))}, r"shape \(8, 3\)"),
        ({"forces_ev_per_ang": np.full((8, 3), np.inf)}, "NaN or infinity"),
        ({"stress_gpa": np.zeros(6)}, r"shape \(3, 3\)"),
        ({"crystal": CRYSTAL.replace(scaled=np.full((8, 3), np.nan))}, "not finite"),
        ({"crystal": CRYSTAL.replace(cell=np.zeros((3, 3)))}, "no volume"),
    ],
)
def test_bad_frames_are_refused(change: dict, message: str) -> None:
    good = {
        "crystal": CRYSTAL, "energy_ev": 1.0, "forces_ev_per_ang": np.zeros((8, 3)),
        "stress_gpa": np.zeros((3, 3)),
    }  # fmt: skip
    Frame(**good)
    with pytest.raises(InputError, match=message):
        Frame(**{**good, **change})


@given(st.integers(0, 200), st.integers(1, 30))
def test_thinned_frames_are_some_of_them_in_order(count: int, number: int) -> None:
    kept = thin(range(count), number)
    assert len(kept) == min(count, number)
    assert kept == sorted(set(kept))
    if kept:
        assert kept[-1] == count - 1
        assert number == 1 or kept[0] == 0
    gaps = np.diff(kept)
    assert (np.diff(gaps) >= -1).all()


def test_at_least_one_frame_is_kept() -> None:
    with pytest.raises(InputError, match="number = 0"):
        thin([1, 2], 0)


@given(seeds)
def test_compressed_crystals_stay_within_their_limits(seed: int) -> None:
    first = compressed(CRYSTAL, rng=np.random.default_rng(seed))
    assert 0.82**3 <= first.volume / CRYSTAL.volume <= 1.02**3
    assert first == compressed(CRYSTAL, rng=np.random.default_rng(seed))
    moves = (first.scaled - CRYSTAL.scaled) @ first.cell
    assert 0.05 < np.sqrt((moves**2).mean()) < 0.5
