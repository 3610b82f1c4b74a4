"""Phonons against ASE, sum rules, and where soft modes lead."""

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.phonons import Phonons as AsePhonons

import nucleate as nc
from nucleate.crystal.symmetry import conventional
from nucleate.phonons import displacements, distortions
from nucleate.report.phonons import phonon_figure, write_tables

pytest.importorskip("phonopy")


def relaxed(atoms):
    end = nc.relax(atoms, model=EMT(), fix_symmetry=True, fmax_ev_per_ang=1e-4, max_stress_gpa=0.01)
    return conventional(end.crystal, 0.01)


def phonons_of(crystal, length=7.0):
    made = displacements(crystal, length=length, distance=0.01)
    outcomes = nc.relax(made.supercells, model=EMT(), single_point=True)
    return made.phonons([outcome.forces for outcome in outcomes])


@pytest.fixture(scope="module")
def copper():
    return phonons_of(relaxed(bulk("Cu", "fcc", a=3.6, cubic=True)))


@pytest.fixture(scope="module")
def unstable():
    return phonons_of(relaxed(bulk("Cu", "bcc", a=2.86, cubic=True)), length=11.0)


def test_frequencies_are_those_of_ase(copper, tmp_path):
    """The zone-boundary point X from ASE's own finite displacements in the same supercell."""
    theirs = AsePhonons(
        copper.crystal.to_ase(), EMT(), supercell=(2, 2, 2), delta=0.01, name=tmp_path / "ph"
    )
    theirs.run()
    theirs.read(acoustic=True)
    energies = np.sort(theirs.band_structure([[0.0, 0.0, 0.5]])[0]) / 4.135667696e-3
    # folded into the primitive zone, the point (0 0 1/2) of the cube holds Δ and its images
    ours = np.sort(np.concatenate([copper.modes(point) for point in _images(copper)]))
    assert ours == pytest.approx(energies, abs=0.03)


def _images(copper):
    """Wave vectors of the primitive cell that fold onto (0 0 1/2) of the cube."""
    matrix = copper.phonopy.primitive_matrix
    found = []
    for shift in np.ndindex(2, 2, 2):
        point = (np.array([0.0, 0.0, 0.5]) + shift) @ matrix
        same = [other for other in found if np.allclose(point - other, np.rint(point - other))]
        if not same:
            found.append(point)
    return found


def test_translations_cost_nothing_and_every_mode_is_counted(copper):
    assert np.abs(copper.modes([0, 0, 0])).max() < 0.02
    assert len(copper.vibrations([0, 0, 0])) == 0
    frequencies, states = copper.density_of_states()
    assert np.trapezoid(states, frequencies) == pytest.approx(3.0, rel=0.01)
    assert copper.softest()[1] > 1.0


def test_a_saddle_point_has_an_imaginary_mode_that_leads_down(unstable):
    point, lowest = unstable.softest()
    assert lowest < -0.5
    made = distortions(unstable, below=-0.3, rng=np.random.default_rng(0))
    assert made
    start = nc.relax(unstable.crystal, model=EMT(), single_point=True).energy_per_atom
    ends = nc.relax([item.crystal for item in made], model=EMT())
    assert min(end.energy_per_atom for end in ends) < start - 0.02
    for item in made:
        assert item.frequency < -0.3
        assert set(item.crystal.numbers) == {29}
    assert made[0].frequency == pytest.approx(lowest, abs=0.02)
    assert np.allclose(np.abs(made[0].point), np.abs(point)) or len(made) > 1


def test_distortions_repeat_with_the_seed_and_keep_their_size(unstable):
    first, again = (
        distortions(unstable, below=-0.3, rng=np.random.default_rng(4)) for _ in range(2)
    )
    assert [item.crystal for item in first] == [item.crystal for item in again]
    assert not distortions(unstable, below=-99.0, rng=np.random.default_rng(4))
    assert not distortions(unstable, below=-0.3, max_atoms=1, rng=np.random.default_rng(4))


def test_picture_and_tables(copper, tmp_path):
    figure = phonon_figure(copper, title="Cu")
    assert figure.to_png().startswith(b"\x89PNG")
    assert "Γ" in [text.get_text() for text in figure.axes[0].get_xticklabels()]
    write_tables(tmp_path, copper)
    bands = np.loadtxt(tmp_path / "bands.csv", delimiter=",", skiprows=1)
    assert bands.shape[1] == 4
    copper.save(tmp_path / "phonopy_params.yaml")
    import phonopy

    read = phonopy.load(tmp_path / "phonopy_params.yaml", log_level=0)
    assert np.allclose(
        np.sort(read.get_frequencies([0, 0.5, 0.5])), copper.modes([0, 0.5, 0.5]), atol=0.05
    )


def test_a_supercell_beyond_reason_is_refused():
    with pytest.raises(nc.InputError, match="smaller length"):
        displacements(nc.Crystal.from_ase(bulk("Cu")), length=90.0)
