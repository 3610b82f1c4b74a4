"""Whatever is lost of a run with blocks: no record is lost or doubled, and nothing stays behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from .cluster_drills import KINDS, drill


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("kind", KINDS)
def test_no_record_is_lost_or_doubled_whatever_happens(kind: str, tmp_path: Path) -> None:
    pytest.importorskip("parsl")
    times, structures = 2, 80 if kind == "walltime" else 40
    found = drill(kind, times, structures, tmp_path / "run")
    assert found["status"] == 0, found["error"]
    assert found["survivors"] == []
    failed = times if kind == "hang" else 0
    assert (found["failed"], found["timed_out"]) == (failed, failed), found
    assert (found["lost"], found["doubled"], found["different"]) == (0, 0, 0), found
    assert found["records"] >= structures
    if kind != "hang":
        assert found["kills"] >= 1, found
    if kind not in ("hang", "driver"):
        assert found["losses_noted"] >= 1, found
