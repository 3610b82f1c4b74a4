"""Identifiers of a table make folders below ``--out`` only."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nucleate.benchmark.csp import Entry, entry_folder
from nucleate.crystal.crystal import Crystal

SALT = Crystal([11, 17], np.eye(3) * 4.0, [[0, 0, 0], [0.5, 0.5, 0.5]])


@pytest.mark.parametrize("name", ["../../x", "/etc/x", "a/b", "..", "", "a\0b", "mp-1", "x" * 500])
def test_every_entry_has_a_folder_of_its_own_below(tmp_path, name):
    folder = entry_folder(tmp_path, Entry(name, SALT))
    assert folder.parent == tmp_path / "csp"
    folder.mkdir(parents=True)
    assert Path(folder).resolve().parent == (tmp_path / "csp").resolve()


def test_tiers_that_differ_in_a_space_have_files_of_their_own(tmp_path):
    folders = {entry_folder(tmp_path, Entry(name, SALT)) for name in ("a b", "a_b", "a  b")}
    assert len(folders) == 3
