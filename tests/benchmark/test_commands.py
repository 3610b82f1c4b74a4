"""The command line of the benchmark."""

from __future__ import annotations

import pytest

from .stores import cell, write_run


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("run", "--compounds", "NaCl"), "NaCl"),
        (("run", "--experiments", "gen"), "gen"),
        (("run", "--budget", "soon"), "soon"),
        (("run", "--budget", "0"), "0"),
        (("status",), "benchmark run"),
        (("report",), "benchmark run"),
        (("csp", "nowhere.parquet"), "nowhere"),
        (("csp", ".", "--atoms", "many"), "many"),
        (("compare", "nowhere"), "nowhere"),
    ],
)
def test_bad_input_is_one_sentence_and_status_2(nucleate, words, named):
    result = nucleate("benchmark", *words)
    assert result.status == 2
    assert named in result.err
    assert "Traceback" not in result.err


def test_status_lists_every_run(nucleate, tmp_path):
    write_run(tmp_path / "b", cell(), [-8.0, -9.0], core_s=100.0)
    result = nucleate("benchmark", "status", "--out", "b")
    assert result.status == 0
    assert "done" in result.out
    assert "-9.0000 eV/atom" in result.out
    assert "1 of 1 runs are done" in result.out


@pytest.mark.slow
def test_a_matrix_runs_reports_and_is_not_run_again(nucleate):
    words = ("run", "--compounds", "Mn", "--experiments", "symmetric,pyxtal-random", "--runs", "1",
             "--budget", "8s", "--workers", "1", "--out", "b")  # fmt: skip
    first = nucleate("benchmark", *words)
    assert first.status == 0
    assert first.out.count("the core time is spent") == 2
    assert first.out.count("40 structures were relaxed") == 1
    second = nucleate("benchmark", *words)
    assert second.out.count("done before") == 2
    assert "Rehearsing" not in second.out
    report = nucleate("benchmark", "report", "--out", "b")
    assert "| Mn | symmetric |" in report.out
