"""Reflections against pymatgen, and what they must not depend on."""

import numpy as np
import pytest
from ase.build import bulk
from ase.spacegroup import crystal as spacegroup_crystal
from hypothesis import given, settings
from hypothesis import strategies as st

from nucleate import Crystal, InputError
from nucleate.powder import calculated_pattern, lines_of, radiation
from nucleate.powder.peaks import lorentz_polarisation

WAVELENGTH = 1.540593


def rutile():
    return spacegroup_crystal(
        ["Ti", "O"], [(0, 0, 0), (0.305, 0.305, 0)], spacegroup=136,
        cellpar=[4.594, 4.594, 2.959, 90, 90, 90],
    )  # fmt: skip


def monoclinic():
    return spacegroup_crystal(
        ["Zr", "O", "O"], [(0.275, 0.04, 0.208), (0.07, 0.332, 0.345), (0.45, 0.757, 0.479)],
        spacegroup=14, cellpar=[5.15, 5.21, 5.32, 90, 99.2, 90],
    )  # fmt: skip


STRUCTURES = {
    "rutile": rutile(),
    "ZrO2": monoclinic(),
    "NaCl": bulk("NaCl", "rocksalt", a=5.64),
    "Co": bulk("Co"),
}


def pattern_of(crystal, low=15.0, high=90.0, b_iso=0.5):
    spacing = [WAVELENGTH / 2 / np.sin(np.radians(angle / 2)) for angle in (high, low)]
    lines = lines_of(crystal, *spacing, b_iso=b_iso)
    theta = np.arcsin(WAVELENGTH / 2 / lines.spacing)
    intensity = lines.intensity * lorentz_polarisation(theta)
    return np.degrees(2 * theta), 100 * intensity / intensity.max()


@pytest.mark.parametrize("name", STRUCTURES)
def test_angles_and_intensities_are_those_of_pymatgen(name):
    diffraction = pytest.importorskip("pymatgen.analysis.diffraction.xrd")
    from pymatgen.io.ase import AseAtomsAdaptor

    atoms = STRUCTURES[name]
    damping = dict.fromkeys(set(atoms.get_chemical_symbols()), 0.5)
    calculator = diffraction.XRDCalculator(wavelength=WAVELENGTH, debye_waller_factors=damping)
    theirs = calculator.get_pattern(
        AseAtomsAdaptor.get_structure(atoms), two_theta_range=(15.0, 90.0)
    )
    angles, intensity = pattern_of(Crystal.from_ase(atoms))
    for angle, height in zip(theirs.x, theirs.y, strict=True):
        near = np.abs(angles - angle) < 1e-3
        assert intensity[near].sum() == pytest.approx(height, abs=0.8)
    assert intensity.sum() == pytest.approx(theirs.y.sum(), rel=0.03)


@given(
    name=st.sampled_from(list(STRUCTURES)),
    shift=st.tuples(*[st.floats(-1, 1)] * 3),
    seed=st.integers(0, 99),
)
@settings(max_examples=25, deadline=None)
def test_setting_origin_and_supercell_do_not_matter(name, shift, seed):
    crystal = Crystal.from_ase(STRUCTURES[name])
    rng = np.random.default_rng(seed)
    order = rng.permutation(crystal.n_atoms)
    moved = Crystal(crystal.numbers[order], crystal.cell, crystal.scaled[order] + shift)
    double = Crystal.from_ase(STRUCTURES[name].repeat((2, 1, 1)))
    skewed = crystal.replace(
        cell=np.array([[1, 0, 0], [1, 1, 0], [0, 0, 1]]) @ crystal.cell,
        scaled=crystal.scaled @ np.linalg.inv(np.array([[1, 0, 0], [1, 1, 0], [0, 0, 1]])),
    )
    angles = np.arange(15.0, 90.0, 0.1)
    rays = radiation("CuKa")
    first = calculated_pattern(crystal, rays, two_theta=angles)
    for other in (moved, double, skewed):
        assert calculated_pattern(other, rays, two_theta=angles) == pytest.approx(first, abs=1e-6)


def test_a_body_centred_cell_has_no_odd_lines():
    lines = lines_of(Crystal.from_ase(bulk("W", "bcc", a=3.165, cubic=True)), 0.8, 10.0)
    seen = lines.indices[lines.intensity > 1e-9 * lines.intensity.max()]
    assert len(seen) > 5
    assert (seen.sum(axis=1) % 2 == 0).all()


def test_no_line_in_the_range_is_an_empty_pattern():
    crystal = Crystal.from_ase(STRUCTURES["NaCl"])
    assert len(lines_of(crystal, 4.0, 5.0).spacing) == 0
    rays = radiation("MoKa1")
    assert not calculated_pattern(crystal, rays, two_theta=np.linspace(1.0, 5.0, 50)).any()


def test_an_element_without_form_factor_is_named():
    crystal = Crystal([99], np.eye(3) * 3.0, [[0, 0, 0]])
    with pytest.raises(InputError, match="Es has no tabulated"):
        lines_of(crystal, 1.0, 5.0)


def test_an_enormous_cell_is_refused_before_it_is_computed():
    crystal = Crystal([11], np.eye(3) * 3000.0, [[0, 0, 0]])
    with pytest.raises(InputError, match="Reduce the cell"):
        lines_of(crystal, 0.8, 10.0)


@pytest.mark.parametrize(
    ("given", "length"),
    [("CuKa", 1.5418), ("cu-kα1", 1.540593), ("MoKa", 0.71075), ("0.8250", 0.825), (1.0, 1.0)],
)
def test_wavelengths(given, length):
    found = radiation(given)
    assert found.wavelength == pytest.approx(length, abs=1e-4)
    assert sum(share for _, share in found.lines) == pytest.approx(1.0)


@pytest.mark.parametrize("given", ["CuKb", "154", "0", "nan", "", "1,54"])
def test_bad_wavelengths_name_the_remedy(given):
    with pytest.raises(InputError, match="wavelength"):
        radiation(given)
