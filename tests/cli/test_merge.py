"""Runs of several seeds as one: what is joined, where it came from, and what is refused."""

from __future__ import annotations

import pytest

import nucleate.api as nc
from nucleate.run.settings import RunSettings

TIER = {"name": "emt", "max_steps": 60,
        "engine": {"kind": "ase", "calculator": "ase.calculators.emt:EMT"}}  # fmt: skip


def search(folder, seed, *, formula="Cu3Au", pressure=0.0, tier=TIER, structures=4, best=2):
    data = {
        "problem": {"formula": formula, "max_atoms": 4, "pressure_gpa": pressure},
        "search": {"seed": seed, "population": 3, "generators": [{"kind": "blocks"}]},
        "stop": {"structures": structures},
        "final": {"best": best, "judge": "off"},
        "tier": [tier],
        "run": {"workers": 1},
    }
    return nc.predict(RunSettings.from_dict(data), folder=folder)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    return [search(folder / f"seed-{seed}", seed) for seed in (1, 2)]


def test_two_seeds_are_one_list(nucleate, tmp_path, runs):
    result = nucleate("merge", *(run.folder for run in runs), "--out", "all")
    assert result.status == 0, result.err
    merged = nc.open(tmp_path / "all")
    assert len(merged.records) == sum(len(run.records) for run in runs)
    lowest = min(run.best.relaxed.enthalpy_per_atom for run in runs)
    assert merged.best.relaxed.enthalpy_per_atom == lowest
    assert max(len(run.structures) for run in runs) <= len(merged.structures)
    assert len(merged.structures) <= sum(len(run.structures) for run in runs)
    assert sum(item.copies for item in merged.structures) == sum(
        item.copies for run in runs for item in run.structures
    )
    by_folder = {str(run.folder): run for run in runs}
    for record in merged.records:
        detail = record.candidate.origin.detail
        source = by_folder[detail["run"]]
        assert source.settings.seed == detail["run_seed"]
        (old,) = [item for item in source.records if item.number == detail["run_record"]]
        assert old.enthalpies() == record.enthalpies()
        assert (old.candidate.crystal.scaled == record.candidate.crystal.scaled).all()
    assert (tmp_path / "all" / "ranking.csv").is_file()
    assert nucleate("status", "all").status == 0


def test_a_merged_run_is_not_continued(nucleate, runs):
    assert nucleate("merge", *(run.folder for run in runs), "--out", "all").status == 0
    result = nucleate("predict", "Cu3Au", "--out", "all", "--structures", 30, "--trust")
    assert result.status == 2
    assert "merged" in result.err
    again = nucleate("merge", *(run.folder for run in runs), "--out", "all")
    assert again.status == 2
    assert "exists already" in again.err


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"formula": "CuAu"}, "composition"),
        pytest.param({"pressure": 5.0}, "pressure_gpa", marks=pytest.mark.slow),
        ({"tier": TIER | {"fmax_ev_per_ang": 0.2}}, "fmax_ev_per_ang"),
    ],
)
def test_other_problems_are_refused_by_name(nucleate, tmp_path, runs, options, word):
    other = search(tmp_path / "other", 3, structures=1, best=0, **options)
    result = nucleate("merge", runs[0].folder, other.folder, "--out", "all")
    assert result.status == 2
    assert word in result.err
    assert not (tmp_path / "all").exists()


def test_one_run_is_not_merged(nucleate, runs):
    assert nucleate("merge", runs[0].folder, "--out", "all").status == 2
