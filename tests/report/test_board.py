"""The table of the best shows each distinct structure once, at its lowest enthalpy."""

from __future__ import annotations

import numpy as np
import pytest
from ase.build import bulk

from nucleate.crystal.candidate import Candidate, Origin
from nucleate.crystal.crystal import Crystal
from nucleate.energy.level import LevelOfTheory
from nucleate.relax.outcome import Relaxed
from nucleate.report.board import SHOWN, Board
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
    board.add(record, SearchUpdate(duplicate_of=duplicate_of))


def listed(board: Board) -> list[tuple[int, float]]:
    return [
        (row.record.number, row.relaxed.enthalpy_per_atom)
        for row in board.rows
        if row.record is not None and row.relaxed is not None
    ]


@pytest.fixture
def board() -> Board:
    return Board(["chgnet"])


def test_a_better_copy_takes_the_place_of_its_original(board: Board) -> None:
    told(board, 0, -1.0)
    told(board, 1, -1.5)
    told(board, 2, -1.2, duplicate_of=0)
    told(board, 3, -1.1, duplicate_of=0)
    assert listed(board) == [(1, -1.5), (2, -1.2)]


def test_a_copy_comes_back_when_its_original_has_dropped_out(board: Board) -> None:
    told(board, 0, -1.0)
    for number in range(1, SHOWN + 1):
        told(board, number, -2.0 - number)
    assert all(number != 0 for number, _ in listed(board))
    told(board, SHOWN + 1, -50.0, duplicate_of=0)
    assert listed(board)[0] == (SHOWN + 1, -50.0)
    assert len(board.rows) == SHOWN
    assert [row.rank for row in board.rows] == list(range(1, SHOWN + 1))
    assert board.rows[1].above_best == pytest.approx(50.0 - 2.0 - SHOWN)


def test_rows_are_named_by_the_libraries_of_the_run() -> None:
    board = Board(["chgnet"], libraries=("shipped", "mine.nlib"))
    told(board, 0, -1.0)
    assert board.rows[0].libraries == ("shipped", "mine.nlib")
