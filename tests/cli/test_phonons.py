"""`nucleate phonons` as it is called."""

import csv

import pytest

import nucleate as nc

pytest.importorskip("phonopy")

INPUT = """
[problem]
formula = "CuAu"
max_atoms = 4
[[tier]]
name = "emt"
engine = { kind = "ase", calculator = "ase.calculators.emt:EMT" }
fmax_ev_per_ang = 0.005
max_stress_gpa = 0.05
[search]
generators = ["symmetric"]
known = "off"
[stop]
structures = 5
[final]
best = 0
[run]
workers = 1
"""


@pytest.fixture
def run(tmp_path):
    (tmp_path / "run.toml").write_text(INPUT)
    return nc.predict(tmp_path / "run.toml", folder=tmp_path / "run")


@pytest.mark.slow
def test_phonons_of_a_run_are_kept_and_followed(nucleate, run):
    before = len(run)
    words = ("phonons", run.folder, "--best", "2", "--length", "6", "--workers", "1", "--trust")
    done = nucleate(*words, "--follow", "--imaginary", "0.05")
    assert done.status == 0, done.err
    with (run.folder / "phonons" / "phonons.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 2
    for row in rows:
        folder = run.folder / "phonons" / row["structure"]
        if row["conclusion"] in ("stable", "unstable"):
            assert (folder / "phonons.png").exists()
            assert (folder / "phonopy_params.yaml").exists()
    unstable = any(row["conclusion"] == "unstable" for row in rows)
    followed = [item for item in run.records if item.candidate.origin.source == "soft-mode"]
    assert bool(followed) == unstable
    assert len(run) == before + len(followed)
    again = nucleate(*words, "--follow", "--imaginary", "0.05")
    assert again.status == 0
    assert len(run) == before + len(followed), "a second call repeats nothing"


def test_files_that_are_not_relaxed_are_refused_with_the_remedy(nucleate, tmp_path):
    from ase.build import bulk

    atoms = bulk("Cu", "fcc", a=3.3)
    atoms.write(tmp_path / "squeezed.cif")
    tier = "ase=ase.calculators.emt:EMT"
    words = ("--tier", tier, "--length", "6", "--workers", "1")
    done = nucleate("phonons", "squeezed.cif", *words)
    assert done.status == 0, done.err
    assert "not relaxed by this model" in done.out
    assert "nucleate refine" in done.out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--length", "1"], "length_ang = 1.0"),
        (["--tier", "spp"], "arbitrary units"),
        (["--follow"], "follow"),
        (["--tier", "chgnett"], "chgnett"),
    ],
)
def test_bad_input_is_one_sentence(nucleate, tmp_path, words, message):
    from ase.build import bulk

    bulk("Cu").write(tmp_path / "cu.cif")
    done = nucleate("phonons", "cu.cif", *words)
    assert done.status == 2
    assert message in done.err
    assert "Traceback" not in done.err
