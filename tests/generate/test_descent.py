"""Descent on a network goes down, in short steps, and takes only what is allowed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.lj import LennardJones
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.strategies import seeds

from nucleate.crystal.composition import Composition
from nucleate.crystal.crystal import Crystal
from nucleate.crystal.space import SearchSpace
from nucleate.generate.graph_search import descent, pool
from nucleate.generate.graph_search.pool import refine
from nucleate.networks.graph_network.network import Gradients

ARGON = SearchSpace.create(Composition.from_formula("Ar"), max_atoms=8)


class Springs:
    """A network with the energies, forces and stresses of the Lennard-Jones model of ASE."""

    settings = None

    def __init__(self) -> None:
        self.calls = 0

    def first(self) -> Springs:
        return self

    def _model(self, crystal: Crystal) -> Atoms:
        atoms = crystal.to_ase()
        atoms.calc = LennardJones(sigma=3.4, epsilon=0.01, rc=9.0, ro=6.0, smooth=True)
        return atoms

    def energies(self, crystals: Sequence[Crystal]) -> np.ndarray:
        return np.array([self._model(c).get_potential_energy() / c.n_atoms for c in crystals])

    def gradients(self, crystals: Sequence[Crystal]) -> Gradients:
        self.calls += 1
        models = [self._model(crystal) for crystal in crystals]
        return Gradients(
            np.array([m.get_potential_energy() / len(m) for m in models]),
            tuple(m.get_forces() for m in models),
            np.array([m.get_stress(voigt=False) for m in models]),
        )


def argon(seed: int, n_atoms: int = 4) -> Crystal:
    """Return a distorted face-centred cubic cell."""
    rng = np.random.default_rng(seed)
    fcc = np.array([[0, 0, 0], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]])[:n_atoms]
    cell = 5.6 * (np.eye(3) + 0.05 * rng.normal(size=(3, 3)))
    return Crystal(np.full(n_atoms, 18), cell, fcc + 0.03 * rng.normal(size=fcc.shape))


def test_descent_finds_the_minimum_of_argon() -> None:
    network = Springs()
    start = [argon(seed) for seed in range(2)]
    found, energies = descent.descend(network, start, steps=50)
    assert network.calls == 51
    before = network.energies(start)
    ideal = min(network.energies([argon_of(a)])[0] for a in np.linspace(5.0, 5.6, 25))
    assert energies == pytest.approx(network.energies(found))
    assert (energies < before).all()
    assert (energies - ideal < 0.15 * (before - ideal)).all(), "most of the way down"


def argon_of(a: float) -> Crystal:
    ideal = argon(0)
    return ideal.replace(cell=a * np.eye(3), scaled=np.round(2 * ideal.scaled) / 2)


def test_descent_passes_over_what_is_not_allowed_and_keeps_the_start() -> None:
    network, start = Springs(), [argon(5), argon(6)]
    found, energies = descent.descend(network, start, steps=8, allowed=lambda _: False)
    assert all(a is b for a, b in zip(found, start, strict=True))
    assert energies == pytest.approx(network.energies(start))
    asked: list[Crystal] = []
    descent.descend(network, start, steps=0, allowed=lambda c: bool(asked.append(c)))
    assert asked == [], "the start is taken as it is"
    shown: list[tuple[int, int]] = []
    descent.descend(network, start, steps=2, progress=lambda *args: shown.append(args))
    assert shown == [(1, 3), (2, 3), (3, 3)]
    assert descent.descend(network, [], steps=3)[0] == []


@settings(max_examples=40)
@given(seeds, st.floats(1e-6, 1e6), st.floats(0.01, 0.2))
def test_steps_are_short_whatever_the_forces(seed: int, size: float, length: float) -> None:
    rng = np.random.default_rng(seed)
    crystal = argon(seed)
    stress = rng.normal(size=(3, 3))
    forces = size * rng.normal(size=(4, 3))
    walk = descent._Walk()
    for _ in range(3):
        moved = walk.step(crystal, forces, size * (stress + stress.T), length)
        strain = np.linalg.solve(crystal.cell, moved.cell) - np.eye(3)
        assert np.abs(strain).max() <= descent.LARGEST_STRAIN + 1e-9
        shift = moved.positions @ np.linalg.inv(np.eye(3) + strain) - crystal.positions
        assert np.linalg.norm(shift, axis=1).max() <= descent.LONGEST_STEP + 1e-9
        np.testing.assert_allclose(shift.mean(axis=0), 0.0, atol=1e-9)
        crystal = moved


def test_the_longest_steps_are_cut_to_their_limits() -> None:
    crystal = argon_of(5.3)
    along = np.zeros((3, 3))
    along[0, 0] = -1.0
    moved = descent._Walk().step(crystal, np.zeros((4, 3)), along, 1.0)
    strain = np.linalg.solve(crystal.cell, moved.cell) - np.eye(3)
    assert strain[0, 0] == pytest.approx(descent.LARGEST_STRAIN)
    assert np.abs(strain).sum() == pytest.approx(descent.LARGEST_STRAIN)
    forces = np.zeros((4, 3))
    forces[0, 1] = 1.0
    moved = descent._Walk().step(crystal, forces, np.zeros((3, 3)), 1.0)
    shift = moved.positions - crystal.positions
    assert shift[0] == pytest.approx([0.0, descent.LONGEST_STEP, 0.0])
    assert shift[1] == pytest.approx([0.0, -descent.LONGEST_STEP / 3, 0.0])
    small = descent._Walk().step(crystal, 1e-3 * forces, np.zeros((3, 3)), 0.08)
    assert np.abs(small.positions - crystal.positions).max() < 0.01, "soft where forces are small"


def test_refining_tells_the_energy_and_the_steps() -> None:
    members = [pool.Member(argon(1), {"wyckoff": "Ar a", "network_energy": 3.0})]
    (refined,) = refine(members, ARGON, Springs(), 4)
    assert refined.detail["wyckoff"] == "Ar a"
    assert refined.detail["descent_steps"] == 4
    energy = Springs().energies([refined.crystal])[0]
    assert refined.detail["network_energy"] == pytest.approx(energy, abs=1e-6)
    assert pool.energy_of(refined) < pool.energy_of(members[0])
    assert pool.energy_of(pool.Member(argon(1), {})) == np.inf
