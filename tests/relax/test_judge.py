"""One judge for every path: the same guards, limits and criteria, and nothing silently ignored."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.relax.models import PairModel, argon

from nucleate.crystal.crystal import Crystal
from nucleate.energy.level import LevelOfTheory
from nucleate.energy.model import Batch, Evaluation
from nucleate.relax.batched import BatchedRelaxer
from nucleate.relax.judge import EngineFacts, Point, Step, judge, start
from nucleate.relax.outcome import Failed, FailReason, Outcome, Relaxed
from nucleate.relax.series import relax_all
from nucleate.relax.settings import TierSettings, build_relaxer
from nucleate.renamed import RenamedKeyWarning

FACTS = EngineFacts(LevelOfTheory("test", "1", "none"), frozenset({18, 36}), cutoff=6.0)


def rock_salt(edge: float = 4.21, scale: float = 1.0) -> Crystal:
    """Return MgO in its conventional cell."""
    half = np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
    scaled = np.concatenate([half, half + 0.5])
    return Crystal(np.repeat([12, 8], 4), edge * scale * np.eye(3), scaled)


def spp(**keys: Any) -> TierSettings:
    return TierSettings.model_validate({"name": "spp", "engine": {"kind": "spp"}, **keys})


def outcomes_of(tier: TierSettings, crystals: list[Crystal]) -> list[Outcome]:
    found = dict(relax_all(build_relaxer(tier), enumerate(crystals)))
    return [found[key] for key in range(len(crystals))]


def bent(seed: int) -> Crystal:
    rng = np.random.default_rng(seed)
    crystal = rock_salt()
    return crystal.replace(
        cell=crystal.cell @ (np.eye(3) + 0.05 * rng.normal(size=(3, 3))),
        scaled=crystal.scaled + 0.02 * rng.normal(size=(8, 3)),
    )


SIX = [bent(seed) for seed in range(6)]


@pytest.mark.filterwarnings("ignore::nucleate.renamed.RenamedKeyWarning")
def test_a_proxy_tier_with_limits_that_nothing_can_meet_fails_six_of_six() -> None:
    guards = {"max_atoms": 1, "shortest_distance": 5, "volume_ratio": [0.999, 1.001]}
    found = outcomes_of(spp(max_steps=1, wall_s=1e-6, guards=guards), SIX)
    assert all(isinstance(outcome, Failed) for outcome in found)
    assert {outcome.reason for outcome in found} == {FailReason.TOO_LARGE}
    assert all("max_atoms" in outcome.message for outcome in found)


@pytest.mark.parametrize(
    ("guards", "reasons"),
    [
        ({"max_atoms": 1}, {FailReason.TOO_LARGE}),
        ({"shortest_distance_ang": 5}, {FailReason.TOO_CLOSE}),
        ({"volume_ratio": [0.999, 1.001]}, {FailReason.COLLAPSED, FailReason.EXPLODED}),
        ({"shortest_contact": 0.999}, {FailReason.COLLAPSED}),
        ({"max_force_ev_per_ang": 1e-12}, {FailReason.EXPLODED}),
    ],
)
def test_each_guard_holds_by_itself_for_the_classical_path(
    guards: dict[str, Any], reasons: set[FailReason]
) -> None:
    crystals = SIX
    if "shortest_contact" in guards:
        crystals = [bent(seed).replace(cell=0.88 * bent(seed).cell) for seed in range(6)]
    found = outcomes_of(spp(guards=guards, relax_cell="volume_ratio" in guards), crystals)
    failures = [outcome for outcome in found if isinstance(outcome, Failed)]
    assert {failure.reason for failure in failures} <= reasons
    assert len(failures) >= 5


@pytest.mark.parametrize(
    ("limit", "words"), [({"max_steps": 3}, "3 evaluations"), ({"wall_s": 1e-6}, "1e-0|0.00|s")]
)
def test_limits_end_a_classical_relaxation_with_a_note(limit: dict[str, Any], words: str) -> None:
    for outcome in outcomes_of(spp(fmax_ev_per_ang=1e-6, **limit), SIX):
        assert isinstance(outcome, Relaxed)
        assert not outcome.converged
        assert "not converged" in outcome.note
        assert outcome.evaluations <= 65
        if "max_steps" in limit:
            assert outcome.evaluations == 3
            assert words in outcome.note


def test_the_proxy_tier_is_converged_only_where_its_criteria_are_met() -> None:
    for outcome in outcomes_of(spp(fmax_ev_per_ang=0.02, max_stress_gpa=0.3), SIX):
        assert isinstance(outcome, Relaxed)
        assert outcome.converged
        assert outcome.max_force <= 0.02
        assert outcome.max_stress_gpa <= 0.3


@pytest.mark.parametrize(
    "crystal",
    [rock_salt(scale=0.1), rock_salt(scale=2.4e5), rock_salt(scale=3.0).replace(
        cell=np.diag([4.0, 4.0, 1e6]))],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["spp", "chgnet", "lammps"])
def test_absurd_cells_are_refused_in_milliseconds_on_every_path(
    kind: str, crystal: Crystal
) -> None:
    more = {"command": "true", "elements": ["Mg", "O"], "potential": ["pair_style zero 5.0"]}
    engine = {"kind": kind, **(more if kind == "lammps" else {})}
    tier = TierSettings.model_validate({"engine": engine})
    if kind == "chgnet":
        model = PairModel()
        model.elements = frozenset({8, 12})
        relaxer: Any = BatchedRelaxer(model, tier)
    else:
        relaxer = build_relaxer(tier)
    relaxer.add(0, rock_salt(scale=0.1))  # compiles
    relaxer.step()
    began = time.process_time()
    relaxer.add(1, crystal)
    ((_, outcome),) = relaxer.step()
    assert time.process_time() - began < 0.05
    assert isinstance(outcome, Failed)
    assert "dense" in outcome.message or "dilute" in outcome.message


@settings(max_examples=60, deadline=None)
@given(
    numbers=st.lists(st.integers(-2, 130), min_size=0, max_size=5),
    cell=st.lists(st.floats(allow_nan=True, allow_infinity=True, width=32), min_size=9, max_size=9),
    seed=st.integers(0, 99),
)
def test_whatever_comes_is_refused_or_safe(
    numbers: list[int], cell: list[float], seed: int
) -> None:
    scaled = np.random.default_rng(seed).random((len(numbers), 3))
    crystal = Crystal(np.array(numbers, dtype=int), np.reshape(cell, (3, 3)), scaled)
    began = time.process_time()
    answer = start(TierSettings(), crystal, FACTS)
    assert time.process_time() - began < 1.0
    if answer is None:
        assert set(numbers) <= {18, 36}
        assert 1.0 < crystal.volume_per_atom < 1e5
    else:
        assert answer.message


@pytest.mark.parametrize(
    ("kind", "keys", "name"),
    [
        ("spp", {"fix_symmetry": True}, "fix_symmetry"),
        ("spp", {"guards": {"energy_window_ev_per_atom": [-5, 5]}}, "energy_window_ev_per_atom"),
        ("spp", {"guards": {"max_depth_ev_per_atom": 1}}, "max_depth_ev_per_atom"),
        ("espresso", {"guards": {"energy_window_ev_per_atom": [-5, 5]}}, "energy_window"),
        ("vasp", {"fix_symmetry": True}, "fix_symmetry"),
        ("vasp", {"guards": {"max_depth_ev_per_atom": 1}}, "max_depth_ev_per_atom"),
    ],
)
def test_a_key_that_an_engine_cannot_honour_is_refused_by_name(
    kind: str, keys: dict[str, Any], name: str
) -> None:
    with pytest.raises(ValueError, match=f"{name}.*{kind}.*Remove it"):
        TierSettings.model_validate({"name": "t", "engine": {"kind": kind}, **keys})


@pytest.mark.parametrize("kind", ["spp", "chgnet", "vasp", "espresso", "gulp"])
def test_a_tier_survives_being_written_out_whole(kind: str) -> None:
    tier = TierSettings.model_validate({"engine": {"kind": kind}})
    assert TierSettings.model_validate(tier.model_dump(mode="json")) == tier
    assert tier.max_steps == (3000 if kind == "spp" else 500)
    assert tier.wall_s == (600.0 if kind in ("spp", "chgnet") else 86400.0)


def test_old_names_are_read_with_a_warning_that_gives_the_new_one() -> None:
    with pytest.warns(RenamedKeyWarning, match="fmax_ev_per_ang"):
        tier = TierSettings.model_validate({"fmax": 0.2})
    assert tier.fmax_ev_per_ang == 0.2
    with pytest.raises(ValueError, match="remove fmax"):
        TierSettings.model_validate({"fmax": 0.2, "fmax_ev_per_ang": 0.1})


class Careless(PairModel):
    """A model that breaks its contract in one component."""

    def __init__(self, **components: Any) -> None:
        super().__init__()
        self.components = components

    def evaluate(self, batch: Batch) -> Evaluation:
        good = super().evaluate(batch)
        parts = {name: getattr(good, name) for name in ("energies", "forces", "stresses")}
        for name, change in self.components.items():
            parts[name] = change(parts[name])
        return Evaluation(**parts)


@pytest.mark.parametrize(
    ("component", "change", "words"),
    [
        ("forces", lambda f: np.concatenate([f, f]), r"forces of shape \(8, 3\)"),
        ("forces", lambda f: f * (1 + 1e-3j), "forces of type complex128"),
        ("forces", lambda f: f.astype(object), "forces of type object"),
        ("forces", lambda f: f[:-1], r"forces of shape \(3, 3\)"),
        ("energies", lambda e: e[:, None], r"energies of shape \(1, 1\)"),
        ("energies", lambda e: None, "no energies"),
        ("stresses", lambda s: s[:, 0], r"stresses of shape \(1, 3\)"),
        ("stresses", lambda s: s * np.nan, "not finite: stress"),
        ("forces", lambda f: f * np.inf, "not finite: forces"),
        ("energies", lambda e: e * np.nan, "not finite: energy"),
    ],
)
def test_a_broken_contract_is_named_and_never_cut_to_fit(
    component: str, change: Any, words: str
) -> None:
    relaxer = BatchedRelaxer(Careless(**{component: change}), TierSettings())
    ((_, outcome),) = relax_all(relaxer, [(0, argon(4, 0))])
    assert isinstance(outcome, Failed)
    with pytest.raises(AssertionError, match=words):
        raise AssertionError(outcome.message)


def step_of(crystal: Crystal, forces: float, stress_gpa: float, **more: Any) -> Step:
    values: dict[str, Any] = {"start_volume": crystal.volume, "evaluations": 3, "steps": 2}
    point = Point(
        crystal, -0.1, np.full((crystal.n_atoms, 3), forces), np.eye(3) * stress_gpa / 160.2176634
    )
    return Step(point, wall_s=1.0, **(values | more))


def test_the_judge_by_itself() -> None:
    crystal, tier = argon(4, 0), TierSettings()
    assert judge(tier, step_of(crystal, 1.0, 0.0), FACTS) is None
    assert judge(tier, step_of(crystal, 0.0, 1.0), FACTS) is None
    done = judge(tier, step_of(crystal, 0.0, 0.4), FACTS)
    assert isinstance(done, Relaxed)
    assert done.converged
    still = TierSettings(relax_cell=False)
    assert isinstance(judge(still, step_of(crystal, 0.0, 9.0), FACTS), Relaxed)
    late = judge(tier, step_of(crystal, 1.0, 0.0, evaluations=500), FACTS)
    assert isinstance(late, Relaxed)
    assert late.note == "not converged after 500 evaluations"
    killed = judge(tier, step_of(crystal, 1.0, 0.0, stopped="killed after 5 s"), FACTS)
    assert isinstance(killed, Relaxed)
    assert killed.note == "killed after 5 s"
    fled = judge(tier, step_of(crystal, 0.0, 0.0, start_volume=crystal.volume / 9), FACTS)
    assert isinstance(fled, Failed)
    assert fled.reason is FailReason.EXPLODED
    assert fled.wall_s == 1.0


def test_where_a_limit_ends_it_the_lowest_point_comes_back() -> None:
    crystal = argon(4, 0)
    best = Point(argon(4, 1), -5.0, np.ones((4, 3)), np.zeros((3, 3)))
    late = judge(TierSettings(), step_of(crystal, 1.0, 0.0, evaluations=500, best=best), FACTS)
    assert isinstance(late, Relaxed)
    assert late.energy == -5.0
    assert late.crystal is best.crystal
