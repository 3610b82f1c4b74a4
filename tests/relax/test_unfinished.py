"""Relaxations that are interrupted continue elsewhere as if nothing had happened."""

from __future__ import annotations

import json
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nucleate.crystal.crystal import Crystal
from nucleate.energy.level import LevelOfTheory
from nucleate.energy.model import Batch, Evaluation
from nucleate.relax.batched import BatchedRelaxer
from nucleate.relax.outcome import Relaxed
from nucleate.relax.settings import TierSettings

CELL = np.diag([4.1, 4.3, 4.6])


class Wells:
    """Every atom in a well of its own, in a cell that wants a volume."""

    cutoff = 6.0
    batch_atoms = 1000
    composition_energies = None
    elements = frozenset(range(1, 119))
    level = LevelOfTheory("wells", "1", "quadratic")

    def evaluate(self, batch: Batch) -> Evaluation:
        cells, start = batch.cells, batch.start
        energies, stresses, forces = [], [], np.zeros_like(batch.positions)
        for k, (first, last) in enumerate(pairwise(start)):
            sites = np.arange(last - first)[:, None] * np.array([1.9, 1.1, 0.7])
            gap = batch.positions[first:last] - sites
            forces[first:last] = -0.7 * gap
            volume = abs(np.linalg.det(cells[k]))
            energies.append(0.35 * (gap**2).sum() + 1e-3 * (volume - 85.0) ** 2)
            stresses.append(2e-3 * (volume - 85.0) * np.eye(3))
        return Evaluation(np.array(energies), forces, np.array(stresses))


def relaxer(**tier) -> BatchedRelaxer:
    return BatchedRelaxer(Wells(), TierSettings.model_validate({"slots": 4, "name": "w", **tier}))


def crystal(seed: int, n: int) -> Crystal:
    rng = np.random.default_rng(seed)
    return Crystal([8] * n, CELL, rng.random((n, 3)))


def ended(relaxers, steps, start, fixed=None):
    """Relax a crystal, moving it to the next relaxer after so many steps."""
    relaxers[0].add(7, start, fixed)
    for number, item in enumerate(relaxers):
        for _ in range(1000 if number == len(relaxers) - 1 else steps):
            if found := item.step():
                return found[0][1]
        if number < len(relaxers) - 1:
            for key, unfinished in item.release():
                assert key == 7
                relaxers[number + 1].resume(key, json.loads(json.dumps(unfinished)))
    raise AssertionError("it never ends")


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 1000), st.integers(1, 4), st.integers(1, 12))
def test_an_interrupted_relaxation_ends_where_it_would_have(seed, n, steps):
    whole = ended([relaxer()], 0, crystal(seed, n))
    moved = ended([relaxer() for _ in range(4)], steps, crystal(seed, n))
    assert type(moved) is type(whole)
    if isinstance(whole, Relaxed):
        assert np.array_equal(moved.crystal.scaled, whole.crystal.scaled)
        assert np.array_equal(moved.crystal.cell, whole.crystal.cell)
        assert (moved.energy, moved.evaluations) == (whole.energy, whole.evaluations)


def test_what_is_fixed_and_the_symmetry_stay_so():
    held = np.zeros((2, 3), dtype=bool)
    held[0] = True
    start = crystal(3, 2)
    moved = ended([relaxer(), relaxer()], 2, start, held)
    assert isinstance(moved, Relaxed)
    assert np.allclose(moved.crystal.scaled[0], start.scaled[0])
    cubic = Crystal([11, 17], np.eye(3) * 4.2, [[0, 0, 0], [0.5, 0.5, 0.5]])
    options = {"fix_symmetry": True, "guards": {"shortest_contact": 0.0}}
    whole = ended([relaxer(**options)], 0, cubic)
    moved = ended([relaxer(**options), relaxer(**options)], 2, cubic)
    assert np.array_equal(moved.crystal.cell, whole.crystal.cell)


def test_a_relaxer_that_has_released_is_empty():
    item = relaxer()
    item.add(1, crystal(1, 2))
    item.add(2, crystal(2, 2))
    item.step()
    assert sorted(key for key, _ in item.release()) == [1, 2]
    assert item.free_slots() == 4
    assert item.step() == []


def test_a_broken_state_is_refused():
    with pytest.raises((KeyError, TypeError, ValueError)):
        relaxer().resume(1, {"crystal": {"nonsense": []}})
