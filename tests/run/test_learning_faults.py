"""What once made a surrogate useless, or said something that was not so."""

from __future__ import annotations

import pytest

from nucleate.errors import InputError
from nucleate.relax.settings import TierSettings
from nucleate.report.learned import Learned, LearnedFit
from nucleate.run.learning.settings import tiers_with_surrogate, without_surrogate
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
    fit = LearnedFit(3, 40, 100, 12.0, 0.9, 0.2, on=False, ranks=0.96, unphysical=0.8)
    assert "80% of its minima are unphysical" in Learned((fit,), {}, 1.0).in_words()
    worse = LearnedFit(3, 40, 100, 12.0, 0.9, 0.2, on=False, ranks=0.5)
    assert "rank correlation 0.50" in Learned((worse,), {}, 1.0).in_words()


def test_weights_are_not_written_where_there_is_no_place(tmp_path, made_surrogate) -> None:
    for path in (tmp_path / "missing" / "weights", tmp_path):
        with pytest.raises(InputError, match=r"weights = .* Give a file in a folder that exists"):
            made_surrogate.save(path)


@pytest.fixture
def made_surrogate() -> Surrogate:
    import numpy as np

    from nucleate.surrogate.descriptors import Layout

    layout = Layout.of([27])
    return Surrogate(
        elements=layout.elements,
        weights=np.zeros(layout.n_columns),
        walls=np.ones((1, 1)),
        lowest=0.0,
        spread=np.zeros((1, layout.n_columns), dtype=np.float16),
        number=1,
        tier="chgnet",
        n_frames=30,
        n_groups=10,
    )
