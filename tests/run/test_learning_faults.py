"""What once made a surrogate useless, or said something that was not so."""

from __future__ import annotations

from types import SimpleNamespace

from nucleate.relax.settings import TierSettings
from nucleate.report.learned import Learned, LearnedFit
from nucleate.run.executor import LESSON, Job
from nucleate.run.learning.lessons import NOTHING
from nucleate.run.learning.settings import tiers_with_surrogate, without_surrogate
from nucleate.run.pool import Pool
from nucleate.run.process import DEFAULT_STEP_LIMIT_S


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
    fit = LearnedFit(3, 40, 100, 12.0, 0.9, 0.2, on=False, ranks=0.96, unphysical=0.8)
    assert "80% of its minima are unphysical" in Learned((fit,), {}, 1.0).in_words()
    worse = LearnedFit(3, 40, 100, 12.0, 0.9, 0.2, on=False, ranks=0.5)
    assert "rank correlation 0.50" in Learned((worse,), {}, 1.0).in_words()


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
