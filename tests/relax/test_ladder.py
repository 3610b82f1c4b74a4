"""Who climbs the ladder, and how crystals of different tiers are ranked."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from tests.relax.models import PairModel, argon

from nucleate.errors import InputError
from nucleate.relax.batched import BatchedRelaxer
from nucleate.relax.ladder import Ladder
from nucleate.relax.outcome import Failed, FailReason, Outcome, Relaxed
from nucleate.relax.series import relax_all
from nucleate.relax.settings import TierSettings


@dataclass(frozen=True)
class Step:
    tier: str
    outcome: Outcome


def at(enthalpy_per_atom: float) -> Relaxed:
    relaxer = BatchedRelaxer(PairModel(), TierSettings(relax=False))
    ((_, outcome),) = relax_all(relaxer, [(0, argon(2, 0))])
    assert isinstance(outcome, Relaxed)
    return replace(outcome, enthalpy=2 * enthalpy_per_atom)


def ladder(**promote: object) -> Ladder:
    return Ladder(
        [
            TierSettings.model_validate({"name": "cheap", "promote": promote}),
            TierSettings.model_validate({"name": "dear"}),
        ]
    )


def climbs(steps: Ladder, enthalpy: float) -> bool:
    outcome = at(enthalpy)
    steps.note("cheap", outcome)
    return steps.next_tier([Step("cheap", outcome)]) == 1


def test_every_crystal_starts_at_the_bottom_and_ends_at_the_top() -> None:
    steps = ladder()
    assert steps.next_tier([]) == 0
    assert climbs(steps, -1.0)
    assert steps.next_tier([Step("cheap", at(-1.0)), Step("dear", at(-7.0))]) is None


def test_a_failure_ends_the_climb() -> None:
    failed = Failed(FailReason.EXPLODED, "gone")
    steps = ladder()
    steps.note("cheap", failed)
    assert steps.next_tier([Step("cheap", failed)]) is None
    assert np.isinf(steps.best("cheap"))


def test_a_window_lets_pass_what_is_near_the_best_so_far() -> None:
    steps = ladder(within_ev_per_atom=0.1)
    assert climbs(steps, -1.0)
    assert climbs(steps, -0.9001)
    assert not climbs(steps, -0.89)
    assert climbs(steps, -1.5)
    assert not climbs(steps, -1.0)


def test_a_number_lets_pass_the_best_ones() -> None:
    steps = ladder(best=2)
    assert climbs(steps, -1.0)
    assert climbs(steps, -0.5)
    assert not climbs(steps, -0.4)
    assert climbs(steps, -2.0)
    assert not climbs(steps, -0.9)


def test_a_fraction_grows_with_what_was_seen() -> None:
    steps = ladder(fraction=0.25)
    passed = [climbs(steps, enthalpy) for enthalpy in (-1.0, -0.9, -0.8, -0.7, -0.95, -1.1)]
    assert passed == [True, False, False, False, True, True]


def test_all_limits_must_hold() -> None:
    steps = ladder(best=5, within_ev_per_atom=0.1)
    assert climbs(steps, -1.0)
    assert not climbs(steps, -0.5)


@pytest.mark.parametrize("names", [[], ["a", "a"]])
def test_a_ladder_needs_tiers_with_names_of_their_own(names: list[str]) -> None:
    with pytest.raises(InputError, match="tier"):
        Ladder([TierSettings(name=name) for name in names])
