from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.potentials.conftest import crystal_of, distorted_oxide, supercell

from nucleate.crystal.crystal import Crystal
from nucleate.errors import InputError
from nucleate.potentials.basis import CONTEXTS
from nucleate.potentials.ranking import rank_crystals
from nucleate.potentials.spp import SppLibrary, shipped_library


def difference(energy, step: float) -> float:
    return (8 * (energy(step) - energy(-step)) - (energy(2 * step) - energy(-2 * step))) / (
        12 * step
    )


def test_the_shipped_library_is_small_complete_and_says_where_it_is_from():
    from importlib.resources import files

    data = files("nucleate.potentials") / "data" / "spp.npz"
    assert len(data.read_bytes()) < 5e6
    library = shipped_library()
    n_pairs = len(library.elements) * (len(library.elements) + 1) // 2
    assert library.coefficients.shape == (len(CONTEXTS), n_pairs, library.basis.size)
    assert np.isfinite(library.coefficients).all()
    assert (library.contact > 0.5).all()
    provenance = library.provenance
    assert provenance["source"]
    assert provenance["structures"] > 10_000
    assert provenance["held_out"]["oxides and halides"]["structures"] > 200
    assert "metals" in provenance["held_out"]


def test_the_shipped_library_says_that_it_reaches_what_is_asked():
    figures = shipped_library().provenance["held_out"]["oxides and halides"]
    assert figures["share_moved_under_0.3"] > 0.7
    assert figures["median_abs_volume_change"] < 0.08
    assert figures["auc_swapped"] > 0.75
    assert figures["auc_random"] > 0.95


@pytest.mark.slow
def test_the_figures_of_the_shipped_library_are_found_again(shared_data):
    from nucleate.fitting.proxy_potentials.assess import assess
    from nucleate.fitting.proxy_potentials.derive import DerivationSettings
    from nucleate.fitting.proxy_potentials.derive import test_set as drawn
    from nucleate.fitting.proxy_potentials.structures import read_structures

    library, settings = shipped_library(), DerivationSettings()
    held = read_structures(shared_data / "mp_structures.parquet", split="val")
    tested = drawn(held, settings, np.random.default_rng(settings.seed))
    found = assess(library, tested, rng=np.random.default_rng(settings.seed + 1))
    for group, figures in library.provenance["held_out"].items():
        share = figures["share_moved_under_0.3"]
        assert found[group]["share_moved_under_0.3"] == pytest.approx(share, abs=0.01)
        assert found[group]["auc_swapped"] == pytest.approx(figures["auc_swapped"], abs=0.005)


def test_a_library_survives_its_file(tmp_path):
    library = shipped_library()
    library.save(tmp_path / "copy.npz")
    copy = SppLibrary.load(tmp_path / "copy.npz")
    assert copy.digest == library.digest
    assert copy.provenance == library.provenance


def test_files_that_are_no_library_are_refused(tmp_path):
    (tmp_path / "bad.npz").write_text("nothing")
    with pytest.raises(InputError, match=r"bad\.npz"):
        SppLibrary.load(tmp_path / "bad.npz")
    np.savez(tmp_path / "other.npz", a=np.zeros(3))
    with pytest.raises(InputError, match="library of proxy potentials cannot be read"):
        SppLibrary.load(tmp_path / "other.npz")


def test_an_element_without_potentials_is_named():
    with pytest.raises(InputError, match="no pair with Fm"):
        shipped_library().check([8, 100])


@pytest.mark.parametrize("pair", [(8, 22), (8, 8), (11, 17), (26, 26)])
@pytest.mark.parametrize("context", range(3))
def test_pair_energies_repel_within_and_end_smoothly(pair, context):
    library = shipped_library()
    r = np.arange(0.3, library.basis.cutoff + 0.05, 0.005)
    energy = library.pair_energy(*pair, r, context=context)
    assert np.isfinite(energy).all()
    assert (np.diff(energy[r < 0.8]) < 0.0).all()
    assert np.allclose(energy[r >= library.basis.cutoff], 0.0, atol=1e-12)
    slope = np.gradient(energy, r)
    jumps = np.abs(np.diff(slope))[r[1:] > 1.0]
    assert jumps.max() < 0.05 * np.abs(slope[r > 1.0]).max() + 0.05


