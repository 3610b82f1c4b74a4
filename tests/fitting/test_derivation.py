from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.potentials.conftest import crystal_of

from nucleate.crystal.crystal import Crystal
from nucleate.errors import InputError
from nucleate.fitting.proxy_potentials.assess import SPP_CRITERIA, auc, largest_displacement
from nucleate.fitting.proxy_potentials.decoys import random_decoy, swapped_decoy
from nucleate.fitting.proxy_potentials.derive import DerivationSettings, derive, kept, rescaled
from nucleate.fitting.proxy_potentials.hierarchy import Hierarchy, fit_curves
from nucleate.fitting.proxy_potentials.paths import PathWeights, build_paths
from nucleate.fitting.proxy_potentials.response import (
    ResponseWeights,
    build_response,
    gradient_and_hessian,
)
from nucleate.fitting.proxy_potentials.statistics import pair_distributions
from nucleate.fitting.proxy_potentials.structures import (
    Sample,
    formula_of,
    select,
    split_samples,
)
from nucleate.fitting.proxy_potentials.system import Geometry
from nucleate.potentials.basis import METALLIC, Basis, context_of, pair_class, pair_index
from nucleate.potentials.spp import SppLibrary, shipped_library


def sample_of(crystal: Crystal, name: str = "x") -> Sample:
    return Sample(name, formula_of(crystal), crystal)


def geometry_of(library: SppLibrary) -> Geometry:
    return Geometry(
        library.elements,
        library.contact.astype(np.float64),
        library.volume.astype(np.float64),
        library.basis,
    )


