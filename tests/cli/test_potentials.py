from __future__ import annotations

import numpy as np
import pytest
from tests.fitting.test_derivation import rock_salts

from nucleate.crystal.files import write_extxyz
from nucleate.potentials.spp import SppLibrary


def test_show_prints_the_curves_of_a_pair(nucleate):
    result = nucleate("potentials", "show", "O-Ti")
    assert result.status == 0
    assert "oxide or halide: d0 = 1." in result.out
    assert "arbitrary units" in result.out
    assert len(result.out.splitlines()) > 25


def test_show_writes_a_figure(nucleate, tmp_path):
    result = nucleate("potentials", "show", "O-Ti", "--plot", "pair.png")
    assert result.status == 0
    assert (tmp_path / "pair.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("show", "OTi"), "Write it like O-Ti"),
        (("show", "O-Zz"), "Zz"),
        (("show", "O-Ti", "--library", "none.npz"), "none.npz"),
        (("derive", "none.parquet"), "no such file"),
        (("derive", "x", "--method", "magic"), "statistics, response or paths"),
    ],
)
def test_bad_input_is_one_sentence(nucleate, words, expected):
    result = nucleate("potentials", *words)
    assert result.status == 2
    assert result.err.startswith("Error: ")
    assert expected in result.err


@pytest.mark.parametrize("method", ["statistics", pytest.param("response", marks=pytest.mark.slow)])
def test_derive_writes_a_library_that_show_reads(nucleate, tmp_path, method):
    write_extxyz(tmp_path / "set.extxyz", [(s.name, s.crystal) for s in rock_salts()])
    words = ("--method", method, "--fitted", "10", "--held-out", "3", "--out", "my.npz")
    result = nucleate("potentials", "derive", "set.extxyz", *words)
    assert result.status == 0, result.err
    library = SppLibrary.load(tmp_path / "my.npz")
    assert library.provenance["source"] == "set.extxyz"
    assert library.provenance["settings"]["method"] == method
    assert np.isfinite(library.coefficients).all()
    shown = nucleate("potentials", "show", "O-Mg", "--library", "my.npz")
    assert shown.status == 0
    assert "O-Mg" in shown.out or "structures" in shown.out
