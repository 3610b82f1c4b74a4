"""Relaxers for tests that run in real worker processes: quick, and as bad as told.

The energy is a smooth function of the volume and the positions, so that equal crystals have equal
energies. A crystal misbehaves according to its first atom, whose number stands for a fault, or
according to its key.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np

from nucleate.crystal.crystal import Crystal
from nucleate.energy.level import LevelOfTheory
from nucleate.relax.outcome import Failed, FailReason, Relaxed

ABORT, HANG, NAN, FAIL, RAISE, EXIT = 90, 91, 92, 93, 94, 95
FAULTS = (ABORT, HANG, NAN, FAIL, RAISE, EXIT)


class ToyRelaxer:
    """Takes as many steps as the crystal has atoms; holds several at a time."""

    def __init__(self, slots=4, delay_s=0.0, busy_s=0.0, scale=1.0, name="toy", faults=None,
                 diary=None, visible=False):  # fmt: skip
        interpreter = os.environ.get("TOY_INTERPRETER", "default")
        self.level = LevelOfTheory(name, "1", "quadratic", settings=interpreter)
        if visible:
            card = os.environ.get("CUDA_VISIBLE_DEVICES", "")
            self.level = LevelOfTheory(name, "1", "quadratic", checkpoint=card)
        self._diary = diary
        self._slots, self._delay_s, self._scale = slots, delay_s, scale
        self._busy_s = busy_s
        self._faults = {int(key): fault for key, fault in (faults or {}).items()}
        self._jobs = {}

    def free_slots(self):
        return self._slots - len(self._jobs)

    def add(self, key, crystal):
        self._jobs[key] = [crystal, 0]

    def step(self):
        began = time.monotonic()
        time.sleep(self._delay_s)
        if self._diary:
            with Path(self._diary).open("a") as stream:
                stream.write(f"{os.getpid()} {began} {time.monotonic()}\n")
        ended = []
        for key, job in list(self._jobs.items()):
            crystal, steps = job
            fault = self._fault(key, crystal)
            _misbehave(fault)
            _compute(self._busy_s)
            job[1] = steps + 1
            if job[1] >= crystal.n_atoms:
                del self._jobs[key]
                ended.append((key, self._outcome(crystal, job[1], fault)))
        return ended

    def release(self):
        """Give up what is in flight, with the steps that were taken."""
        jobs, self._jobs = self._jobs, {}
        return [(key, {"crystal": job[0].to_dict(), "steps": job[1]}) for key, job in jobs.items()]

    def resume(self, key, unfinished):
        self._jobs[key] = [Crystal.from_dict(unfinished["crystal"]), unfinished["steps"]]

    def _fault(self, key, crystal):
        return self._faults.get(key, self._faults.get(-1, int(crystal.numbers[0])))

    def _outcome(self, crystal, steps, fault):
        if fault == FAIL:
            return Failed(FailReason.EXPLODED, "the toy was told to explode", crystal, 0.1)
        energy = self._scale * float(np.sin(crystal.positions).sum() + 0.01 * crystal.volume)
        if fault == NAN:
            energy = float("nan")
        return Relaxed(
            crystal=crystal,
            energy=energy,
            enthalpy=energy,
            forces=np.zeros((crystal.n_atoms, 3)),
            stress_gpa=np.zeros((3, 3)),
            max_force=0.0,
            max_stress_gpa=0.0,
            converged=True,
            steps=steps,
            evaluations=steps,
            wall_s=0.0,
            level=self.level,
        )


def _compute(busy_s):
    end = time.process_time() + busy_s
    while time.process_time() < end:
        pass


def _misbehave(fault):
    if fault == ABORT:
        os.abort()
    if fault == HANG:
        time.sleep(1000.0)
    if fault == RAISE:
        raise RuntimeError("the toy was told to raise")
    if fault == EXIT:
        os.write(1, b"last words on standard output\n")
        os._exit(3)


def build(tiers, *, pressure_gpa):
    """Return toys with the settings of the tiers; ``broken`` cannot be built."""
    for tier in tiers:
        if tier.get("broken"):
            raise RuntimeError("no such model")
    return [ToyRelaxer(**tier) for tier in tiers]
