"""A search on scripted energies: distinct crystals from a generator that counts."""

from __future__ import annotations

import numpy as np

from nucleate.crystal.candidate import Candidate, Origin
from nucleate.crystal.composition import Composition
from nucleate.crystal.crystal import Crystal
from nucleate.crystal.space import SearchSpace
from nucleate.energy.level import LevelOfTheory
from nucleate.relax.outcome import Failed, FailReason, Relaxed
from nucleate.search.context import SearchContext
from nucleate.search.kinds.basin_hopping import BasinHopping
from nucleate.search.kinds.lowest_minima import LowestMinima
from nucleate.search.record import Record, TierOutcome

SPACE = SearchSpace.create(Composition.from_formula("NaCl"), max_atoms=8, contact_scale=0.3)


class RandomPairs:
    """NaCl in random cells: no two alike."""

    name = "pairs"

    def note(self, origin):
        pass

    def generate(self, *, rng, max_formula_units=None):
        edges = rng.uniform(3.0, 6.0, 3)
        place = rng.uniform(0.35, 0.65, 3)
        crystal = Crystal([11, 17], np.diag(edges), [[0, 0, 0], place])
        return Candidate(crystal, Origin(self.name))


class OneCrystal:
    """The same crystal again and again."""

    name = "one"

    def note(self, origin):
        pass

    def generate(self, *, rng, max_formula_units=None):
        crystal = Crystal([11, 17], np.eye(3) * 4.0, [[0, 0, 0], [0.5, 0.5, 0.5]])
        return Candidate(crystal, Origin(self.name))


def search(generator=None, *, tiers=("toy",), space=SPACE, kind=BasinHopping, **settings):
    values = {"population": 1, "new_fraction": 1.0, **settings}
    if issubclass(kind, BasinHopping):
        values.setdefault("walkers", 1)
    return kind(**values).build(SearchContext(space, generator or RandomPairs(), tiers=tiers))


__all__ = ["BasinHopping", "LowestMinima"]


def relaxed(crystal, per_atom, tier="toy"):
    n = crystal.n_atoms
    return Relaxed(
        crystal=crystal,
        energy=per_atom * n,
        enthalpy=per_atom * n,
        forces=np.zeros((n, 3)),
        stress_gpa=np.zeros((3, 3)),
        max_force=0.0,
        max_stress_gpa=0.0,
        converged=True,
        steps=1,
        evaluations=1,
        wall_s=0.0,
        level=LevelOfTheory(tier, "1", "scripted"),
    )


def record_of(trial, *energies, tiers=("toy",), crystal=None):
    """Return the record of a trial with an energy (eV/atom) or None (failed) for each tier."""
    shape = crystal or trial.candidate.crystal
    outcomes = tuple(
        TierOutcome(
            tier,
            Failed(FailReason.EXPLODED, "scripted")
            if energy is None
            else relaxed(shape, energy, tier),
        )
        for tier, energy in zip(tiers, energies, strict=False)
    )
    return Record(trial.number, trial.candidate, outcomes, trial.duplicate_of)


def play(walk, *energies):
    """Ask and tell one scripted energy after the other; return the verdicts."""
    return [walk.tell(record_of(walk.ask(), energy)) for energy in energies]
