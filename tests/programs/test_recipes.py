"""Recipes of stages on a fake VASP that computes, hangs, crashes and writes nonsense."""

from __future__ import annotations

import sys
import uuid
from collections import Counter

import numpy as np
import pytest
from pydantic import ValidationError
from tests.programs.fakes import A0, fake_vasp, living_with, potentials

from nucleate.crystal.crystal import Crystal
from nucleate.programs.settings import Stage
from nucleate.relax.outcome import Failed, FailReason, Relaxed
from nucleate.relax.series import relax_all
from nucleate.relax.settings import TierSettings, build_relaxer
from nucleate.renamed import RenamedKeyWarning

ROCK_SALT = ([12] * 4 + [8] * 4, np.array([[0, 0, 0], [0, 2, 2], [2, 0, 2], [2, 2, 0]]) / 4)


def rock_salt(a):
    numbers, metal = ROCK_SALT
    scaled = np.concatenate([metal, (metal + 0.5) % 1.0])
    return Crystal(np.array(numbers), np.eye(3) * a, scaled)


@pytest.fixture
def tier(tmp_path):
    """Return settings of a tier on the fake VASP."""
    program = fake_vasp(tmp_path)
    folder = potentials(tmp_path / "potpaw_PBE", {"Mg": 200.0, "O": 400.0})
    scratch = tmp_path / "scratch"

    def make(mode="ok", *, environment=None, engine=None, **values):
        settings = {
            "kind": "vasp",
            "command": str(program),
            "potentials": str(folder),
            "setups": {"base": "minimal"},
            "scratch": str(scratch),
            "environment": {"FAKE_MODE": mode, **(environment or {})},
            **(engine or {}),
        }
        return TierSettings.model_validate({"name": "dft", "engine": settings, **values})

    make.scratch = scratch
    make.log = tmp_path / "log"
    return make


def outcome_of(tier, a=4.4, **options):
    ((_, outcome),) = relax_all(build_relaxer(tier, **options), [(0, rock_salt(a))])
    return outcome


def test_the_paper_recipe_goes_from_stage_to_stage(tier):
    outcome = outcome_of(tier(environment={"FAKE_LOG": str(tier.log)}))
    assert isinstance(outcome, Relaxed)
    assert outcome.converged
    assert outcome.crystal.cell[0, 0] == pytest.approx(A0, abs=0.01)
    assert outcome.energy == pytest.approx(-24.0, abs=1e-3)
    assert outcome.level.model == "PBE"
    starts = [line.split() for line in tier.log.read_text().splitlines()]
    assert [int(row[1]) for row in starts] == [100, 50, 10, 10, 50]
    assert [float(row[2]) for row in starts] == [0.5, 0.5, 0.3, 0.3, 0.3]
    assert float(starts[0][0]) == pytest.approx(4.4)
    assert float(starts[1][0]) == pytest.approx(A0, abs=0.01)
    assert len({row[3] for row in starts}) == 5
    assert list(tier.scratch.iterdir()) == []


def test_forces_come_back_in_the_order_of_the_crystal(tier):
    outcome = outcome_of(tier(relax=False), a=4.3)
    assert isinstance(outcome, Relaxed)
    assert outcome.crystal.numbers.tolist() == ROCK_SALT[0]
    np.testing.assert_allclose(outcome.crystal.scaled, rock_salt(4.3).scaled, atol=1e-7)
    assert outcome.steps == 0
    assert outcome.stress_gpa[0, 0] == pytest.approx(4 * 0.1 / (3 * 4.3**2) * 160.2176634, rel=1e-5)
    assert outcome.note == "single point"


def test_pressure_is_in_the_enthalpy_only(tier):
    outcome = outcome_of(tier(relax=False), a=4.3, pressure_gpa=10.0)
    assert isinstance(outcome, Relaxed)
    assert outcome.energy == pytest.approx(2.0 * 0.1**2 - 24.0, abs=1e-6)
    assert outcome.enthalpy - outcome.energy == pytest.approx(10.0 / 160.2176634 * 4.3**3)


@pytest.mark.parametrize(
    ("mode", "reason", "words"),
    [
        ("abort", FailReason.CRASHED, ["SIGABRT", "VERY BAD NEWS"]),
        ("garbage", FailReason.UNREADABLE, ["stage 1"]),
        ("silent", FailReason.UNREADABLE, ["vasprun.xml", "wrote nothing"]),
        ("scf", FailReason.NOT_CONVERGED, ["electrons"]),
        ("nan", FailReason.NOT_FINITE, ["not finite"]),
    ],
)
def test_each_way_to_fail_has_its_reason(tier, mode, reason, words):
    outcome = outcome_of(tier(mode))
    assert isinstance(outcome, Failed)
    assert outcome.reason is reason
    for word in words:
        assert word in outcome.message
    assert list(tier.scratch.iterdir()) == []


