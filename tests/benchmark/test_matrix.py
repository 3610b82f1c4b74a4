"""Order, inputs and states of the matrix."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nucleate.benchmark.baselines.baseline import BASELINES
from nucleate.benchmark.experiments import (
    EXPERIMENTS,
    LEAST_EVALUATED,
    MOST_EVALUATED,
    PAPER_EXPERIMENTS,
    experiment_input,
    experiment_named,
    pool_size,
    read_tiers,
)
from nucleate.benchmark.matrix import (
    add_to_plan,
    interleaved,
    is_done,
    read_plan,
    state_of,
)
from nucleate.benchmark.runner import check_sides
from nucleate.errors import InputError, MissingDependencyError
from nucleate.run.lock import locked
from nucleate.run.presets import run_preset
from nucleate.run.settings import RunSettings
from nucleate.signals import NUMBERS, words_of

from .stores import cell, write_run


def build(name, **options):
    values = {"seed": 3, "core_time_s": 240.0, "workers": 1, **options}
    return experiment_input(experiment_named(name), "CoAs2", **values)


def test_sides_of_a_comparison_lie_next_to_each_other():
    cells = interleaved(["Mn", "CoAs2"], ["fgen", "mlgen"], [1, 2])
    assert [str(item) for item in cells[:4]] == [
        "Mn fgen seed 1", "Mn mlgen seed 1", "CoAs2 fgen seed 1", "CoAs2 mlgen seed 1",
    ]  # fmt: skip
    assert len(set(cells)) == 8


@pytest.mark.parametrize("experiment", EXPERIMENTS, ids=lambda item: item.name)
def test_every_experiment_is_an_input_with_the_budget_and_no_other_end(experiment):
    settings = build(experiment.name)
    assert settings.stop.core_time == 240.0
    assert settings.stop.without_improvement > 10**6
    assert settings.stop.structures is None
    kinds = [tier.engine.kind for tier in settings.tier]
    assert kinds == (["spp", "chgnet"] if experiment.name.endswith("-SPP") else ["chgnet"])


def test_the_papers_mlgen_is_the_preset_itself():
    settings = build("mlgen").to_dict()
    preset = RunSettings.from_dict(
        {"problem": {"formula": "CoAs2"}, **run_preset("fuse2")}
    ).to_dict()
    settings["search"]["seed"] = 0
    assert settings["search"] == preset["search"]
    assert settings["tier"] == preset["tier"]
    by_name = {name: build(name) for name in PAPER_EXPERIMENTS}
    assert [item.kind for item in by_name["fgen"].search.generators] == ["blocks"]
    assert all(item.search.walkers == 1 for item in by_name.values())
    assert all(tier.symmetrise_ang == 0.1 for item in by_name.values() for tier in item.tier)


def test_later_tiers_come_last_and_files_without_any_are_refused(tmp_path):
    file = tmp_path / "dft.toml"
    file.write_text(
        '[[tier]]\nname = "emt"\nengine = {kind = "ase", calculator = "ase.calculators.emt:EMT"}\n'
    )
    settings = build("mlgen-SPP", last_tiers=read_tiers(file))
    assert [tier.name for tier in settings.tier] == ["spp", "chgnet", "emt"]
    file.write_text("[search]\n")
    with pytest.raises(InputError, match="tier"):
        read_tiers(file)


@given(st.floats(1.0, 1e6), st.floats(1.0, 1e6), st.lists(st.integers(1, 50), min_size=1))
def test_a_larger_budget_never_makes_a_smaller_pool_nor_larger_cells_a_larger(first, second, sizes):
    small, large = (pool_size(value, sizes)["number"] for value in sorted((first, second)))
    assert LEAST_EVALUATED <= small <= large <= MOST_EVALUATED
    assert pool_size(first, [2 * size for size in sizes])["number"] <= large


def test_a_run_is_done_when_its_budget_is_spent_and_goes_on_with_a_larger_one(tmp_path):
    folder = write_run(tmp_path, cell(), [-1.0, -2.0], core_s=100.5)
    assert is_done(folder, 100.0)
    assert not is_done(folder, 200.0)
    assert not is_done(tmp_path / "nothing", 1.0)


@pytest.mark.parametrize("reason", [*map(words_of, NUMBERS), None])
def test_a_run_that_was_interrupted_or_killed_is_not_done(tmp_path, reason):
    folder = write_run(tmp_path, cell(), [-1.0], reason=reason)
    assert not is_done(folder, 1.0)
    state = state_of(tmp_path, cell())
    assert state.state == "stopped"
    assert state.reason == (reason or "killed")


def test_states_tell_waiting_running_and_done(tmp_path):
    write_run(tmp_path, cell(), [-1.0, None, -3.0])
    done = state_of(tmp_path, cell())
    assert (done.state, done.structures, done.best_ev_per_atom) == ("done", 3, -3.0)
    assert state_of(tmp_path, cell(seed=2)).state == "waiting"
    with locked(cell(seed=3).folder(tmp_path)):
        assert state_of(tmp_path, cell(seed=3)).state == "running"


def test_the_plan_keeps_what_was_planned_before_and_what_is_there(tmp_path):
    add_to_plan(tmp_path, [cell(seed=1), cell(seed=2)])
    add_to_plan(tmp_path, [cell(seed=2), cell(seed=3)])
    write_run(tmp_path, cell("mlgen", 9), [-1.0])
    assert [item.seed for item in read_plan(tmp_path)] == [1, 2, 3, 9]


def test_unknown_experiments_are_refused():
    check_sides(["default", "ase-ga"])
    with pytest.raises(InputError, match="fgenn"):
        check_sides(["fgen", "fgenn"])


def test_a_baseline_without_its_package_is_refused_before_anything_is_run(monkeypatch):
    monkeypatch.setitem(BASELINES, "ase-ga", "no_such_package")
    with pytest.raises(MissingDependencyError, match="ase-ga needs the package no_such_package"):
        check_sides(["default", "ase-ga"])
