"""`nucleate compare` as it is called."""

import csv

import numpy as np
import pytest
from ase.build import bulk

import nucleate as nc
from nucleate.powder import calculated_pattern, radiation

ANGLES = np.arange(20.0, 90.0, 0.05)


@pytest.fixture
def salt(tmp_path):
    """Files of rock salt, zinc blende and a pattern of strained rock salt."""
    for kind, a in (("rocksalt", 5.64), ("zincblende", 6.2)):
        bulk("NaCl", kind, a=a).write(tmp_path / f"{kind}.cif")
    strained = nc.Crystal.from_ase(bulk("NaCl", "rocksalt", a=5.64 * 1.01))
    intensity = 50 + 10 * calculated_pattern(strained, radiation("CuKa"), two_theta=ANGLES)
    np.savetxt(tmp_path / "salt.xy", np.column_stack([ANGLES, intensity]))
    return tmp_path


def test_files_are_ranked_with_table_picture_and_curves(nucleate, salt):
    done = nucleate("compare", "zincblende.cif", "rocksalt.cif", "--xrd", "salt.xy")
    assert done.status == 0, done.err
    assert "Fm-3m" in done.out.splitlines()[1]
    folder = salt / "xrd-salt"
    with (folder / "comparison.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [row["space_group_0p1_angstrom"] for row in rows] == ["Fm-3m", "F-43m"]
    assert float(rows[0]["strain_percent"]) == pytest.approx(1.0, abs=0.05)
    assert (folder / "comparison.png").read_bytes().startswith(b"\x89PNG")
    assert np.loadtxt(folder / "fit-1.xy").shape == (len(ANGLES), 5)


def test_a_run_is_compared_with_its_energies(nucleate, salt):
    settings = {
        "problem": {"formula": "NaCl", "max_atoms": 4},
        "tier": [{"name": "spp", "engine": {"kind": "spp"}}],
        "stop": {"structures": 6},
        "final": {"best": 0},
        "run": {"workers": 1},
    }
    run = nc.predict(settings, folder=salt / "run")
    done = nucleate("compare", "run", "--xrd", "salt.xy", "--best", "3")
    assert done.status == 0, done.err
    assert (salt / "run" / "xrd-salt" / "comparison.csv").exists()
    found = nc.compare(run, xrd=salt / "salt.xy", best=3)
    assert sorted(item.rank for item in found) == list(range(1, len(found) + 1))
    assert list(found.to_pandas()["r_wp_percent"]) == sorted(found.to_pandas()["r_wp_percent"])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--wavelength", "CuKb"], "CuKb"),
        (["--max-strain", "0.5"], "max_strain = 0.5"),
        (["--max-zero", "-1"], "--max-zero = -1"),
        (["--xrd", "none.xy"], "none.xy"),
    ],
)
def test_bad_input_is_one_sentence(nucleate, salt, words, message):
    done = nucleate("compare", "rocksalt.cif", "--xrd", "salt.xy", *words)
    assert done.status == 2
    assert message in done.err
    assert "Traceback" not in done.err
    assert not (salt / "xrd-salt").exists()


def test_a_pattern_that_nothing_explains_is_said(nucleate, salt):
    rng = np.random.default_rng(3)
    noise = np.column_stack([ANGLES, 100 + 20 * rng.random(len(ANGLES))])
    np.savetxt(salt / "noise.xy", noise)
    done = nucleate("compare", "rocksalt.cif", "--xrd", "noise.xy")
    assert "No structure explains the pattern" in done.out
