"""Signals in every phase of every command that computes: a sentence within 2 s, twice the end."""

from __future__ import annotations

import os

import pytest
from tests.cli.signal_phases import PHASES, drill

POSIX = pytest.mark.skipif(os.name != "posix", reason="POSIX signals")


@POSIX
@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_every_phase_of_every_command_answers_signals():
    counts = drill(2)
    assert set(counts) == set(PHASES)
    assert sum(row["answered"] for row in counts.values()) > len(PHASES)
    assert not any(row["late"] for row in counts.values()), counts
