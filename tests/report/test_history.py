"""What is said of a whole run from numbers alone, against a recount of its records in full."""

from __future__ import annotations

from collections import Counter

import numpy as np
from hypothesis import given, settings
from tests.report.runs import EV, FCC, MadeRun, made_runs, record, relaxed, stored

from nucleate.crystal.candidate import Origin
from nucleate.relax.outcome import Failed, FailReason, Relaxed
from nucleate.report.content import read_run, searched_tier
from nucleate.report.history import History, Trajectory, drawn_trajectory, history_of
from nucleate.report.light import best_groups, overview
from nucleate.report.ranking import rank_structures
from nucleate.run.store import Store
from nucleate.search.record import Record, SearchUpdate


def history_in(folder) -> History:
    with Store.read(folder) as store:
        return history_of(store, store.tiers_seen())


@settings(max_examples=30)
@given(made_runs())
def test_counts_are_those_of_a_recount(run: MadeRun) -> None:
    with stored(run) as folder:
        content, history = read_run(folder), history_in(folder)
    steps = [item for found, _ in content.told for item in found.outcomes]
    assert history.n_records == len(run.told)
    assert set(history.tiers) == {item.tier for item in steps}
    for tier, count in history.tiers.items():
        own = [item.outcome for item in steps if item.tier == tier]
        done = [outcome for outcome in own if isinstance(outcome, Relaxed)]
        assert (count.tried, count.relaxed) == (len(own), len(done))
        assert count.converged == sum(outcome.converged for outcome in done)
        assert {history.levels[key] for key in count.levels} == {item.level for item in done}
    assert history.failures == Counter(
        (item.tier, str(item.outcome.reason)) for item in steps if isinstance(item.outcome, Failed)
    )


@settings(max_examples=30)
@given(made_runs())
def test_sources_are_counted_with_their_energies_and_best(run: MadeRun) -> None:
    with stored(run) as folder:
        content, history = read_run(folder), history_in(folder)
    expected: dict[str, list[int]] = {}
    for item, update in content.told:
        counts = expected.setdefault(item.candidate.origin.source, [0, 0, 0])
        counts[0] += 1
        counts[1] += item.relaxed is not None
        counts[2] += update.new_minimum
    assert history.sources == expected


@settings(max_examples=30)
@given(made_runs())
def test_the_trajectory_is_that_of_the_records_in_full(run: MadeRun) -> None:
    with stored(run) as folder:
        content, history = read_run(folder), history_in(folder)
    assert history.searched == searched_tier(content)
    if history.searched is None:
        assert history.trajectory is None
        return
    expected = Trajectory.of_told(content.told, history.searched)
    found = history.trajectory
    assert found is not None
    np.testing.assert_array_equal(found.enthalpies, expected.enthalpies)
    np.testing.assert_array_equal(found.current, expected.current)
    np.testing.assert_array_equal(found.melted, expected.melted)
    assert (found.families, found.unit) == (expected.families, expected.unit)


@settings(max_examples=30)
@given(made_runs())
def test_the_drawn_trajectory_is_that_of_the_history(run: MadeRun) -> None:
    with stored(run) as folder, Store.read(folder) as store:
        history = history_of(store, store.tiers_seen())
        drawn = drawn_trajectory(store)
    if history.trajectory is None:
        assert drawn is None
        return
    assert drawn is not None
    found, tier = drawn
    assert (tier, found.unit) == (history.searched, history.trajectory.unit)
    assert found.families == history.trajectory.families
    np.testing.assert_array_equal(found.enthalpies, history.trajectory.enthalpies)


@settings(max_examples=30)
@given(made_runs(with_added=False))
def test_the_walk_stands_on_the_enthalpy_of_the_record_that_is_named(run: MadeRun) -> None:
    found = Trajectory.of_told(run.told, "low")
    known: dict[int, float] = {}
    for item, _ in run.told:
        done = item.relaxed_by("low")
        known[item.number] = np.nan if done is None else done.enthalpy_per_atom
    walk = [np.nan if u.current is None else known.get(u.current, np.nan) for _, u in run.told]
    np.testing.assert_array_equal(found.current, walk)
    assert len(found.families) == len(run.told)
    assert all((family == "moves") == item.candidate.origin.source.startswith("move:")
               for family, (item, _) in zip(found.families, run.told, strict=True))  # fmt: skip


def test_a_repeated_calculation_replaces_its_failure() -> None:
    late = Failed(FailReason.TIMEOUT, "late")
    told = [
        (record(k, ("low", relaxed(FCC, -1.0)), ("dft", late)), SearchUpdate()) for k in range(3)
    ]
    again = [(0, "dft", relaxed(FCC, -2.0)), (1, "dft", Failed(FailReason.CRASHED, "again"))]
    run = MadeRun(told, ladder=("low",), added=("dft",), retried=again)
    with stored(run) as folder, Store.read(folder) as store:
        history = history_of(store, store.tiers_seen())
        failures = overview(store, best=3).failures
        examples = list(store.failure_examples())
    assert history.tiers["dft"].tried == 3
    assert history.tiers["dft"].relaxed == 1
    assert history.failures == {("dft", "timeout"): 1, ("dft", "crashed"): 1}
    assert failures == {"timeout": 1, "crashed": 1}
    assert examples == [("dft", "crashed", 1, 1, "again"), ("dft", "timeout", 1, 2, "late")]


def key_of(ranked) -> list[tuple]:
    return [(i.record.number, i.tier, i.copies, i.above_best, i.space_group) for i in ranked]


@settings(max_examples=40)
@given(made_runs())
def test_the_overview_is_the_ranking_of_the_records_in_full(run: MadeRun) -> None:
    with stored(run) as folder:
        content = read_run(folder)
        with Store.read(folder) as store:
            found = overview(store, best=3)
    ranked = content.ranked()
    assert key_of(found.ranked) == key_of(ranked[:3])
    assert found.n_distinct == len(ranked)
    paid = [item for item, _ in content.told if item.outcomes]
    assert (found.n_structures, found.n_repeats) == (len(paid), len(content.told) - len(paid))
    failed = [item.failure.outcome.reason for item in paid if item.failure is not None]
    assert found.failures == Counter(map(str, failed))


@settings(max_examples=40)
@given(made_runs())
def test_groups_of_the_search_are_those_of_its_ranking(run: MadeRun) -> None:
    with stored(run) as folder:
        content = read_run(folder)
        with Store.read(folder) as store:
            groups = best_groups(store, 4)
    below = [item.within(run.ladder) for item, _ in content.told]
    ranked = rank_structures(below, run.ladder)[:4]
    assert [group[0] for group in groups] == [item.record.number for item in ranked]
    known = {item.number: item for item in below}
    for group, item in zip(groups, ranked, strict=True):
        assert {known[number].tier for number in group} == {item.tier}
        enthalpies = [known[number].relaxed.enthalpy_per_atom for number in group]
        assert enthalpies == sorted(enthalpies)


def test_a_search_of_moves_alone_is_one_family() -> None:
    told: list[tuple[Record, SearchUpdate]] = [
        (record(k, ("low", relaxed(FCC, -k, level=EV)), origin=Origin(f"move:{k}")), SearchUpdate())
        for k in range(3)
    ]
    with stored(MadeRun(told, ladder=("low",))) as folder:
        history = history_in(folder)
    assert history.trajectory is not None
    assert history.trajectory.families == ["moves"] * 3
    assert sorted(history.sources) == ["move:0", "move:1", "move:2"]
