"""A target is found by its structure and its energy."""

from __future__ import annotations

import numpy as np
import pytest
from ase.build import bulk

from nucleate.crystal.candidate import Candidate, Origin
from nucleate.crystal.crystal import Crystal
from nucleate.energy.level import LevelOfTheory
from nucleate.relax.outcome import Relaxed
from nucleate.search.record import Record, TierOutcome
from nucleate.search.stop import Stop
from nucleate.search.target import NEAR_EV_PER_ATOM, Aim, Target

FCC = Crystal.from_ase(bulk("Cu", "fcc", a=3.6))
BCC = Crystal.from_ase(bulk("Cu", "bcc", a=2.87))


def record(number, crystal, energy, tier="emt"):
    """Return a record with this energy in eV/atom on a tier."""
    n = crystal.n_atoms
    outcome = Relaxed(
        crystal=crystal, energy=n * energy, enthalpy=n * energy, forces=np.zeros((n, 3)),
        stress_gpa=np.zeros((3, 3)), max_force=0.0, max_stress_gpa=0.0, converged=True, steps=1,
        evaluations=1, wall_s=0.0, level=LevelOfTheory("ase", "3", "EMT"),
    )  # fmt: skip
    return Record(number, Candidate(crystal, Origin("toy")), (TierOutcome(tier, outcome),))


@pytest.fixture
def target():
    return Target(FCC).with_aim(Aim("emt", -1.0, FCC))


def test_a_match_must_be_low_enough(target):
    rule = Stop(target=target)
    rule.note(record(0, FCC, -1.0 + NEAR_EV_PER_ATOM + 0.001))
    assert not rule.is_found
    rule.note(record(1, BCC, -1.5))
    assert not rule.is_found
    assert target.distance_in_words() == (
        "the target was not found: the closest match is 3.0 meV/atom above the relaxed target, "
        "and the lowest structure is 500.0 meV/atom below the relaxed target"
    )
    rule.note(record(2, FCC, -1.0 + NEAR_EV_PER_ATOM - 0.001))
    assert rule.is_found_by(2)


def test_a_lower_match_is_the_target(target):
    assert target.is_found(record(0, FCC, -1.2))


def test_energies_of_other_tiers_do_not_count(target):
    assert not target.is_found(record(0, FCC, -9.0, tier="spp"))
    assert target.distance_in_words() == ""


def test_nothing_that_matches_is_said(target):
    assert not target.is_found(record(0, BCC, -0.9))
    assert "nothing matches it, and the lowest structure is 100.0 meV/atom above" in (
        target.distance_in_words()
    )


def test_without_an_energy_the_match_decides():
    target = Target(FCC)
    assert target.is_found(record(0, FCC, 5.0, tier="any"))
    assert not target.is_found(record(1, BCC, -5.0))
    assert target.distance_in_words() == ""


def test_an_aim_survives_the_store():
    aim = Aim("emt", -1.0, FCC)
    again = Aim.from_data(aim.to_data())
    assert (again.tier, again.enthalpy) == ("emt", -1.0)
    assert np.array_equal(again.crystal.cell, FCC.cell)
