from __future__ import annotations

import numpy as np
import pytest
from tests.potentials.conftest import crystal_of, distorted_oxide
from tests.potentials.test_formats import LIBRARY

from nucleate.relax.outcome import Failed, FailReason, Relaxed
from nucleate.relax.settings import TierSettings, build_relaxer


@pytest.fixture
def field_file(tmp_path):
    path = tmp_path / "field.lib"
    path.write_text(LIBRARY)
    return path


def tier(path, **settings) -> TierSettings:
    return TierSettings(
        name="force-field", engine={"kind": "force-field", "file": str(path)}, **settings
    )


def test_force_field_tier_relaxes_and_keeps_its_unit(field_file):
    relaxer = build_relaxer(tier(field_file))
    for key in range(relaxer.free_slots()):
        relaxer.add(key, distorted_oxide(key))
    assert relaxer.free_slots() == 0
    outcomes = dict(relaxer.step())
    assert len(outcomes) == 4
    assert relaxer.step() == []
    for outcome in outcomes.values():
        assert isinstance(outcome, Relaxed)
        assert outcome.converged
        assert outcome.max_force < 1e-4
        assert outcome.level.unit == "eV"
        assert np.allclose(outcome.stress_gpa, 0.0, atol=1e-3)


def test_single_point_does_not_move(field_file):
    relaxer = build_relaxer(tier(field_file, relax=False))
    crystal = distorted_oxide(0)
    relaxer.add(7, crystal)
    ((key, outcome),) = relaxer.step()
    assert key == 7
    assert outcome.crystal is crystal
    assert outcome.energy < -100.0


def test_pressure_gives_the_enthalpy(field_file):
    relaxer = build_relaxer(tier(field_file), pressure_gpa=5.0)
    relaxer.add(0, distorted_oxide(0))
    ((_, outcome),) = relaxer.step()
    assert np.allclose(outcome.stress_gpa, -5.0 * np.eye(3), atol=1e-3)
    volume = outcome.crystal.volume
    assert outcome.enthalpy == pytest.approx(outcome.energy + 5.0 / 160.21766208 * volume)


def test_an_overlap_is_a_value_and_is_pushed_apart_where_the_tier_says_so(field_file):
    overlap = crystal_of(["Sr", "O"], 9.0 * np.eye(3), np.array([[0, 0, 0], [0.02, 0, 0]]))
    near = crystal_of(["Sr", "O"], 9.0 * np.eye(3), np.array([[0, 0, 0], [0.05, 0, 0]]))
    relaxer = build_relaxer(tier(field_file, pre_relax=False))
    relaxer.add(0, overlap)
    relaxer.add(1, near)
    outcomes = dict(relaxer.step())
    assert outcomes[0].reason is FailReason.TOO_CLOSE
    assert "0.18 Å" in outcomes[0].message
    assert outcomes[1].reason is FailReason.COLLAPSED
    assert "0.5 Å" in outcomes[1].message
    relaxer = build_relaxer(tier(field_file))
    relaxer.add(0, overlap)
    ((_, outcome),) = relaxer.step()
    assert isinstance(outcome, Relaxed)


def test_unknown_elements_fail_by_themselves(field_file):
    relaxer = build_relaxer(tier(field_file))
    relaxer.add(0, crystal_of(["Ba", "O"], 4.0 * np.eye(3), np.array([[0, 0, 0], [0.5] * 3])))
    relaxer.add(1, distorted_oxide(0))
    outcomes = dict(relaxer.step())
    assert outcomes[0].reason is FailReason.INVALID
    assert "Ba-O" in outcomes[0].message
    assert isinstance(outcomes[1], Relaxed)


def test_spp_tier_has_arbitrary_units():
    relaxer = build_relaxer(TierSettings(name="spp", engine={"kind": "spp"}))
    relaxer.add(0, distorted_oxide(0))
    ((_, outcome),) = relaxer.step()
    assert isinstance(outcome, Relaxed)
    assert outcome.converged
    assert outcome.level.unit == "arbitrary"


@pytest.mark.parametrize("engine", ["spp", "force-field"])
def test_what_no_model_should_see_is_refused_as_everywhere(engine, field_file):
    tiers = {
        "spp": TierSettings(name="spp", engine={"kind": "spp"}, pre_relax=False),
        "force-field": tier(field_file, pre_relax=False),
    }
    relaxer = build_relaxer(tiers[engine])
    pair = np.array([[0, 0, 0], [0.5] * 3])
    cases = [
        (crystal_of(["Sr", "O"], 60.0 * np.eye(3), pair), FailReason.ISOLATED_ATOM),
        (crystal_of(["Sr", "O"], 5.0 * np.eye(3), np.zeros((2, 3))), FailReason.TOO_CLOSE),
        (crystal_of([], 5.0 * np.eye(3), np.zeros((0, 3))), FailReason.INVALID),
        (crystal_of(["Sr", "O"], np.ones((3, 3)), pair), FailReason.INVALID),
        (crystal_of(["Sr", "O"], 5.0 * np.eye(3), np.nan * pair), FailReason.INVALID),
    ]
    for key, (crystal, _) in enumerate(cases):
        relaxer.add(key, crystal)
    outcomes = dict(relaxer.step())
    for key, (_, reason) in enumerate(cases):
        assert isinstance(outcomes[key], Failed)
        assert outcomes[key].reason is reason
