from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.potentials.conftest import crystal_of, distorted_oxide, supercell

from nucleate.crystal.crystal import Crystal
from nucleate.potentials.force_field import COULOMB, Buckingham, ForceField


def strained(crystal: Crystal, strain: np.ndarray) -> Crystal:
    return Crystal(crystal.numbers, crystal.cell @ (np.eye(3) + strain).T, crystal.scaled)


def moved(crystal: Crystal, atom: int, axis: int, by: float) -> Crystal:
    positions = crystal.scaled @ crystal.cell
    positions[atom, axis] += by
    return Crystal(crystal.numbers, crystal.cell, positions @ np.linalg.inv(crystal.cell))


def difference(energy, step: float) -> float:
    return (8 * (energy(step) - energy(-step)) - (energy(2 * step) - energy(-2 * step))) / (
        12 * step
    )


@pytest.mark.parametrize("dispersion", ["lattice-sum", "cutoff"])
def test_forces_and_stress_match_finite_differences(oxides, dispersion):
    field = ForceField(oxides.charges, oxides.buckingham, taper=2.0, dispersion=dispersion)
    crystal = distorted_oxide(3, n_units=2)
    model = field.model(crystal.numbers)
    result = model.evaluate(crystal)
    scale = np.abs(result.forces).max()
    for atom, axis in [(0, 0), (3, 1), (7, 2), (9, 0)]:
        slope = difference(lambda h: model.evaluate(moved(crystal, atom, axis, h)).energy, 1e-3)  # noqa: B023
        assert abs(slope + result.forces[atom, axis]) < 1e-6 * scale
    stress_scale = np.abs(result.stress).max()
    for a in range(3):
        for b in range(3):
            unit = np.zeros((3, 3))
            unit[a, b] = 1.0
            slope = difference(lambda h: model.evaluate(strained(crystal, h * unit)).energy, 2e-4)  # noqa: B023
            assert abs(slope / crystal.volume - result.stress[a, b]) < 1e-6 * stress_scale
    assert np.abs(result.forces.sum(axis=0)).max() < 1e-9


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 1000), rows=st.sampled_from([(1, 0), (2, 3), (4, -3), (-7, 5)]))
def test_energy_does_not_hang_on_the_cell_or_origin(oxides, seed, rows):
    crystal = distorted_oxide(seed)
    model = oxides.model(crystal.numbers)
    energy = model.evaluate(crystal).energy / 5
    rng = np.random.default_rng(seed)
    sheared = np.array([[1, 0, 0], [rows[0], 1, 0], [rows[1], rows[0], 1]])
    other = supercell(crystal, sheared)
    other = Crystal(other.numbers, other.cell, other.scaled + rng.normal(size=3))
    assert model.evaluate(other).energy / 5 == pytest.approx(energy, abs=1e-9)
    wrapped = Crystal(
        crystal.numbers, crystal.cell, crystal.scaled + rng.integers(-3, 4, size=(5, 3))
    )
    assert model.evaluate(wrapped).energy / 5 == pytest.approx(energy, abs=1e-9)
    doubled = supercell(crystal, np.array([[1, 1, 0], [-1, 1, 0], [0, 1, 1]]))
    assert model.evaluate(doubled).energy / 10 == pytest.approx(energy, abs=1e-9)


