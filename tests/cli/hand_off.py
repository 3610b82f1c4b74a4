"""Runs to hand off, and what a user does with the folders."""

from __future__ import annotations

import json
import os
import subprocess

import numpy as np
from ase.build import bulk

from nucleate.crystal.candidate import Candidate, Origin
from nucleate.crystal.crystal import Crystal
from nucleate.energy.level import LevelOfTheory
from nucleate.relax.outcome import Relaxed
from nucleate.run.folder import description
from nucleate.run.settings import RunSettings
from nucleate.run.store import Store
from nucleate.search.record import Record, SearchUpdate

SHAPES = {
    "rocksalt": (bulk("MgO", "rocksalt", a=4.4, cubic=True), -6.0),
    "zincblende": (bulk("MgO", "zincblende", a=4.7, cubic=True), -5.8),
    "cesiumchloride": (bulk("MgO", "cesiumchloride", a=2.75), -5.7),
}


def make_run(folder, seed=1, formula="MgO", found=None):
    """Write the store of a search that found crystals with energies in eV/atom, best first."""
    folder.mkdir()
    settings = RunSettings.from_dict({"problem": {"formula": formula}, "search": {"seed": seed}})
    if found is None:
        found = [(Crystal.from_ase(atoms), energy) for atoms, energy in SHAPES.values()]
    with Store.create(folder, description(settings)) as store:
        for number, (crystal, energy) in enumerate(found):
            candidate = Candidate(crystal, Origin("symmetric"))
            total = energy * crystal.n_atoms
            outcome = Relaxed(
                crystal, total, total, np.zeros((crystal.n_atoms, 3)), np.zeros((3, 3)), 0.0, 0.0,
                True, 3, 4, 0.1, LevelOfTheory("chgnet", "0", "CHGNet"),
            )  # fmt: skip
            store.add_candidate(number, candidate)
            store.add_outcome(number, 0, "chgnet", outcome)
            store.add_record(Record(number, candidate), SearchUpdate(best=0))
        store.commit()
    return folder


def submit(folder, **environment):
    """Run the script of a folder as a user would, from somewhere else."""
    variables = dict(os.environ, **environment)
    done = subprocess.run(
        ["sh", str(folder.resolve() / "run.sh")],
        cwd="/",
        env=variables,
        capture_output=True,
        text=True,
    )
    assert not done.stderr, done.stderr
    return (folder / "output").read_text() if (folder / "output").is_file() else ""


def folders(out):
    return {json.loads((path / "nucleate.json").read_text())["record"]: path
            for path in sorted(out.iterdir()) if path.is_dir()}  # fmt: skip
