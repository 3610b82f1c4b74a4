"""The table of the best shows each distinct structure once, at its lowest enthalpy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk

from nucleate.cli.display import SHOWN, Board
from nucleate.crystal.candidate import Candidate, Origin
from nucleate.crystal.crystal import Crystal
from nucleate.energy.level import LevelOfTheory
from nucleate.relax.outcome import Relaxed
from nucleate.run.settings import RunSettings
from nucleate.search.record import Record, SearchUpdate, TierOutcome

COPPER = Crystal.from_ase(bulk("Cu", "fcc", a=3.6))
LEVEL = LevelOfTheory("test", "1", "given")


def told(board: Board, number: int, energy: float, duplicate_of: int | None = None) -> None:
    outcome = Relaxed(
        crystal=COPPER,
        energy=energy,
        enthalpy=energy,
        forces=np.zeros((1, 3)),
        stress_gpa=np.zeros((3, 3)),
        max_force=0.0,
        max_stress_gpa=0.0,
        converged=True,
        steps=1,
        evaluations=1,
        wall_s=0.0,
        level=LEVEL,
    )
    outcomes = (TierOutcome("chgnet", outcome),)
    record = Record(number, Candidate(COPPER, Origin("blocks")), outcomes)
    board.on_record(record, SearchUpdate(duplicate_of=duplicate_of), replayed=False)


@pytest.fixture
def board(tmp_path: Path) -> Board:
    return Board(RunSettings.from_dict({"problem": {"formula": "Cu"}}), tmp_path)


def test_a_better_copy_takes_the_place_of_its_original(board: Board) -> None:
    told(board, 0, -1.0)
    told(board, 1, -1.5)
    told(board, 2, -1.2, duplicate_of=0)
    told(board, 3, -1.1, duplicate_of=0)
    assert [(line.number, line.enthalpy) for line in board.best] == [(1, -1.5), (2, -1.2)]


def test_a_copy_comes_back_when_its_original_has_dropped_out(board: Board) -> None:
    told(board, 0, -1.0)
    for number in range(1, SHOWN + 1):
        told(board, number, -2.0 - number)
    assert all(line.number != 0 for line in board.best)
    told(board, SHOWN + 1, -50.0, duplicate_of=0)
    assert board.best[0].number == SHOWN + 1
    assert len(board.best) == SHOWN
