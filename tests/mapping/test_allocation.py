"""Which compositions come next, by each rule."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import pytest

from nucleate.mapping.allocation import (
    CHEAP_FIRST,
    HEDGE,
    HOPE,
    NEAR_EV,
    Allocation,
    allocate,
    expected_change,
    landscape_of,
)
from nucleate.mapping.falls import Finding
from nucleate.mapping.field import Field, field_of
from nucleate.mapping.hull import Hull, shares_of
from nucleate.mapping.settings import AllocationSettings, MapSettings

FIELD = field_of(MapSettings.from_dict({"field": {"system": "Y2O3-SrO-TiO2"}}))
N = len(FIELD.compositions)
BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "allocation.py"
CORNER = Finding(1, 0.0, ((1, 0.0),), is_known=True)


def hull_of(field: Field, findings: list[Finding]) -> Hull:
    have = [k for k, finding in enumerate(findings) if finding.best is not None]
    return Hull.build(
        field.member_counts,
        [member.formula for member in field.members],
        field.counts[have],
        [findings[k].best for k in have],
    )


def searched(field: Field, seed: int, tried: tuple[int, ...] = (0, 5, 20)) -> list[Finding]:
    rng = np.random.default_rng(seed)
    shares = shares_of(field.counts.astype(float), field.member_counts)
    true = -1.0 * (1.0 - (shares**2).sum(axis=1)) + rng.normal(0.05, 0.05, len(shares))
    findings = [CORNER] * len(field.members)
    for energy in true[len(field.members) :]:
        n, best, steps = int(rng.choice(tried)), np.inf, []
        for count in range(1, n + 1):
            value = energy + rng.exponential(0.1)
            if value < best:
                best = value
                steps.append((count, value))
        findings.append(Finding(n, best if n else None, tuple(steps)))
    return findings


def decide(findings: list[Finding], number: int = 4, **options: object) -> Allocation:
    rule = options.pop("rule", "hull")
    settings = AllocationSettings.model_validate({"rule": rule})
    closed = options.pop("closed", range(len(FIELD.members)))
    return allocate(
        FIELD, findings, hull_of(FIELD, findings), settings, number, closed=closed, **options
    )


@pytest.mark.parametrize("rule", ["hull", "equal", "random"])
def test_distinct_open_compositions_and_the_same_answer_again(rule: str) -> None:
    findings = searched(FIELD, 0)
    closed = (0, 1, 2, 7, 9)
    first = decide(findings, 6, rule=rule, closed=closed, busy=(3, 4))
    places = [choice.index for choice in first.choices]
    assert len(set(places)) == 6
    assert not set(places) & {*closed, 3, 4}
    assert decide(findings, 6, rule=rule, closed=closed, busy=(3, 4)) == first
    for choice in first.choices:
        assert choice.structures == (5 if findings[choice.index].n_structures == 0 else 10)
        assert choice.reason
    assert (first.expected_change_mev is None) == (rule != "hull")


def test_equal_takes_the_fewest_structures() -> None:
    findings = searched(FIELD, 1)
    least = sorted(findings[k].n_structures for k in range(3, N))[:5]
    found = decide(findings, 5, rule="equal")
    assert [findings[choice.index].n_structures for choice in found.choices] == least


def test_equal_visits_compositions_in_a_random_order_that_the_seed_gives() -> None:
    findings = [CORNER] * 3 + [Finding()] * (N - 3)

    def order(seed: int) -> list[int]:
        settings = AllocationSettings.model_validate({"rule": "equal", "seed": seed})
        found = allocate(FIELD, findings, hull_of(FIELD, findings), settings, N, closed=range(3))
        return [choice.index for choice in found.choices]

    assert sorted(order(0)) == list(range(3, N))
    assert order(0) == order(0)
    assert order(0) != order(1)
    assert abs(np.corrcoef(order(0), np.arange(N - 3))[0, 1]) < 0.5


def test_all_are_taken_where_more_are_asked_for_than_there_are() -> None:
    for rule in ("hull", "equal", "random"):
        assert len(decide(searched(FIELD, 1), 10_000, rule=rule).choices) == N - 3


def test_a_composition_at_the_hull_comes_before_one_far_above() -> None:
    findings = searched(FIELD, 2, tried=(20,))
    hull = hull_of(FIELD, findings)
    above = np.array([f.best for f in findings]) - hull.energy_at(FIELD.counts)
    chosen = [choice.index for choice in decide(findings, 5).choices]
    assert above[chosen].mean() < 0.5 * above[3:].mean()


def test_a_corner_that_was_searched_competes_with_the_others() -> None:
    findings = searched(FIELD, 2, tried=(20,))
    once = Finding(5, 0.0, ((1, 0.1), (5, 0.0)))
    open_ = [once, *findings[1:]]
    with_one = decide(open_, 3, closed=(1, 2))
    assert 0 in [choice.index for choice in with_one.choices]
    often = Finding(4000, 0.0, ((1, 0.1), (5, 0.0)))
    assert 0 not in [
        choice.index for choice in decide([often, *findings[1:]], 3, closed=(1, 2)).choices
    ]


def test_compositions_that_were_never_visited_come_first_if_they_may_reach_the_hull() -> None:
    findings = searched(FIELD, 3)
    chosen = decide(findings, 3).choices
    assert all(findings[choice.index].n_structures == 0 for choice in chosen)
    assert "not visited" in chosen[0].reason
    assert "meV/atom" in chosen[0].reason


def test_what_is_expected_shrinks_as_the_map_is_searched() -> None:
    early = decide(searched(FIELD, 4, tried=(0, 5))).expected_change_mev
    late = decide(searched(FIELD, 4, tried=(500,))).expected_change_mev
    assert early is not None
    assert late is not None
    assert early > 5 * late
    known = [Finding(1, f.best, ((1, f.best),), is_known=True) for f in searched(FIELD, 4, (9,))]
    rest = decide(known).expected_change_mev
    assert rest is not None
    assert rest < 1.0


def test_the_expected_change_is_that_of_the_hulls_of_the_samples() -> None:
    findings = searched(FIELD, 5)
    hull = hull_of(FIELD, findings)
    model, _ = landscape_of(FIELD, findings)
    samples = model.samples(5, rng=np.random.default_rng(0))
    samples[:, :3] = 0.0
    shares = shares_of(FIELD.counts.astype(float), FIELD.member_counts)
    names = [member.formula for member in FIELD.members]
    changes = []
    for energies in samples:
        counts = np.vstack([hull.counts, FIELD.counts])
        new = Hull.build(FIELD.member_counts, names, counts, [*hull.energies, *energies])
        changes.append((hull.at_shares(shares) - new.at_shares(shares)).mean())
    assert expected_change(hull, shares, samples) == pytest.approx(np.mean(changes), abs=1e-9)


def test_closed_compositions_are_not_expected_to_change() -> None:
    findings = searched(FIELD, 5)
    every = decide(findings).expected_change_mev
    none = decide(findings, closed=range(N))
    some = decide(findings, closed=range(N - 20)).expected_change_mev
    assert none.choices == ()
    assert none.expected_change_mev == 0.0
    assert every is not None
    assert some is not None
    assert 0.0 < some < every


def test_corners_without_an_energy_come_first() -> None:
    findings = searched(FIELD, 6)
    findings[1] = Finding()
    found = decide(findings, 4, closed=())
    assert found.choices[0].index == 1
    assert "corner" in found.choices[0].reason
    assert FIELD.members[1].formula in found.choices[1].reason
    assert found.expected_change_mev is None
    assert decide(findings, 4, closed=(), busy=(1,)).choices[0].index != 1


def test_expensive_compositions_come_later() -> None:
    findings = searched(FIELD, 7, tried=(20,))
    first = decide(findings, 1).choices[0].index
    costs = np.ones(N)
    costs[first] = 1000.0
    assert decide(findings, 1, costs=costs).choices[0].index != first


def test_every_other_visit_goes_to_the_least_searched_composition_near_the_hull() -> None:
    findings = searched(FIELD, 3, tried=(20, 30, 40))
    hull = hull_of(FIELD, findings)
    shares = shares_of(FIELD.counts.astype(float), FIELD.member_counts)
    height = np.array([f.best for f in findings]) - hull.at_shares(shares)
    near = [k for k in range(3, N) if height[k] <= NEAR_EV]
    assert 1 < len(near) < N - 3
    total = sum(f.n_structures for f in findings)

    def chosen(**options: object) -> set[int]:
        """Of successive visits; the corner, which is closed, has what was spent since the first."""
        starts = [1 + done - total % 10 for done in range(0, 10 * HEDGE, 10)]
        corners = [Finding(n, 0.0, ((1, 0.0),), is_known=True) for n in starts]
        return {decide([c, *findings[1:]], 1, **options).choices[0].index for c in corners}

    least = min(near, key=lambda k: (findings[k].n_structures, height[k]))
    assert least in chosen()
    costs = np.ones(N)
    costs[least] = 1000.0
    assert least not in chosen(costs=costs)


def test_one_visit_of_eight_goes_to_the_cheapest_composition_without_a_structure() -> None:
    rng = np.random.default_rng(5)
    shares = shares_of(FIELD.counts.astype(float), FIELD.member_counts)
    energies = 1.0 - (shares**2).sum(axis=1) + rng.normal(0.0, 0.01, N)
    findings = [CORNER] * 3 + [
        Finding(40, float(e), ((1, float(e) + 0.01), (40, float(e)))) for e in energies[3:]
    ]
    for place in (40, 50, 60):
        findings[place] = Finding(5, 0.002, ((1, 0.1), (5, 0.002)))
    unvisited = [10, 20, 30]
    for place in unvisited:
        findings[place] = Finding()
    model, _ = landscape_of(FIELD, findings)
    assert (model.mean - HOPE * model.deviation)[unvisited].min() > 0.0

    def new_ones(cheapest: int) -> list[int]:
        """Return those without a structure that eight successive visits go to."""
        costs = np.full(N, 2.0)
        costs[cheapest] = 1.0
        first = sum(f.n_structures for f in findings) % 10
        numbers = [1 + 10 * k - first for k in range(1, 1 + CHEAP_FIRST)]
        corners = [Finding(n, 0.0, ((1, 0.0),), is_known=True) for n in numbers]
        places = [decide([c, *findings[1:]], 1, costs=costs).choices[0].index for c in corners]
        return [place for place in places if place in unvisited]

    for place in unvisited:
        assert new_ones(place) == [place]


def test_where_nothing_is_expected_the_fewest_structures_come_first() -> None:
    from nucleate.mapping.allocation import _covering

    nothing, effort = np.zeros((5, 5)), np.ones(5)
    tried = np.array([9, 3, 0, 7, 1])
    assert _covering(nothing, effort, np.arange(5), [], 3, tried) == [2, 4, 1]
    nothing[3, 0] = 0.1
    assert _covering(nothing, effort, np.arange(5), [], 2, tried) == [3, 2]
    assert _covering(nothing, effort, np.arange(5), [3], 2, tried)[0] == 3


def test_a_field_of_known_compounds_alone_is_searched_before_anything_is_expected() -> None:
    """MgO lies far below what Mg, O2 and MgO2 let a model expect."""
    field = field_of(MapSettings.from_dict({"field": {"system": "Mg-O"}}))
    known = np.array([[1, 0], [0, 1], [1, 2]])
    hull = Hull.build(field.member_counts, ["Mg", "O"], known, [0.0, 0.0, -1.823])
    findings = [CORNER, CORNER, Finding(0)]
    found = allocate(field, findings, hull, AllocationSettings(), 1, closed=(0, 1))
    assert [choice.index for choice in found.choices] == [2]
    assert found.expected_change_mev is None


@pytest.mark.parametrize("system", ["Ni-Al-Ti", "Y2O3-SrO-TiO2", "Sr-O"])
def test_with_corners_alone_every_visit_is_expected_to_change_the_hull(system: str) -> None:
    """Their zeros are definitions: they do not say that the landscape is flat."""
    field = field_of(MapSettings.from_dict({"field": {"system": system}}))
    corners = len(field.members)
    findings = [CORNER] * corners + [Finding()] * len(field.inner)
    hull = hull_of(field, findings)
    model, _ = landscape_of(field, findings)
    assert model.hyperparameters.amplitude == pytest.approx(0.3)
    found = allocate(field, findings, hull, AllocationSettings(), 5, closed=range(corners))
    changes = [choice.change_mev or 0.0 for choice in found.choices]
    assert changes[0] > 5.0
    assert min(changes) > 0.1
    shares = shares_of(field.counts.astype(float), field.member_counts)
    assert shares[found.choices[0].index].max() < 0.75


def test_the_first_structures_of_a_field_lower_the_hull_more_than_equal_splitting() -> None:
    simulated = runpy.run_path(str(BENCHMARK))
    field = field_of(MapSettings.from_dict({"field": {"system": "Ni-Al-Ti"}}))
    errors = {
        rule: np.mean(
            [
                simulated["after"](simulated["course"](field, rule, seed, 250)[0], 250)
                for seed in (0,)
            ]
        )
        for rule in ("hull", "equal")
    }
    assert errors["hull"] < 0.8 * errors["equal"]
