"""What is read from a run, and the tables made of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nucleate.benchmark import report, tables
from nucleate.benchmark.references import RelaxedStructure
from nucleate.benchmark.results import read_result
from nucleate.benchmark.statistics import bootstrap_interval, wilson_interval

from .stores import cell, manganese, write_run

ANOTHER = manganese(shift=0.3)


def reference(energy=-9.0):
    return RelaxedStructure("Mn", "Mn.cif", manganese(), energy, converged=True)


def result(tmp_path, energies, *, target=-9.0, name="fgen", seed=1, **options):
    folder = write_run(tmp_path, cell(name, seed), energies, **options)
    return read_result(folder, cell(name, seed), reference(target))


def test_curve_start_time_and_failures(tmp_path):
    found = result(
        tmp_path, [-8.0, None, -8.5, -8.2, -8.9], prepared_s=10.0, crystals=[ANOTHER] * 5
    )
    assert found.curve == ((11.0, -8.0), (13.0, -8.5), (15.0, -8.9))
    assert (found.start_ev_per_atom, found.best_ev_per_atom) == (-8.0, -8.9)
    assert (found.structures, found.relaxed) == (5, 4)
    assert found.s_per_structure == pytest.approx(1.0)
    assert found.failures == {"chgnet: exploded": 1}
    assert found.sources == {"blocks": 2, "moves": 3}
    assert found.hit is None
    assert found.reached_s is None


def test_the_start_has_a_time_and_evaluations_of_its_own(tmp_path):
    fgen = result(tmp_path, [-8.0] * 4, evaluations=[60, 40, 30, 10], core_s=10.0)
    mlgen = result(tmp_path, [-8.0, None, -8.0], evaluations=[10, 99, 50], prepared_s=6.0,
                   name="mlgen", crystals=[ANOTHER] * 3)  # fmt: skip
    assert (fgen.start_s, fgen.start_evaluations, fgen.later_evaluations) == (1.0, 50.0, 20.0)
    assert (mlgen.start_s, mlgen.start_evaluations, mlgen.later_evaluations) == (1.0, 10.0, 50.0)
    rows = tables.speed_table([fgen, mlgen], rng=_rng())
    assert [row["evaluations per start"] for row in rows] == ["50", "10"]
    assert [row["evaluations later"] for row in rows] == ["20", "50"]
    assert [row[tables.START_SPEEDUP] for row in rows] == ["1.00", "1.00"]
    assert rows[0]["core s per structure"] == "2.50"


def test_the_reference_is_found_with_rank_and_time(tmp_path):
    crystals = [ANOTHER, ANOTHER, manganese(2.72, 0.08), ANOTHER, manganese(2.72)]
    found = result(tmp_path, [-8.5, -9.01, -8.999, -8.0, -8.998], crystals=crystals)
    assert found.hit is not None
    assert (found.hit.rank, found.hit.core_s) == (2, 3.0)
    assert found.hit.closest_rms <= found.hit.rms == pytest.approx(0.0, abs=1e-3)
    assert found.reached_s == 2.0


def test_the_right_geometry_at_another_energy_is_not_compared(tmp_path):
    assert result(tmp_path, [-8.0], crystals=[manganese()]).hit is None


def test_speed_up_is_the_ratio_of_mean_times(tmp_path):
    both = [
        result(tmp_path, [-8.0] * 10, core_s=20.0),
        result(tmp_path, [-8.0] * 10, name="mlgen-SPP", core_s=15.0, prepared_s=5.0),
    ]
    rows = {row["experiment"]: row for row in tables.speed_table(both, rng=_rng())}
    assert rows["fgen"]["speed-up"] == "1.00"
    assert rows["mlgen-SPP"]["speed-up"] == "2.00"
    assert rows["mlgen-SPP"]["with pool"] == "1.50"
    mean = {row["experiment"]: row["mean speed-up"] for row in tables.mean_speedups(both)}
    assert mean["mlgen-SPP"] == "2.00"


def test_energy_gain_and_success_tables(tmp_path):
    runs = [
        result(tmp_path, [-8.5, -8.4, -9.0], crystals=[ANOTHER, ANOTHER, manganese()]),
        result(tmp_path, [-8.7, -8.4, -8.7], seed=2),
    ]
    references = {"Mn": reference()}
    (energy,) = tables.energy_table(runs, references, rng=_rng())
    assert energy["lowest eV/atom"] == "-9.0000"
    assert energy["gap meV/atom"] == "+0.0"
    assert energy["reference"].startswith("found")
    (gain,) = tables.gain_table(runs, rng=_rng())
    assert (gain["improved"], gain["mean gain meV/atom"]) == (1, "250.0")
    (success,) = tables.success_table(runs, references)
    assert (success["runs"], success["reference found"]) == (2, 1)
    (compared,) = tables.compared_table([("set", "Mn", reference(-8.9))], runs, references)
    assert compared["nucleate less this"] == "-100.0"


def test_runs_with_a_tier_after_chgnet_stand_beside_the_papers_of_that_kind(tmp_path):
    (run,) = [result(tmp_path, [-3.0, -3.1], name="mlgen")]
    run = replace(run, cell=replace(run.cell, compound="Li2Sn2S3Cl4"))
    later = replace(run, tiers=[*run.tiers, {"name": "dft"}])
    rows = [tables.energy_table([item], {}, rng=_rng())[0] for item in (run, later)]
    assert [row["paper (PBE)"] for row in rows] == [-3.78, -3.8]


def test_the_gain_over_the_pool_stands_beside_the_papers(tmp_path):
    runs = [result(tmp_path, [-8.5, -8.4, -9.0], name="mlgen")]
    ours, paper = tables.gain_summary(runs)
    assert (ours["improved"], ours["mean gain meV/atom"]) == (1, "500")
    assert (paper["improved"], paper["runs"]) == (58, 66)
    assert tables.gain_summary([]) == []


def test_a_report_is_written_with_all_tables_and_figures(tmp_path, monkeypatch):
    result(tmp_path, [-8.5, -8.4, None, -9.0])
    result(tmp_path, [-8.5, -8.6], name="mlgen")
    monkeypatch.setattr(report, "relaxed_references", lambda *_, **__: {"Mn": reference()})
    text = report.write_report(tmp_path).read_text("utf-8")
    assert "| Mn | mlgen |" in text
    for name in ("curves", "success", "trajectory-Mn", "structures"):
        assert (tmp_path / "report" / f"{name}.png").stat().st_size > 1000
        assert f"({name}.png)" in text
    lines = (tmp_path / "report" / "runs.csv").read_text("utf-8").splitlines()
    assert len(lines) == 3


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [(10, 20, 0.2993, 0.7007), (0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0), (0, 0, 0.0, 1.0)],
)
def test_wilson_interval_has_the_published_values(successes, trials, low, high):
    assert wilson_interval(successes, trials) == pytest.approx((low, high), abs=1e-4)


@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=12))
def test_a_bootstrap_interval_lies_within_the_data(values):
    low, high = bootstrap_interval(values, rng=_rng())
    assert min(values) - 1e-9 <= low <= high <= max(values) + 1e-9


def test_a_bootstrap_interval_shrinks_as_the_standard_error():
    values = np.random.default_rng(1).normal(size=400)
    low, high = bootstrap_interval(values, rng=_rng())
    assert high - low == pytest.approx(2 * 1.96 * values.std() / 20.0, rel=0.1)


def _rng():
    return np.random.default_rng(0)
