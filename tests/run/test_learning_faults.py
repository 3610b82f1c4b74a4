"""What once made a surrogate useless, or said something that was not so."""

from __future__ import annotations

import base64
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from tests.surrogate.conftest import group, made_up

import nucleate as nc
from nucleate.api.check import check
from nucleate.errors import InputError
from nucleate.relax.learned import Pupil
from nucleate.relax.settings import TierSettings
from nucleate.report.learned import Learned, LearnedFit, errors_of
from nucleate.run.executor import LESSON, Job
from nucleate.run.learning.lessons import NOTHING
from nucleate.run.learning.settings import tiers_with_surrogate, without_surrogate
from nucleate.run.pool import Pool
from nucleate.run.process import DEFAULT_STEP_LIMIT_S
from nucleate.surrogate.errors import Errors
from nucleate.surrogate.packing import pack
from nucleate.surrogate.surrogate import Surrogate


def test_energies_of_any_zero_are_learned_from() -> None:
    """Programs give total energies, far below the window of a machine-learned potential."""
    above = TierSettings.model_validate(
        {
            "name": "emt",
            "engine": {"kind": "ase", "calculator": "ase.calculators.emt:EMT"},
            "guards": {"energy_window_ev_per_atom": [-300.0, 200.0]},
        }
    )
    learned, *_ = tiers_with_surrogate([above])
    low, high = learned.guards.energy_window_ev_per_atom
    assert low < -1e6
    assert high > 1e6


def test_what_the_command_line_gives_counts_before_the_tier_of_the_file() -> None:
    tiers = [{"name": "surrogate", "learn_from": "file", "explore": 50}, {"name": "chgnet"}]
    data = without_surrogate({"surrogate": {"learn_from": "command"}, "tier": tiers})
    assert data["surrogate"] == {"learn_from": "command", "explore": 50, "on": True}


def test_the_reason_for_switching_off_is_the_true_one() -> None:
    fit = LearnedFit(3, 40, 100, 12.0, 0.9, 0.2, on=False, correlation=0.96, unphysical=0.8)
    assert "80% of its minima are unphysical" in Learned((fit,), {}, 1.0).in_words()
    worse = LearnedFit(3, 40, 100, 12.0, 0.9, 0.2, on=False, correlation=0.5)
    assert "correlation 0.50" in Learned((worse,), {}, 1.0).in_words()


def test_weights_of_other_elements_are_refused_before_anything_is_relaxed(
    tmp_path,
) -> None:
    made_up().save(tmp_path / "fit")
    data = {
        "problem": {"formula": "NaCl"},
        "search": {"known": "off"},
        "tier": [
            {"name": "fitted", "engine": {"kind": "surrogate", "file": str(tmp_path / "fit")}}
        ],
    }
    with pytest.raises(InputError, match=r"'fitted': the surrogate was made for .* not for Na, Cl"):
        nc.predict(data, folder=tmp_path / "run", display=False)
    assert not (tmp_path / "run" / "run.db").exists()


def test_a_surrogate_without_a_file_is_told_how_to_learn_one(tmp_path) -> None:
    with pytest.raises(InputError, match=r"name a fit .* give --learn"):
        nc.predict("CoAs2", model=["surrogate", "chgnet"], folder=tmp_path / "run", display=False)


def test_a_run_to_learn_from_is_checked_with_the_input(tmp_path) -> None:
    data = {
        "problem": {"formula": "NaCl"},
        "search": {"known": "off"},
        "surrogate": {"on": True, "learn_from": str(tmp_path / "none")},
    }
    with pytest.raises(InputError, match=r"surrogate\.learn_from"):
        check(data)


def test_the_errors_of_a_fit_are_those_on_what_came_after_it() -> None:
    """Each message holds the errors of the fit before, and the last fit has none yet."""
    errors = {
        1: Errors(5, 40.0, 0.3, 2.0),
        2: Errors(5, 30.0, 0.2, 1.0),
        4: Errors(5, 20.0, 0.2, 1.0),
    }
    fits = {number: replace(made_up(), errors=item) for number, item in errors.items()}
    assert errors_of(fits) == {1: errors[2], 2: errors[4]}


def test_damaged_frames_are_left_out_of_a_lesson() -> None:
    rng = np.random.default_rng(3)
    groups = [base64.b64encode(pack(group(rng))).decode() for _ in range(14)]
    pupil = Pupil([27, 33], "morse")
    groups[3] = groups[3][:40]
    found = pupil.learn([{"number": 1, "groups": groups}])
    assert found["refused"] >= 1
    assert Surrogate.from_bytes(base64.b64decode(found["model"])).n_groups == 13


def test_a_long_fit_is_no_hanging_worker() -> None:
    """A fit says nothing until it is made; a relaxation that is silent for as long hangs."""
    pool = object.__new__(Pool)
    pool._spec = SimpleNamespace(step_limits_s=(60.0, 60.0))

    def hangs(options, silent_s):
        jobs = {0: Job(0, 0, NOTHING, options=options)}
        worker = SimpleNamespace(
            is_ready=True, is_waiting=False, jobs=jobs, silent_s=lambda: silent_s
        )
        return pool._hangs(worker)

    assert hangs({}, 100.0)
    assert not hangs({LESSON: {}}, 100.0)
    assert hangs({LESSON: {}}, DEFAULT_STEP_LIMIT_S + 1.0)
