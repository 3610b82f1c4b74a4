"""Stores of runs with energies that are given, for tests that need no model."""

from __future__ import annotations

import numpy as np

from nucleate.benchmark.matrix import Cell
from nucleate.crystal.candidate import Candidate, Origin
from nucleate.crystal.crystal import Crystal
from nucleate.energy.level import LevelOfTheory
from nucleate.relax.outcome import Failed, FailReason, Relaxed
from nucleate.run.store import Store
from nucleate.search.record import Record, SearchUpdate, TierOutcome

LEVEL = LevelOfTheory("toy", "1", "none")
TIER = {"name": "chgnet", "engine": {"kind": "chgnet"}}


def manganese(edge=2.7, shift=0.0):
    """Return body-centred Mn; a shift of the second atom makes it another structure."""
    scaled = np.array([[0.0, 0.0, 0.0], [0.5, 0.5, 0.5 + shift]])
    return Crystal(np.array([25, 25]), np.eye(3) * edge, scaled)


def relaxed(crystal, energy_ev_per_atom, evaluations=1):
    energy = energy_ev_per_atom * crystal.n_atoms
    return Relaxed(
        crystal=crystal,
        energy=energy,
        enthalpy=energy,
        forces=np.zeros((crystal.n_atoms, 3)),
        stress_gpa=np.zeros((3, 3)),
        max_force=0.0,
        max_stress_gpa=0.0,
        converged=True,
        steps=1,
        evaluations=evaluations,
        wall_s=0.1,
        level=LEVEL,
    )


def write_run(out, cell, energies, *, core_s=None, crystals=None, prepared_s=0.0, population=2,
              reason="the core time is spent", budget_s=100.0, evaluations=None):  # fmt: skip
    """Write a run whose records have these energies in eV/atom; None is a failure.

    Record k is finished at ``prepared_s + k + 1`` core seconds.
    """
    folder = cell.folder(out)
    folder.mkdir(parents=True)
    meta = {
        "input": {
            "search": {"population": population},
            "tier": [TIER],
            "stop": {"core_time": budget_s},
        },
        "formula": cell.compound,
        "seed": cell.seed,
    }
    with Store.create(folder, meta) as store:
        store.add_event(0.0, "start", {"core_s": prepared_s})
        for number, energy in enumerate(energies):
            crystal = manganese(shift=0.02 * number) if crystals is None else crystals[number]
            candidate = Candidate(crystal, Origin("blocks" if number < population else "move:x"))
            outcome = (
                Failed(FailReason.EXPLODED, "gone")
                if energy is None
                else relaxed(crystal, energy, 1 if evaluations is None else evaluations[number])
            )
            record = Record(
                number,
                candidate,
                (TierOutcome("chgnet", outcome),),
                core_s=prepared_s + number + 1.0,
            )
            store.add_candidate(number, candidate)
            store.add_outcome(number, 0, "chgnet", outcome)
            store.add_record(record, SearchUpdate())
        if reason is not None:
            end = prepared_s + len(energies) if core_s is None else core_s
            store.add_event(9.0, "stop", {"reason": reason, "core_s": end})
        store.commit()
    return folder


def cell(experiment="fgen", seed=1, compound="Mn"):
    return Cell(compound, experiment, seed)