FCC = np.array([[0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
MADELUNG = {
    # referred to the shortest cation-anion distance (for a cubic edge of 1)
    "NaCl": (FCC, [[0, 0, 0], [0.5, 0.5, 0.5]], [1, -1], 0.5, 1.7475645946),
    "CsCl": (np.eye(3), [[0, 0, 0], [0.5, 0.5, 0.5]], [1, -1], np.sqrt(3) / 2, 1.7626747731),
    "ZnS": (FCC, [[0, 0, 0], [0.25] * 3], [1, -1], np.sqrt(3) / 4, 1.6380550534),
    "CaF2": (FCC, [[0, 0, 0], [0.25] * 3, [0.75] * 3], [2, -1, -1], np.sqrt(3) / 4, 5.0387848839),
}  # fmt: skip


@pytest.mark.parametrize("name", MADELUNG)
@pytest.mark.parametrize("edge", [4.2, 6.3])
def test_madelung_constants(name, edge):
    cell, scaled, charges, distance, constant = MADELUNG[name]
    symbols = ["Ca", "F", "F"][: len(charges)]
    nothing = Buckingham(0.0, 1.0)
    terms = {("Ca", "F"): nothing, ("Ca", "Ca"): nothing, ("F", "F"): nothing}
    field = ForceField({"Ca": charges[0], "F": -1.0}, terms)
    crystal = crystal_of(symbols, edge * cell, np.array(scaled))
    energy = field.model(crystal.numbers).evaluate(crystal).energy
    assert -energy * distance * edge / COULOMB == pytest.approx(constant, abs=1e-6)


def test_dispersion_lattice_sum_of_a_simple_cubic_lattice():
    # Sum of r^-6 over the simple cubic lattice: 8.4019239748...
    field = ForceField({"Ar": 0.0}, {("Ar", "Ar"): Buckingham(0.0, 1.0, 10.0)})
    crystal = crystal_of(["Ar"], 3.0 * np.eye(3), np.zeros((1, 3)))
    energy = field.model(crystal.numbers).evaluate(crystal).energy
    assert energy == pytest.approx(-0.5 * 10.0 * 8.40192397482754 / 3.0**6, rel=1e-8)


def test_dispersion_that_is_not_separable_into_atoms_matches_a_direct_sum():
    c6 = {("O", "O"): 30.0, ("O", "Sr"): 5.0, ("Sr", "Sr"): 80.0}
    field = ForceField({"O": 0.0, "Sr": 0.0}, {k: Buckingham(0.0, 1.0, c) for k, c in c6.items()})
    rng = np.random.default_rng(4)
    cell = 5.0 * np.eye(3) + 0.5 * rng.normal(size=(3, 3))
    crystal = crystal_of(
        ["O", "Sr", "O"], cell, np.array([[0, 0, 0], [0.5, 0.4, 0.6], [0.1, 0.7, 0.4]])
    )
    model = field.model(crystal.numbers)
    direct = _direct_dispersion(
        crystal, np.array([[30.0, 5.0, 30.0], [5.0, 80.0, 5.0], [30.0, 5.0, 30.0]]), 60.0
    )
    assert model.evaluate(crystal).energy == pytest.approx(direct, rel=2e-5)


def _direct_dispersion(crystal: Crystal, c6: np.ndarray, radius: float) -> float:
    positions = crystal.scaled @ crystal.cell
    span = np.arange(-16, 17)
    images = (
        np.stack(np.meshgrid(span, span, span, indexing="ij"), -1).reshape(-1, 3) @ crystal.cell
    )
    energy = 0.0
    for i in range(len(positions)):
        for j in range(len(positions)):
            r = np.linalg.norm(positions[j] - positions[i] + images, axis=1)
            r = r[(r > 1e-6) & (r < radius)]
            energy -= 0.5 * c6[i, j] * (r**-6.0).sum()
    tail = 4 * np.pi / (3 * radius**3 * crystal.volume) * c6.sum() / 2
    return energy - tail


@pytest.mark.parametrize("charge", [0.0, 1.0])
@pytest.mark.parametrize("r", [7.97, 7.985, 7.995, 8.005, 8.015, 8.03])
def test_a_term_that_is_cut_off_leaves_no_trace_on_either_side(charge, r):
    """The table of a charged pair goes on to 10 Å, that of a neutral one ends with the term."""
    charges = {"Na": charge, "Cl": -charge}
    crystal = crystal_of(["Na", "Cl"], 20.0 * np.eye(3), np.array([[0, 0, 0], [r / 20.0, 0, 0]]))
    nothing = Buckingham(0.0, 1.0, r_max=8.0)
    terms = {("Cl", "Cl"): nothing, ("Cl", "Na"): nothing, ("Na", "Na"): nothing}
    without, with_term = (
        ForceField(charges, terms | {("Cl", "Na"): term}, dispersion="cutoff")
        .model(crystal.numbers)
        .evaluate(crystal)
        for term in (nothing, Buckingham(50.0, 1.0, 3000.0, r_max=8.0))
    )
    inside = 1.0 if r < 8.0 else 0.0
    energy = 50.0 * np.exp(-r) - 3000.0 / r**6
    force = 50.0 * np.exp(-r) - 6.0 * 3000.0 / r**7
    assert with_term.energy - without.energy == pytest.approx(inside * energy, abs=1e-6)
    assert (with_term.forces - without.forces)[1, 0] == pytest.approx(inside * force, abs=2e-5)


def test_gulp_energies_and_minima(oxides, gulp):
    from ase.cell import Cell

    for entry in gulp["structures"]:
        n = len(entry["symbols"])
        crystal = crystal_of(
            entry["symbols"], Cell.fromcellpar(entry["cell"]).array, np.array(entry["scaled"])
        )
        model = oxides.model(crystal.numbers)
        assert model.evaluate(crystal).energy / n == pytest.approx(entry["e_initial"] / n, abs=1e-6)
        end = model.relax(crystal)
        assert end.converged
        assert end.evaluation.energy / n == pytest.approx(entry["e_final"] / n, abs=1e-6)
        edges = np.linalg.norm(end.crystal.cell, axis=1)
        assert np.abs(edges - entry["final_cell"][:3]).max() < 1e-3


def test_ions_cannot_fall_into_the_short_range_catastrophe(oxides):
    crystal = crystal_of(
        ["O", "O", "Sr", "Sr"],
        9.0 * np.eye(3),
        np.array([[0, 0, 0], [0.1, 0, 0], [0.5] * 3, [0.5, 0.5, 0]]),
    )
    model = oxides.model(crystal.numbers)
    assert model.evaluate(crystal).forces[1, 0] > 10.0  # repelled at 0.9 Å


def test_pressure_shrinks_the_cell_and_the_enthalpy_is_stationary(oxides):
    crystal = distorted_oxide(1)
    model = oxides.model(crystal.numbers)
    free = model.relax(crystal)
    pressure = 10.0 / 160.21766208
    squeezed = model.relax(crystal, pressure=pressure)
    assert squeezed.converged
    assert squeezed.crystal.volume < 0.98 * free.crystal.volume
    assert np.allclose(squeezed.evaluation.stress, -pressure * np.eye(3), atol=5e-6)


def test_fixed_cell_relaxation_keeps_the_cell(oxides):
    crystal = distorted_oxide(2)
    end = oxides.model(crystal.numbers).relax(crystal, move_cell=False)
    assert end.converged
    assert np.allclose(end.crystal.cell, crystal.cell, atol=1e-12)


@pytest.mark.parametrize(
    ("scaled", "edge", "failure"), [(0.02, 9.0, "overlap"), (0.5, 2.0, "shrunk")]
)
def test_collapse_is_reported(oxides, scaled, edge, failure):
    crystal = crystal_of(["Sr", "O"], edge * np.eye(3), np.array([[0, 0, 0], [scaled] * 3]))
    assert oxides.model(crystal.numbers).relax(crystal).failure == failure


def test_threads_give_the_same_as_one_by_one(oxides):
    crystals = [distorted_oxide(seed) for seed in range(6)]
    model = oxides.model(crystals[0].numbers)
    energies = [result.energy for result in model.evaluate_all(crystals)]
    assert energies == [model.evaluate(crystal).energy for crystal in crystals]
