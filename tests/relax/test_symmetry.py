"""Fixed symmetry: the start's space group, or one that contains it, at every step."""

from __future__ import annotations

import numpy as np
import pytest
from tests.relax.models import PairModel, pair_energy

from nucleate.crystal.crystal import Crystal
from nucleate.crystal.symmetry import space_group
from nucleate.relax.batched import BatchedRelaxer
from nucleate.relax.outcome import Relaxed
from nucleate.relax.settings import TierSettings


def rutile() -> Crystal:
    """Return argon on rutile's sites, in a cell that wants to change."""
    u = 0.30
    scaled = [
        [0, 0, 0], [0.5, 0.5, 0.5], [u, u, 0], [1 - u, 1 - u, 0],
        [0.5 + u, 0.5 - u, 0.5], [0.5 - u, 0.5 + u, 0.5],
    ]  # fmt: skip
    numbers = [18, 18, 36, 36, 36, 36]
    return Crystal(np.array(numbers), np.diag([4.9, 4.9, 3.1]), np.array(scaled))


def wurtzite() -> Crystal:
    """Return argon and krypton on wurtzite's sites."""
    a, c, u = 3.4, 5.2, 0.40
    cell = [[a, 0, 0], [-a / 2, a * np.sqrt(3) / 2, 0], [0, 0, c]]
    scaled = [[1 / 3, 2 / 3, 0], [2 / 3, 1 / 3, 0.5], [1 / 3, 2 / 3, u], [2 / 3, 1 / 3, 0.5 + u]]
    return Crystal(np.array([18, 18, 36, 36]), np.array(cell), np.array(scaled))


@pytest.mark.parametrize(("start", "groups"), [(rutile(), {136}), (wurtzite(), {186, 194})])
def test_the_group_is_kept_at_every_step(start: Crystal, groups: set[int]) -> None:
    assert space_group(start, 0.01)[0] in groups
    settings = {"fix_symmetry": True, "fmax": 0.01, "max_stress_gpa": 0.05}
    relaxer = BatchedRelaxer(PairModel(), TierSettings.model_validate(settings))
    relaxer.add(0, start)
    ended, steps = relaxer.step(), 1
    while not ended:
        ended = relaxer.step()
        steps += 1
        (flight,) = relaxer._flights or [None]
        if flight is not None:
            assert space_group(flight.crystal, 1e-3)[0] in groups
    ((_, outcome),) = ended
    assert isinstance(outcome, Relaxed)
    assert outcome.converged
    assert steps > 3
    assert space_group(outcome.crystal, 1e-3)[0] in groups
    assert abs(outcome.crystal.volume / start.volume - 1) > 0.01
    assert outcome.energy < pair_energy(start)[0]
