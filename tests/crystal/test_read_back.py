"""Structures of the Materials Project come back from sixteen dialects of four packages."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.crystal.read_back import drill

if TYPE_CHECKING:
    from pathlib import Path


def check(shared_data: Path, number: int, seed: int) -> None:
    counts, wrong = drill(shared_data / "mp_structures.parquet", number, seed)
    assert not wrong, wrong[:5]
    refused = counts.pop("pymatgen name (refused)", 0)
    assert refused <= number // 100
    assert len(counts) == 16
    assert min(counts.values()) >= number - refused


def test_some_structures_come_back(shared_data: Path) -> None:
    check(shared_data, 3, 1)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_two_thousand_structures_come_back(shared_data: Path) -> None:
    check(shared_data, 2000, 0)