def rock_salts() -> list[Sample]:
    """Made-up rock salts and fluorites whose edges follow from radii of the ions."""
    radii = {"Li": 0.76, "Na": 1.02, "K": 1.38, "Mg": 0.72, "Ca": 1.0, "Sr": 1.18, "Ba": 1.35}
    rng = np.random.default_rng(0)
    fcc = np.array([[0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
    out = []
    for cation, r in radii.items():
        for anion, s in {"O": 1.4, "F": 1.33, "Cl": 1.81, "Br": 1.96}.items():
            edge = 2.0 * (r + s) * rng.uniform(0.98, 1.02)
            if anion in {"F", "Cl"} and cation in {"Ca", "Sr", "Ba", "Mg"}:
                fluorite = crystal_of(
                    [cation, anion, anion],
                    edge * 1.1 * fcc,
                    np.array([[0] * 3, [0.25] * 3, [0.75] * 3]),
                )
                out.append(sample_of(fluorite, f"{cation}{anion}2"))
            else:
                salt = crystal_of([cation, anion], edge * fcc, np.array([[0] * 3, [0.5] * 3]))
                out.append(sample_of(salt, f"{cation}{anion}"))
    return out


def rattled(crystal: Crystal, size: float, rng: np.random.Generator) -> Crystal:
    shift = size * rng.normal(size=(crystal.n_atoms, 3)) @ np.linalg.inv(crystal.cell)
    return replace(crystal, scaled=crystal.scaled + shift)


def test_the_statistics_of_a_random_gas_are_flat():
    rng = np.random.default_rng(1)
    gas = [
        sample_of(crystal_of(["O", "O", "Mg", "Mg"] * 8, 8.0 * np.eye(3), rng.random((32, 3))))
        for _ in range(60)
    ]
    basis = Basis()
    geometry = Geometry((8, 12), np.full((3, 3), 2.0), np.full((3, 2), 10.0), basis)
    r, g, count = pair_distributions(gas, geometry)
    assert count[0].tolist() == [60.0, 60.0, 60.0]
    inside = (r > 2.0) & (r < 6.5)  # an atom is no neighbour of itself: 15 of 16 are
    assert np.allclose(g[0][:, inside].mean(axis=1), [15 / 16, 1.0, 15 / 16], atol=0.02)


def test_a_derived_potential_finds_the_distances_it_was_made_from():
    samples = rock_salts()
    settings = DerivationSettings(
        method="response", max_structures=100, fitted_structures=30, held_out=6
    )
    lines: list[str] = []
    held = [sample for sample in samples if sample.name in {"NaCl", "CaO", "SrF2"}]
    training = [sample for sample in samples if sample not in held]
    library = derive(training, held, settings, source="made up", report=lines.append)
    assert library.provenance["source"] == "made up"
    assert library.provenance["held_out"]["oxides and halides"]["structures"] == 3
    assert any("leaves" in line for line in lines)
    magnesia = next(sample.crystal for sample in training if sample.name == "MgO")
    bond = np.linalg.norm(magnesia.cell[0]) / np.sqrt(2.0)
    r = np.arange(1.6, 3.2, 0.01)
    assert r[library.pair_energy(8, 12, r).argmin()] == pytest.approx(bond, abs=0.2)
    rng = np.random.default_rng(2)
    start = rattled(magnesia, 0.2, rng)
    end = library.model(magnesia.numbers).relax(start)
    assert end.crystal.volume == pytest.approx(magnesia.volume, rel=0.15)


def test_a_derivation_is_the_same_twice():
    samples = rock_salts()
    settings = DerivationSettings(max_structures=100, fitted_structures=10, held_out=4)
    first, second = (
        derive(samples[4:], samples[:4], settings, source="x", report=lambda _: None)
        for _ in range(2)
    )
    assert first.digest == second.digest
    assert first.provenance == second.provenance


def bumped(wanted: SppLibrary) -> SppLibrary:
    """The library with a hill in the middle of the potential of Mg-O."""
    row = pair_index(wanted.elements.index(8), wanted.elements.index(12), len(wanted.elements))
    coefficients = np.array(wanted.coefficients)
    coefficients[0, row, 8:14] += np.float32(0.4)
    return replace(wanted, coefficients=coefficients)


def crystals_at_rest(library: SppLibrary, rng: np.random.Generator) -> list[Sample]:
    rests = []
    for _ in range(12):
        edge = 4.4 * rng.uniform(0.9, 1.1, size=3)
        symbols = ["Mg", "O", "Mg", "O", "Mg", "O"]
        start = crystal_of(
            symbols, np.diag(edge) + 0.3 * rng.normal(size=(3, 3)), rng.random((6, 3))
        )
        decoy = random_decoy(start, rng=rng)
        assert decoy is not None
        end = library.model(decoy.numbers).relax(decoy)
        if end.converged:
            rests.append(sample_of(end.crystal))
    assert len(rests) >= 6
    return rests


@pytest.mark.slow
def test_the_response_fit_recovers_a_known_change_of_a_potential():
    """Crystals at rest in one potential are found, starting from another one."""
    wanted = shipped_library()
    rng = np.random.default_rng(3)
    present = bumped(wanted)
    rests = crystals_at_rest(wanted, rng)
    geometry = geometry_of(present)
    system = build_response(rests, present, geometry, ResponseWeights(modes=0, keep=0.0), rng=rng)
    hierarchy = Hierarchy.create(present.elements, present.basis.size)
    change = fit_curves(system, hierarchy, ridge=0.01, shared=1e6)
    fitted = present.coefficients + change.reshape(present.coefficients.shape)
    fitted_library = replace(present, coefficients=fitted.astype(np.float32))

    def left(library: SppLibrary) -> float:
        return float(
            np.mean([
                np.abs(library.model(s.crystal.numbers).evaluate(s.crystal).forces).max()
                for s in rests
            ])
        )  # fmt: skip

    assert left(wanted) < 1e-3
    assert left(present) > 0.1
    assert left(fitted_library) < 0.1 * left(present)


def test_a_round_lifts_what_known_crystals_relax_to():
    """Crystals at rest in one potential; wrong minima of another one rise above them."""
    wanted = shipped_library()
    present = bumped(wanted)
    rests = crystals_at_rest(wanted, np.random.default_rng(3))
    settings = DerivationSettings(path_structures=20, path_ridge=1.0, path_steps=((1.0,),))
    lines: list[str] = []
    library = kept(present, rests, settings, lines.append)
    assert len(lines) == 1
    assert np.array_equal(library.coefficients[METALLIC], present.coefficients[METALLIC])
    before, after = [], []
    for sample in rests:
        crystal = sample.crystal
        end = present.model(crystal.numbers).relax(crystal, SPP_CRITERIA).crystal
        if largest_displacement(crystal, end) > 0.08:
            for found, gaps in ((present, before), (library, after)):
                model = found.model(crystal.numbers)
                gaps.append(model.evaluate(end).energy - model.evaluate(crystal).energy)
    assert len(before) >= 5
    assert max(before) < 0.0
    assert np.mean(np.array(after) > 0.0) > 0.7


def test_rows_of_paths_are_changes_of_the_energy_along_them():
    """What is left after a change of the coefficients is the energy that is still missing."""
    wanted = shipped_library()
    present = bumped(wanted)
    (sample, *_) = crystals_at_rest(wanted, np.random.default_rng(3))
    weights = PathWeights(smallest_move=0.0)
    system = build_paths([sample], present, geometry_of(present), weights)
    assert system.target.size == 2
    change = 0.2 * (wanted.coefficients.astype(float) - present.coefficients.astype(float))
    changed = replace(present, coefficients=(present.coefficients + change).astype(np.float32))
    left = system.target - system.times(change.ravel())
    end = present.model(sample.crystal.numbers).relax(sample.crystal, SPP_CRITERIA).crystal
    shift = end.scaled - sample.crystal.scaled
    shift -= shift.mean(axis=0)
    middle = 0.5 * (sample.crystal.cell + end.cell)
    distance = np.linalg.norm(shift @ middle)
    scale = left[1] / system.target[1]
    energies = [
        [
            library.model(sample.crystal.numbers).evaluate(crystal).energy
            for crystal in (
                sample.crystal,
                Crystal(sample.crystal.numbers, middle, sample.crystal.scaled + 0.5 * shift),
                Crystal(sample.crystal.numbers, end.cell, sample.crystal.scaled + shift),
            )
        ]
        for library in (present, changed)
    ]
    for row, part in enumerate((0.5, 1.0)):
        goal = 0.5 * weights.spring * (part * distance) ** 2
        missing = [goal - (found[row + 1] - found[0]) for found in energies]
        assert left[row] / system.target[row] == pytest.approx(missing[1] / missing[0], rel=1e-3)
    assert 0.0 < scale < 1.0


def test_joined_systems_hold_the_rows_of_both():
    rng = np.random.default_rng(4)
    present = bumped(shipped_library())
    rests = crystals_at_rest(shipped_library(), rng)
    first, second = (
        build_paths(part, present, geometry_of(present), PathWeights())
        for part in (rests[:3], rests[3:6])
    )
    x = rng.normal(size=present.coefficients.size)
    both = first.joined(second)
    assert np.array_equal(both.times(x), np.concatenate([first.times(x), second.times(x)]))
    y = rng.normal(size=both.target.size)
    parts = np.split(y, [first.target.size])
    apart = first.transposed(parts[0], x.size) + second.transposed(parts[1], x.size)
    assert np.allclose(both.transposed(y, x.size), apart)


def test_second_derivatives_are_those_of_the_energy():
    library = shipped_library()
    crystal = crystal_of(
        ["Sr", "Ti", "O", "O", "O"],
        3.9 * np.eye(3) + 0.1,
        np.array([[0, 0, 0], [0.5] * 3, [0.5, 0.5, 0.02], [0.5, 0, 0.5], [0, 0.5, 0.5]]),
    )
    model = library.model(crystal.numbers)
    kinds = model.kinds(crystal.numbers)
    order = np.argsort(kinds, kind="stable")
    cell = np.array(crystal.cell)
    gradient, hessian = gradient_and_hessian(
        model, crystal.scaled[order] @ cell, cell, kinds[order]
    )
    forces = model.evaluate(crystal).forces[order]
    assert np.allclose(gradient[:15], -forces.ravel(), atol=1e-9)
    translation = np.zeros(21)
    translation[0:15:3] = 1.0
    assert np.abs(hessian @ translation).max() < 1e-3 * np.abs(hessian).max()
    assert np.abs(hessian - hessian.T).max() == 0.0


def test_a_hierarchy_maps_and_its_transpose_agree():
    rng = np.random.default_rng(4)
    hierarchy = Hierarchy.create((3, 8, 9, 26, 79), 7)
    curves = [rng.normal(size=(count, 7)) for _, count in hierarchy.groups]
    other = rng.normal(size=(len(hierarchy.family), 7))
    forward = float(np.vdot(hierarchy.coefficients(curves), other))
    back = sum(
        float(np.vdot(a, b)) for a, b in zip(curves, hierarchy.collected(other), strict=True)
    )
    assert forward == pytest.approx(back)


def test_displacement_leaves_out_drift_and_scaling():
    rng = np.random.default_rng(5)
    before = crystal_of(["Mg", "O", "O"], 5.0 * np.eye(3), rng.random((3, 3)))
    drifted = Crystal(before.numbers, 1.1 * before.cell, before.scaled + 0.13)
    assert largest_displacement(before, drifted) < 1e-12
    moved = before.scaled.copy()
    moved[0, 0] += 0.1
    after = Crystal(before.numbers, before.cell, moved)
    assert largest_displacement(before, after) == pytest.approx(0.1 * 5.0 * 2 / 3)


def test_auc_counts_pairs():
    low, high = np.array([0.0, 1.0, 2.0]), np.array([1.0, 3.0])
    expected = np.mean([(a < b) + 0.5 * (a == b) for a in low for b in high])
    assert auc(low, high) == pytest.approx(expected)


def test_decoys_keep_composition_and_density():
    rng = np.random.default_rng(6)
    crystal = crystal_of(["Mg", "O", "Mg", "O"], 4.0 * np.eye(3), rng.random((4, 3)))
    for decoy in (swapped_decoy(crystal, rng=rng), random_decoy(crystal, rng=rng)):
        assert decoy is not None
        assert sorted(decoy.numbers) == sorted(crystal.numbers)
        assert decoy.volume == pytest.approx(crystal.volume)
    assert swapped_decoy(crystal_of(["Mg"], np.eye(3), np.zeros((1, 3))), rng=rng) is None


def test_selection_takes_each_formula_once_and_leaves_out_the_excluded():
    samples = rock_salts()
    doubled = [*samples, *samples]
    excluded = frozenset({samples[0].formula})
    chosen = select(
        doubled, count=100, max_atoms=30, rng=np.random.default_rng(0), excluded=excluded
    )
    formulas = [sample.formula for sample in chosen]
    assert len(formulas) == len(set(formulas))
    assert not excluded & set(formulas)


def test_contexts_and_classes():
    assert [context_of(np.array(z)) for z in ([8, 22], [16, 30], [26, 13])] == [0, 1, 2]
    kinds = {pair_class(a, b) for a in (3, 14, 8) for b in (3, 14, 8)}
    assert kinds == set(range(6))
    assert pair_class(8, 22) == pair_class(22, 8)


def test_rescaling_multiplies_every_energy():
    library = shipped_library()
    crystal = crystal_of(["Mg", "O"], 3.0 * np.eye(3) + 0.2, np.array([[0] * 3, [0.5] * 3]))
    one = library.model(crystal.numbers).evaluate(crystal).energy
    three = rescaled(library, 3.0).model(crystal.numbers).evaluate(crystal).energy
    assert three == pytest.approx(3.0 * one, rel=0.02)  # the inner walls keep their own scale


def test_splits_without_a_column_share_no_formula(tmp_path):
    from nucleate.crystal.files import write_extxyz

    path = tmp_path / "set.extxyz"
    write_extxyz(path, [(sample.name, sample.crystal) for sample in rock_salts()])
    training, held = split_samples(path)
    assert training
    assert not {s.formula for s in training} & {s.formula for s in held}
    with pytest.raises(InputError, match="no such file"):
        split_samples(tmp_path / "none.cif")


@pytest.mark.slow
def test_a_library_of_real_structures_knows_them_from_decoys(shared_data):
    from nucleate.fitting.proxy_potentials.structures import read_structures

    table = shared_data / "mp_structures.parquet"
    rng = np.random.default_rng(0)
    training = select(read_structures(table, split="train"), count=3000, max_atoms=16, rng=rng)
    held = read_structures(table, split="val")
    settings = DerivationSettings(
        max_structures=3000, fitted_structures=500, path_structures=300, held_out=100
    )
    library = derive(training, held, settings, source=table.name, report=lambda _: None)
    figures = library.provenance["held_out"]["oxides and halides"]
    assert figures["auc_random"] > 0.9
    assert figures["auc_swapped"] > 0.7
    assert figures["median_abs_volume_change"] < 0.12
