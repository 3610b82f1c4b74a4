"""Output of children where the system waits for sockets alone, as Windows does."""

from __future__ import annotations

import selectors
import subprocess
import sys

import numpy as np
import pytest

from nucleate import pipes
from nucleate.errors import InputError
from nucleate.pipes import Pipe
from nucleate.programs import preflight
from nucleate.relax.outcome import FailReason, Relaxed
from nucleate.run.executor import Job
from nucleate.run.pool import Pool

from .test_pool import crystal, run, spec
from .toys import ABORT, EXIT, HANG

LONG = "import sys; sys.stdout.buffer.write(bytes(range(256)) * 20_000)"


@pytest.mark.parametrize("relayed", [False, True])
def test_everything_arrives_and_then_the_end(relayed):
    child = subprocess.Popen([sys.executable, "-c", LONG], stdout=subprocess.PIPE)
    pipe = Pipe(child.stdout, relayed=relayed)
    found = b""
    with selectors.DefaultSelector() as selector:
        selector.register(pipe, selectors.EVENT_READ)
        while selector.select(10.0) and (chunk := pipe.read()):
            found += chunk
    child.wait()
    assert found == bytes(range(256)) * 20_000
    assert pipe.has_rest()
    assert pipe.read() == b""
    pipe.close()
    child.stdout.close()


def test_a_pool_with_relayed_pipes_loses_nothing(monkeypatch):
    monkeypatch.setattr(pipes, "RELAYED", True)
    faults = {2: ABORT, 5: EXIT, 9: HANG}
    jobs = [Job(i, 0, crystal(first=faults.get(i, 1), seed=i)) for i in range(30)]
    jobs.append(Job(30, 0, crystal(n=900)))  # longer than what a socket holds
    with Pool(spec(limit_s=2.0), workers=2) as pool:
        outcomes = run(pool, jobs, timeout_s=60.0)
    assert sorted(outcomes) == list(range(31))
    reasons = {key: outcomes.pop(key).reason for key in faults}
    assert reasons == {2: FailReason.CRASHED, 5: FailReason.CRASHED, 9: FailReason.TIMEOUT}
    assert all(isinstance(outcome, Relaxed) for outcome in outcomes.values())
    assert np.array_equal(outcomes[30].crystal.scaled, jobs[30].crystal.scaled)


def test_external_programs_are_refused_where_they_cannot_be_supervised(monkeypatch):
    preflight.check_system("vasp")
    monkeypatch.delattr(preflight.os, "killpg")
    with pytest.raises(InputError, match=r"'vasp'.*Windows Subsystem for Linux"):
        preflight.check_system("vasp")
