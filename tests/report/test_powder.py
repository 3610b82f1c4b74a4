"""Exported powder patterns."""

import numpy as np
import pytest
from ase.build import bulk

from nucleate import Crystal
from nucleate.powder import agreement, radiation, read_pattern
from nucleate.report.powder import write_pattern


def test_an_exported_pattern_is_read_as_a_measured_one(tmp_path):
    crystal = Crystal.from_ase(bulk("NaCl", "rocksalt", a=5.64))
    write_pattern(tmp_path / "salt.xy", crystal, title="salt")
    rays = radiation("CuKa")
    pattern = read_pattern(tmp_path / "salt.xy", rays)
    assert pattern.intensity.max() == pytest.approx(100.0, abs=1e-3)
    fit = agreement(crystal, pattern, rays)
    assert fit.explained > 0.999
    assert abs(fit.strain) < 1e-4


def test_an_element_without_form_factor_leaves_a_word(tmp_path):
    write_pattern(tmp_path / "x.xy", Crystal([99], np.eye(3) * 3, [[0, 0, 0]]), title="Es")
    assert "Es has no tabulated" in (tmp_path / "x.xy").read_text()
