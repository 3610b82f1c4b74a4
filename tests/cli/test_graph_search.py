"""Graph search and ready pools from the command line."""

from __future__ import annotations

import pytest
from ase.io import read

pytest.importorskip("torch")

SMALL = ("--generator", "graph-search", "--formula-units", "1", "--number", 60)


def test_generate_writes_a_ranked_pool_that_predict_and_generate_take(nucleate, tmp_path):
    result = nucleate("generate", "NaCl", *SMALL, "--out", "pool.extxyz")
    assert result.status == 0
    assert "Evaluated Z = 1: 60 valid crystals" in result.out
    assert "crystals: 60 of 60" in result.err
    frames = read(tmp_path / "pool.extxyz", index=":")
    energies = [atoms.info["network_energy"] for atoms in frames]
    assert energies == sorted(energies)
    assert [atoms.info["rank"] for atoms in frames] == list(range(1, len(frames) + 1))
    assert {atoms.info["source"] for atoms in frames} == {"graph-search"}
    assert {atoms.info["optimiser"] for atoms in frames} == {"tpe"}
    again = nucleate("generate", "NaCl", *SMALL, "--out", "again.extxyz")
    assert again.status == 0
    assert (tmp_path / "again.extxyz").read_text() == (tmp_path / "pool.extxyz").read_text()
    taken = nucleate(
        "generate", "NaCl", "--generator", "pool=pool.extxyz", "--number", 3, "--out", "b.extxyz"
    )
    assert taken.status == 0
    first = read(tmp_path / "b.extxyz", index=0)
    assert first.info["source"] == "pool"
    assert first.info["order"] == 0


def test_generate_with_an_element_unknown_to_the_network_says_so(nucleate):
    with pytest.warns(UserWarning, match="never seen Xe"):
        result = nucleate("generate", "XeF2", *SMALL)
    assert result.status == 2
    assert "--generator symmetric" in result.err
