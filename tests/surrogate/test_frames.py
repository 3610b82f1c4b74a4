"""Evaluations that a surrogate learns from."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.surrogate.conftest import loose

from nucleate.errors import InputError
from nucleate.surrogate.frames import Frame, compressed, thin
from nucleate.surrogate.packing import elements_in, pack, unpack
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


@given(seeds, st.integers(0, 4))
def test_packed_frames_keep_what_a_fit_can_see(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    frames = [
        Frame(
            compressed(CRYSTAL, rng=rng),
            float(rng.normal(-40.0, 5.0)),
            rng.normal(0.0, 10.0 ** rng.uniform(-2, 1.5), (8, 3)),
            rng.normal(0.0, 30.0, (3, 3)),
        )
        for _ in range(count)
    ]
    data = pack(frames)
    assert len(data) <= 7 + 8 + count * (62 + 12 * 8)
    for frame, found in zip(frames, unpack(data), strict=True):
        assert found.energy_ev == frame.energy_ev
        away = (found.crystal.scaled - frame.crystal.scaled + 0.5) % 1.0 - 0.5
        assert np.abs(away @ frame.crystal.cell).max() < 5e-4
        assert found.crystal.cell == pytest.approx(frame.crystal.cell, rel=1e-6)
        assert found.forces_ev_per_ang == pytest.approx(frame.forces_ev_per_ang, rel=6e-4, abs=1e-6)
        assert found.stress_gpa == pytest.approx(frame.stress_gpa, rel=6e-4, abs=1e-6)
    assert elements_in(data) == (frozenset(CRYSTAL.numbers.tolist()) if count else frozenset())


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "damaged"),
        (b"\xf2\x01", "damaged .*learns without them"),
        (b"\x06\x00\x08\x00\x00\x00" + bytes(900), "another version"),
        (pack([Frame(CRYSTAL, 1.0, np.zeros((8, 3)), np.zeros((3, 3)))])[:-1], "damaged"),
    ],
)
def test_bytes_that_hold_no_frames_are_refused(data: bytes, words: str) -> None:
    with pytest.raises(InputError, match=words):
        unpack(data)


@pytest.mark.parametrize("size", [0, 1, 6, 7, 10])
def test_elements_of_bytes_that_are_cut_short_are_refused(size: int) -> None:
    data = pack([Frame(CRYSTAL, 1.0, np.zeros((8, 3)), np.zeros((3, 3)))])
    with pytest.raises(InputError, match=r"cut short|atoms are missing"):
        elements_in(data[:size])
