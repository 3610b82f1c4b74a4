"""The drills at a modest number of kills; ``tests/run/drills.py`` runs more of them."""

from __future__ import annotations

import sys

import pytest

from .drills import kill_drivers, kill_workers

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="reads /proc"),
]


def test_a_search_that_is_killed_loses_nothing(tmp_path):
    counts = kill_drivers(tmp_path / "run", 10, structures=200)
    assert counts["kills"] == 10
    assert counts["survivors"] == counts["lost"] == counts["errors"] == 0
    assert counts["different"] == counts["failed"] == 0


def test_a_search_whose_workers_are_killed_continues(tmp_path):
    counts = kill_workers(tmp_path / "run", 10)
    assert counts["survivors"] == counts["errors"] == counts["failed"] == 0
    assert counts["records"] > 0