def test_a_hang_ends_at_the_limit(tier):
    outcome = outcome_of(tier("hang", wall_s=1.0))
    assert isinstance(outcome, Failed)
    assert outcome.reason is FailReason.TIMEOUT
    assert "entering main loop" in outcome.message
    assert outcome.last is not None


def test_a_killed_stage_goes_on_from_its_last_geometry(tier, tmp_path):
    mark = {"FAKE_MARK": str(tmp_path / "mark"), "FAKE_LOG": str(tier.log)}
    outcome = outcome_of(tier("slow-once", environment=mark, engine={"wall_s": 2.0}))
    assert isinstance(outcome, Relaxed)
    assert outcome.converged
    assert len(tier.log.read_text().splitlines()) == 6


def test_running_out_of_time_in_the_last_stage_keeps_what_is_readable(tier):
    stage = [{"relax": "cell", "max_steps": 5}]
    outcome = outcome_of(tier("slow", engine={"stage": stage}, wall_s=1.5))
    assert isinstance(outcome, Relaxed)
    assert not outcome.converged
    assert "killed after" in outcome.note
    early = outcome_of(tier("slow", wall_s=1.5))
    assert isinstance(early, Failed)
    assert early.reason is FailReason.TIMEOUT


def test_a_program_that_vanishes_is_named(tier, tmp_path):
    relaxer = build_relaxer(tier())
    (tmp_path / "vasp_std").unlink()
    ((_, outcome),) = relax_all(relaxer, [(0, rock_salt(4.4))])
    assert isinstance(outcome, Failed)
    assert outcome.reason is FailReason.MISSING_PROGRAM


def test_running_out_of_steps_is_not_converged(tier):
    stage = [{"relax": "cell", "max_steps": 2}]
    outcome = outcome_of(tier(engine={"stage": stage}), a=4.8)
    assert isinstance(outcome, Relaxed)
    assert not outcome.converged
    assert outcome.note == "not converged after 2 steps"


def test_refused_crystals_start_no_program(tier):
    relaxer = build_relaxer(tier(environment={"FAKE_LOG": str(tier.log)}))
    far = Crystal(np.array([12]), np.eye(3) * 20.0, np.zeros((1, 3)))
    ((_, outcome),) = relax_all(relaxer, [(0, far)])
    assert isinstance(outcome, Failed)
    assert outcome.reason is FailReason.ISOLATED_ATOM
    assert not tier.log.exists()


@pytest.mark.parametrize("engine", [{"kind": "spp"}, {"kind": "gulp"}])
@pytest.mark.parametrize("key", [{"fix_symmetry": True}])
def test_what_only_the_own_optimiser_can_is_refused(engine, key):
    with pytest.raises(ValidationError, match=f"{next(iter(key))} is not for engine"):
        TierSettings.model_validate({"name": "dear", "engine": engine, **key})


def test_wall_limit_of_external_programs_is_a_day(tier):
    assert tier().wall_s == 86400.0
    assert tier(wall_s=5.0).wall_s == 5.0
    assert TierSettings().wall_s == 600.0


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_forty_calls_of_which_twelve_fail(tier):
    """4 hang with a daemon child, 4 abort, 4 write garbage; nothing stays behind."""
    word = f"mark-{uuid.uuid4().hex}"
    settings = tier(
        "by-lattice",
        environment={"MARK": word},
        engine={"stage": [{"relax": "none"}], "restarts": 0},
        wall_s=4.0,
        slots=8,
        relax=False,
    )
    crystals = [(k, rock_salt(4.0 + 0.001 * k)) for k in range(40)]
    outcomes = dict(relax_all(build_relaxer(settings), crystals))
    reasons = Counter(
        outcome.reason if isinstance(outcome, Failed) else None for outcome in outcomes.values()
    )
    assert reasons == {
        None: 28,
        FailReason.TIMEOUT: 4,
        FailReason.CRASHED: 4,
        FailReason.UNREADABLE: 4,
    }
    for k, outcome in outcomes.items():
        if isinstance(outcome, Relaxed):
            assert outcome.energy == pytest.approx(2.0 * (0.001 * k - 0.2) ** 2 - 24.0, abs=1e-6)
    assert living_with(word) == []
    assert list(tier.scratch.iterdir()) == []


def test_the_old_key_of_a_stage_is_accepted_with_a_warning():
    with pytest.warns(RenamedKeyWarning, match="fmax is now called fmax_ev_per_ang"):
        stage = Stage.model_validate({"fmax": 0.1})
    assert stage.fmax_ev_per_ang == 0.1
