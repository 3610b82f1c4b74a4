"""Normal equations that grow: what is learned, refused, said, and kept."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.surrogate.conftest import group, loose, morse

from nucleate.crystal.crystal import Crystal
from nucleate.surrogate.descriptors import Layout
from nucleate.surrogate.fit import MIN_FRAMES, Fit, Learned, NotFitted, _drawn
from nucleate.surrogate.frames import Frame
from nucleate.surrogate.surrogate import Surrogate


def test_a_pair_potential_is_found_again() -> None:
    fit, rng = Fit((27, 33)), np.random.default_rng(0)
    for _ in range(40):
        fit.add(group(rng))
    first = fit.solve()
    for _ in range(20):
        fit.add(group(rng))
    second = fit.solve()
    assert isinstance(first, Surrogate)
    assert isinstance(second, Surrogate)
    assert (first.number, second.number) == (1, 2)
    assert second.errors is not None
    assert second.errors.energy_mev_per_atom < 10.0
    errors = []
    for _ in range(10):
        frame = morse(loose(rng))
        found = second.evaluate(frame.crystal)
        errors.append(found.energy / 8 - frame.energy_per_atom)
        missed = np.abs(found.forces - frame.forces_ev_per_ang).max()
        assert missed < 0.05 * (1.0 + frame.max_force)
    assert np.median(np.abs(errors)) < 3e-3  # the noise assumed
    assert [point.number for point in fit.curve] == [0, 1]


def test_the_fit_is_that_of_least_squares(learned: Fit) -> None:
    """An independent solution of the same weighted equations."""
    fit, rng = Fit((27,)), np.random.default_rng(3)
    frames = [morse(loose(rng, (27,) * 8)) for _ in range(40)]
    assert fit.add(frames) == Learned(learned=40)
    blocks = [fit._block(frame, np.arange(8)) for frame in frames]
    matrix = np.concatenate([block for block, _ in blocks])
    values = np.concatenate([value for _, value in blocks])
    np.testing.assert_allclose(np.triu(fit._gram), np.triu(matrix.T @ matrix), rtol=1e-9)
    np.testing.assert_allclose(fit._right, matrix.T @ values, rtol=1e-7, atol=1e-6)


def test_forces_on_some_atoms_count_for_those_on_all() -> None:
    """The mean of the normal equations over many draws is that of all forces."""
    rng = np.random.default_rng(9)
    fit = Fit([27])
    frame = morse(loose(rng, (27,) * 8))
    assert fit.add([frame]) == Learned(learned=1)
    matrix, values = fit._block(frame, np.arange(8))
    grams, rights = [], []
    for seed in range(1000):
        atoms = _drawn(8, 4, np.random.default_rng(seed))
        assert len(atoms) == 4
        assert (np.diff(atoms) > 0).all()
        some, sums = fit._block(frame, atoms)
        assert some.shape == (1 + 3 * 4 + 6, fit.layout.n_columns)
        grams.append(some.T @ some)
        rights.append(sums @ some)
    gram, right = matrix.T @ matrix, values @ matrix
    np.testing.assert_allclose(np.mean(grams, axis=0), gram, atol=0.03 * gram.max())
    np.testing.assert_allclose(np.mean(rights, axis=0), right, atol=0.03 * np.abs(right).max())
    assert _drawn(5, 8, rng).tolist() == [0, 1, 2, 3, 4]


def test_what_was_hardly_seen_gets_no_huge_weights() -> None:
    """One pair of atoms just inside the cutoff of a spline: its column is almost empty."""
    fit, rng = Fit((27, 33)), np.random.default_rng(4)
    for _ in range(12):
        fit.add(group(rng))
    rare = Crystal(np.array([27]), np.diag([4.49, 5.99, 6.5]), np.zeros((1, 3)))
    fit.add([morse(rare)])
    answer = fit.solve()
    assert isinstance(answer, Surrogate)
    assert np.abs(answer.weights).max() < 200.0


def test_without_enough_data_there_is_a_reason_and_no_error() -> None:
    fit, rng = Fit((27, 33)), np.random.default_rng(0)
    answer = fit.solve()
    assert isinstance(answer, NotFitted)
    assert str(MIN_FRAMES) in answer.reason
    fit.add([morse(loose(rng)) for _ in range(60)])
    answer = fit.solve()
    assert isinstance(answer, NotFitted)
    assert "1 relaxations are known where 10" in answer.reason
    assert fit.number == 0
    assert np.isinf(fit.leverage(loose(rng)))


def test_an_element_without_data_is_named() -> None:
    fit, rng = Fit((27, 33, 79)), np.random.default_rng(0)
    for _ in range(12):
        fit.add([morse(loose(rng)) for _ in range(5)])
    answer = fit.solve()
    assert isinstance(answer, NotFitted)
    assert "Z = [79]" in answer.reason


def test_what_cannot_be_learned_is_counted(learned: Fit) -> None:
    fit, rng = Fit((27, 33)), np.random.default_rng(0)
    good = morse(loose(rng))
    other = Frame(good.crystal.replace(numbers=np.full(8, 8)), 0.0, np.zeros((8, 3)), np.eye(3))
    pushed = Frame(good.crystal, good.energy_ev, np.full((8, 3), 50.0), np.eye(3))
    high = Frame(good.crystal, good.energy_ev + 60.0, np.zeros((8, 3)), np.eye(3))
    assert fit.add([good]) == Learned(learned=1)
    assert fit.add([other, pushed, high]) == Learned(refused=3)
    assert fit.add([]) == Learned()
    assert (fit.n_frames, fit.n_groups, fit.n_refused) == (1, 1, 3)


def test_rows_that_are_not_numbers_are_refused() -> None:
    """Two atoms at the same place have no direction."""
    fit = Fit((27,))
    same = Crystal(np.array([27, 27]), 4.0 * np.eye(3), np.zeros((2, 3)))
    assert not np.isfinite(Layout((27,)).rows(same)).all()
    answer = fit.add([Frame(same, 0.0, np.zeros((2, 3)), np.zeros((3, 3)))])
    assert answer == Learned(refused=1)
    assert np.isfinite(fit._gram).all()


def test_the_same_frames_give_the_same_bits() -> None:
    messages = []
    for _ in range(2):
        fit, rng = Fit((27, 33)), np.random.default_rng(5)
        for _ in range(12):
            fit.add(group(rng))
        answer = fit.solve()
        assert isinstance(answer, Surrogate)
        messages.append(answer.to_bytes())
    assert messages[0] == messages[1]


def test_a_fit_continues_from_its_bytes() -> None:
    """Before the first fit, with groups held out, and after it."""
    rng = np.random.default_rng(6)
    groups = [group(rng) for _ in range(40)]
    whole = Fit((27, 33), tier="morse")
    for place, frames in enumerate(groups):
        whole.add(frames)
        if place in (11, 25):
            whole.solve()
    parts = Fit((27, 33), tier="morse")
    for place, frames in enumerate(groups):
        parts.add(frames)
        if place in (11, 25):
            parts.solve()
        if place in (10, 11, 20, 30):
            parts = Fit.from_bytes(parts.to_bytes())
    assert parts.curve == whole.curve
    one, other = whole.solve(), parts.solve()
    assert isinstance(one, Surrogate)
    assert isinstance(other, Surrogate)
    assert one.to_bytes() == other.to_bytes()
    crystal = loose(rng)
    assert whole.leverage(crystal) == parts.leverage(crystal)


def test_leverage_grows_away_from_what_was_learned(learned: Fit) -> None:
    rng = np.random.default_rng(8)
    known = np.median([learned.leverage(loose(rng)) for _ in range(10)])
    strange = [
        learned.leverage(Crystal(c.numbers, 1.35 * c.cell, c.scaled[::-1]))
        for c in (loose(rng) for _ in range(10))
    ]
    assert np.median(strange) > 2.0 * known
    assert known >= 0.0


@pytest.mark.parametrize("message", [b"", b"nucleate fit\n", b"PK\x03\x04"])
def test_bytes_that_are_no_fit_are_refused(message: bytes) -> None:
    from nucleate.errors import InputError

    with pytest.raises(InputError, match="no fit"):
        Fit.from_bytes(message)


def test_a_hole_of_the_model_above_spoils_nothing() -> None:
    """One evaluation far below all others is refused, and what follows is learned as before."""
    rng = np.random.default_rng(10)
    groups = [group(rng) for _ in range(14)]
    fits = Fit((27, 33)), Fit((27, 33))
    for place, frames in enumerate(groups):
        if place == 12:
            sound = frames[-1]
            hole = replace(sound, energy_ev=sound.energy_ev - 60.0)
            assert fits[0].add([hole]) == Learned(refused=1)
        assert fits[0].add(frames) == fits[1].add(frames)
    assert fits[0].n_frames == fits[1].n_frames
    lack = Fit((27, 33))
    lack.n_refused = 4
    assert "and 4 were refused; the first tier relaxes" in lack.solve().reason
