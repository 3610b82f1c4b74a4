"""Each misbehaving calculator costs its own crystal at most; those after it have their energies."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from nucleate.crystal.crystal import Crystal
from nucleate.relax.outcome import Failed
from nucleate.relax.settings import TierSettings, build_relaxer
from nucleate.run.executor import Job
from nucleate.run.pool import Pool
from nucleate.run.process import WorkerSpec

from .misbehaving import FIRST, ROWS
from .test_pool import run

HERE = Path(__file__).resolve().parents[2]
TIER = {
    "name": "t",
    "relax": False,
    "engine": {"kind": "ase", "calculator": "tests.run.misbehaving:Calculator"},
}
IN_A_WORKER = 28
assert len(ROWS) <= 3 * IN_A_WORKER
GOOD = 8


def crystal(first):
    return Crystal([first, 8], 4.2 * np.eye(3), [[0.0, 0.0, 0.0], [0.5, 0.5, 0.5]])


def spec():
    return WorkerSpec(tiers=(TIER,), step_limits_s=(6.0,), search_path=(str(HERE),), memory_mb=2000)


@pytest.mark.skipif(sys.platform != "linux", reason="Linux only")
@pytest.mark.parametrize(
    "first",
    [0, pytest.param(28, marks=pytest.mark.slow), pytest.param(56, marks=pytest.mark.slow)],
)
def test_a_calculator_costs_its_own_crystal_only(first):
    rows = ROWS[first : first + IN_A_WORKER]
    jobs = []
    for position in range(len(rows)):
        jobs.append(Job(2 * position, 0, crystal(FIRST + first + position)))
        jobs.append(Job(2 * position + 1, 0, crystal(GOOD)))
    outcomes = {}
    with Pool(spec(), workers=1) as pool:
        for job in jobs:  # one by one: each good one follows a bad one
            outcomes |= run(pool, [job], timeout_s=60.0)
    wrong = []
    for position, (name, expected, _) in enumerate(rows):
        bad, after = outcomes[2 * position], outcomes[2 * position + 1]
        found = str(bad.reason) if isinstance(bad, Failed) else "relaxed"
        if found != expected:
            wrong.append(f"{name}: {found}, not {expected}: {getattr(bad, 'message', '')[:300]}")
        if isinstance(bad, Failed):
            bad.message.encode()
            assert 0 < len(bad.message) < 10_000
        if isinstance(after, Failed):
            wrong.append(f"after {name}: {after.reason}: {after.message[:300]}")
        elif after.energy != outcomes[1].energy:
            wrong.append(f"after {name}: {after.energy}")
    assert not wrong, "\n".join(wrong)


class FullDisk:
    """Cannot write its scratch file."""

    def get_potential_energy(self, _=None, **__):
        raise OSError(28, "No space left on device", "/scratch/wave")


def test_a_full_disk_under_a_calculator_ends_the_run():
    relaxer = build_relaxer(TierSettings.model_validate(TIER), pressure_gpa=0.0)
    relaxer._model.calculator = FullDisk()
    relaxer.add(0, crystal(FIRST))
    with pytest.raises(OSError, match="No space"):
        relaxer.step()