def test_forces_and_stress_match_finite_differences():
    crystal = distorted_oxide(3, n_units=2)
    model = shipped_library().model(crystal.numbers)
    result = model.evaluate(crystal)
    scale = np.abs(result.forces).max()
    for atom, axis in [(0, 0), (3, 1), (7, 2), (9, 0)]:

        def moved(h: float, atom: int = atom, axis: int = axis) -> float:
            positions = crystal.scaled @ crystal.cell
            positions[atom, axis] += h
            scaled = positions @ np.linalg.inv(crystal.cell)
            return model.evaluate(Crystal(crystal.numbers, crystal.cell, scaled)).energy

        assert abs(difference(moved, 1e-4) + result.forces[atom, axis]) < 1e-6 * scale
    for a, b in [(0, 0), (1, 2), (0, 1), (2, 2)]:

        def strained(h: float, a: int = a, b: int = b) -> float:
            strain = np.eye(3)
            strain[a, b] += h
            return model.evaluate(
                Crystal(crystal.numbers, crystal.cell @ strain.T, crystal.scaled)
            ).energy

        slope = difference(strained, 2e-5) / crystal.volume
        assert abs(slope - result.stress[a, b]) < 1e-6 * np.abs(result.stress).max()


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 1000), rows=st.sampled_from([(1, 0), (2, 3), (4, -3)]))
def test_proxy_energy_does_not_hang_on_the_cell_or_origin(seed, rows):
    crystal = distorted_oxide(seed)
    model = shipped_library().model(crystal.numbers)
    energy = model.evaluate(crystal).energy / 5
    sheared = supercell(crystal, np.array([[1, 0, 0], [rows[0], 1, 0], [rows[1], rows[0], 1]]))
    shifted = Crystal(
        sheared.numbers, sheared.cell, sheared.scaled + np.random.default_rng(seed).normal(size=3)
    )
    assert model.evaluate(shifted).energy / 5 == pytest.approx(energy, abs=1e-9)
    doubled = supercell(crystal, np.array([[1, 1, 0], [-1, 1, 0], [0, 1, 1]]))
    assert model.evaluate(doubled).energy / 10 == pytest.approx(energy, abs=1e-9)


def test_ranking_is_ordered_and_the_same_on_any_number_of_threads():
    crystals = [distorted_oxide(seed) for seed in range(8)]
    seen: list[tuple[int, int]] = []
    one = rank_crystals(crystals, threads=1)
    two = rank_crystals(
        crystals, threads=2, progress=lambda done, total: seen.append((done, total))
    )
    assert [item.index for item in one] == [item.index for item in two]
    assert [item.energy_per_atom for item in one] == [item.energy_per_atom for item in two]
    assert all(
        np.array_equal(a.crystal.cell, b.crystal.cell) for a, b in zip(one, two, strict=True)
    )
    energies = [item.energy_per_atom for item in one]
    assert energies == sorted(energies)
    assert seen[-1] == (8, 8)


def test_ranking_leaves_out_what_collapses():
    good = distorted_oxide(0)
    overlap = crystal_of(
        ["Sr", "Ti", "O", "O", "O"],
        5.0 * np.eye(3),
        np.array([[0, 0, 0], [0.01, 0, 0], [0.5] * 3, [0.5, 0, 0.5], [0, 0.5, 0.5]]),
    )
    assert [item.index for item in rank_crystals([overlap, good])] == [1]


def test_rock_salt_lies_below_random_crystals():
    from nucleate.fitting.proxy_potentials.decoys import random_decoy

    scaled = np.array([[0, 0, 0], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]])
    scaled = np.concatenate([scaled, scaled + 0.5])
    salt = crystal_of(["Mg"] * 4 + ["O"] * 4, 4.21 * np.eye(3), scaled)
    rng = np.random.default_rng(0)
    model = shipped_library().model(salt.numbers)
    energies = [
        model.evaluate(decoy).energy
        for decoy in (random_decoy(salt, rng=rng) for _ in range(20))
        if decoy is not None
    ]
    assert model.evaluate(salt).energy < min(energies)
