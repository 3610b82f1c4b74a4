from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

FIELD = """name = "oxides"
r_min_A = 1.2
[charges]
Sr = 2.0
Ti = 4.0
O = -2.0
[[buckingham]]
pair = ["O", "Sr"]
A_eV = 1952.39
rho_A = 0.33685
C_eV_A6 = 19.22
[[buckingham]]
pair = ["O", "Ti"]
A_eV = 4590.7279
rho_A = 0.261
[[buckingham]]
pair = ["O", "O"]
A_eV = 1388.77
rho_A = 0.36262
C_eV_A6 = 175.0
"""


def test_prove_and_check(nucleate, tmp_path: Path) -> None:
    (tmp_path / "ff.toml").write_text(FIELD)
    words = ("prove", "SrTiO3", "--force-field", "ff.toml", "--cell", "3.9", "--space-group", 221)
    done = nucleate(*words, "--grid", "4")
    assert done.status == 0
    assert "Pm-3m (221)" in done.out
    assert "Not covered" in done.out
    assert "optimal" in done.out
    path = tmp_path / "prove-SrTiO3" / "certificate.json"
    assert nucleate("prove", "--check", path).status == 0
    data = json.loads(path.read_text())
    data["proofs"][0]["bound"] += 1.0
    path.write_text(json.dumps(data))
    refused = nucleate("prove", "--check", path)
    assert refused.status == 1
    assert "REFUSED" in refused.out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["SrTiO4"], "add up to -2 e instead of 0"),
        (["CaTiO3"], "no potential for the pair Ca-O"),
        (["SrTiO3", "--cell", "3.9", "--grid", "2", "--contacts", "1.6"], "Use a finer grid"),
        (["SrTiO3", "--cell", "3.9 4.1 3.9", "--space-group", "221"], "crystal system"),
        (["SrTiO3", "--cell", "3.9", "--space-group", "227", "--grid", "3"], "Use 4x4x4"),
        (
            ["SrTiO3", "--cell", "11.7", "--grid", "12x12x12", "--memory-mb", "300"],
            "up to 5184 variables need about 1075 MB",
        ),
        (["SrTiO3", "--cell", "x"], "alpha beta gamma"),
        (["SrTiO3", "--cell", "3.9", "--grid", "4x4"], "whole numbers"),
        (["SrTiO3", "--grid", "4"], "Give --cell too"),
        (["SrTiO3", "--limit", "0"], "above 0"),
        (["SrTiO3", "--max-atoms", "3"], "Raise max_atoms"),
        (["SrTiO3", "--proxy"], "only one of"),
        (["SrTiO3", "--lattice", "sc"], "--force-field has no effect with --lattice"),
        (["--check", "c.json"], "--check takes a certificate and --limit alone"),
        ([], "formula is missing"),
    ],
)
def test_bad_input_is_said_in_a_sentence(nucleate, tmp_path: Path, words, message) -> None:
    (tmp_path / "ff.toml").write_text(FIELD)
    done = nucleate("prove", *words, *(["--force-field", "ff.toml"] if words else []))
    assert done.status == 2
    assert message in done.err
    assert done.err.count("\n") == 1


def test_what_was_not_proven_is_not_printed_as_a_bound(nucleate, tmp_path: Path) -> None:
    (tmp_path / "ff.toml").write_text(FIELD)
    done = nucleate(
        "prove", "SrTiO3", "--force-field", "ff.toml", "--cell", "7.8", "--z", 8, "--grid", "8",
        "--limit", "0.2", "--keep", 1, "--memory-mb", 100,
    )  # fmt: skip
    assert done.status == 0
    assert "not proven" in done.out
    data = json.loads((tmp_path / "prove-SrTiO3" / "certificate.json").read_text())
    assert data["proofs"][0]["bound"] is None
    assert any("memory_mb = 100" in line for line in data["not_covered"])
    open_ones = "1 grids whose best arrangement was not proven (1 time limit): 1 have no bound."
    assert any(line.startswith(open_ones) for line in data["not_covered"])


def test_a_grid_that_holds_nothing_is_said_with_numbers(nucleate, tmp_path: Path) -> None:
    (tmp_path / "ff.toml").write_text(FIELD)
    done = nucleate(
        "prove", "SrTiO3", "--force-field", "ff.toml", "--cell", "3.9", "--grid", "4", "--z", 3
    )
    assert done.status == 0
    text = " ".join(done.out.split())
    assert "1 of 1 grids are proven (1 of them hold no arrangement)" in text
    assert "with 0.97 to 0.97 Å between points. Use finer grids (--grid)" in text


@pytest.mark.parametrize("words", [("--cell", "3.9"), ("--grid", "4"), ("--contacts", "2")])
def test_what_has_no_effect_on_a_lattice_is_refused(nucleate, words) -> None:
    done = nucleate("prove", "CuAu", "--lattice", "fcc", *words)
    assert done.status == 2
    assert f"{words[0]} has no effect with --lattice" in done.err
