"""Which structures are polished, and what the page tells a reader to doubt."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ase.build import bulk
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.report.runs import EV, FCC, PROXY, MadeRun, record, relaxed, stored

from nucleate.crystal.candidate import Origin
from nucleate.crystal.crystal import Crystal
from nucleate.crystal.files import write_extxyz
from nucleate.errors import InputError
from nucleate.library.library import Library
from nucleate.report.findings import Finding
from nucleate.report.history import History, TierCount
from nucleate.report.page import Facts
from nucleate.report.page.doubts import CLOSE_EV_PER_ATOM, doubts
from nucleate.report.prior import Prior
from nucleate.report.rows import Row
from nucleate.report.rule import scores
from nucleate.report.selection import LOOKED_AT, contenders, to_polish
from nucleate.run.final_settings import FinalSettings
from nucleate.run.store import Store
from nucleate.search.polished import RATTLED, SYMMETRISED
from nucleate.search.record import SearchUpdate


class LikesLarge:
    """A prior of the volume."""

    def weight(self, crystal: Crystal) -> float:
        return 0.5 if crystal.volume > 15.0 else 0.001


def shape(large: bool) -> Crystal:
    return Crystal.from_ase(bulk("Cu", "fcc", a=4.0 if large else 3.6))


DRAWN = st.lists(st.tuples(st.integers(0, 60), st.booleans()), min_size=1, max_size=12)


def chosen_of(drawn, final: FinalSettings, prior) -> list[int]:
    """Return the numbers of the records that are polished; energies in 5 meV/atom."""
    told = [
        (record(k, ("low", relaxed(shape(large), 0.005 * level))), SearchUpdate())
        for k, (level, large) in enumerate(drawn)
    ]
    with stored(MadeRun(told, ladder=("low",))) as folder, Store.read(folder) as store:
        return [item.number for item in to_polish(store, final, prior)]


@settings(max_examples=20)
@given(DRAWN, st.integers(1, 6), st.integers(0, 40))
def test_without_a_prior_the_lowest_inside_the_window_are_polished(drawn, best, window) -> None:
    final = FinalSettings(best=best, window_ev_per_atom=0.01 * window + 0.001)
    levels = [level for level, _ in drawn]
    order = sorted(range(len(drawn)), key=lambda k: (levels[k], k))
    inside = [k for k in order if 0.005 * (levels[k] - min(levels)) <= 0.01 * window + 0.001]
    assert chosen_of(drawn, final, None) == inside[:best]


@settings(max_examples=20)
@given(DRAWN, st.integers(1, 6), st.integers(0, 40))
def test_with_a_prior_its_first_ones_and_the_lowest_take_turns(drawn, best, window) -> None:
    final = FinalSettings(best=best, window_ev_per_atom=0.01 * window + 0.001)
    energies = [0.005 * level for level, _ in drawn]
    lowest = sorted(range(len(drawn)), key=lambda k: (energies[k], k))
    weights = [0.5 if drawn[k][1] else 0.001 for k in lowest]
    ranks = scores([energies[k] for k in lowest], weights).argsort(kind="stable")
    by_rule = [lowest[place] for place in ranks]
    limit = energies[by_rule[0]] + 0.01 * window + 0.001
    known = {k for k in by_rule[: best // 2] if drawn[k][1]}
    expected: list[int] = []
    for pair in zip(by_rule, lowest, strict=True):
        new = [k for k in dict.fromkeys(pair) if k not in expected]
        expected += [k for k in new if energies[k] <= limit or k in known]
    found = chosen_of(drawn, final, LikesLarge())
    assert found == expected[:best]
    assert found[0] == by_rule[0]


def test_copies_of_another_symmetry_are_polished_behind_their_original() -> None:
    cubic, other = shape(False), Crystal.from_ase(bulk("Cu", "bct", a=2.7, c=3.6))
    told = [
        (record(0, ("low", relaxed(cubic, -1.0))), SearchUpdate()),
        (record(1, ("low", relaxed(other, -0.99))), SearchUpdate(duplicate_of=0)),
        (record(2, ("low", relaxed(cubic, -0.98))), SearchUpdate(duplicate_of=0)),
        (record(3, ("low", relaxed(shape(True), -0.97))), SearchUpdate()),
    ]
    with stored(MadeRun(told, ladder=("low",))) as folder, Store.read(folder) as store:
        found = [item.number for item in to_polish(store, FinalSettings(), None)]
        few = [item.number for item in to_polish(store, FinalSettings(best=1), None)]
    assert found == [0, 1, 3]
    assert few == [0, 1]


def drawn_as_known(number: int, crystal: Crystal, energy: float, weight: float, **update):
    origin = Origin("prototypes", detail={"weight": weight})
    outcome = ("low", relaxed(crystal, energy))
    return record(number, outcome, origin=origin), SearchUpdate(**update)


def test_a_known_structure_above_hundreds_of_others_is_polished_first() -> None:
    told = [
        (record(k, ("low", relaxed(shape(False), -1.0 + 0.0002 * k))), SearchUpdate())
        for k in range(2 * LOOKED_AT)
    ]
    told.append(drawn_as_known(2 * LOOKED_AT, shape(True), -0.95, 0.5))
    told.append(drawn_as_known(2 * LOOKED_AT + 1, shape(False), -0.95, 0.002))
    with stored(MadeRun(told, ladder=("low",))) as folder, Store.read(folder) as store:
        with_prior = to_polish(store, FinalSettings(best=4), LikesLarge())
        without = to_polish(store, FinalSettings(best=4), None)
        looked_at = contenders(store, LikesLarge())
    assert [item.number for item in with_prior] == [2 * LOOKED_AT, 0, 1, 2]
    assert [item.number for item in without] == [0, 1, 2, 3]
    assert len(looked_at) == LOOKED_AT + 2


def test_a_known_structure_far_above_unphysical_minima_is_polished() -> None:
    told = [
        (record(k, ("low", relaxed(shape(False), -2.0 + 0.15 * k))), SearchUpdate())
        for k in range(6)
    ]
    told.append(drawn_as_known(6, shape(True), -1.0, 0.5))
    with stored(MadeRun(told, ladder=("low",))) as folder, Store.read(folder) as store:
        found = [item.number for item in to_polish(store, FinalSettings(), LikesLarge())]
        without = [item.number for item in to_polish(store, FinalSettings(), None)]
    assert found == [0, 1, 6]
    assert without == [0, 1]


def test_a_copy_drawn_as_a_known_structure_gives_its_weight_to_the_structure() -> None:
    told = [
        (record(0, ("low", relaxed(shape(False), -1.0))), SearchUpdate()),
        (record(1, ("low", relaxed(shape(False), -0.98))), SearchUpdate()),
        drawn_as_known(2, shape(True), -0.979, 0.5, duplicate_of=1),
    ]
    with stored(MadeRun(told, ladder=("low",))) as folder, Store.read(folder) as store:
        lowest, other = contenders(store, LikesLarge())
        found = [item.number for item in to_polish(store, FinalSettings(), LikesLarge())]
    assert (lowest.record.number, lowest.typed.number, lowest.weight) == (0, 0, 0.001)
    assert (other.record.number, other.typed.number, other.weight) == (1, 2, 0.5)
    assert other.copies == (1, 2)
    assert found == [1, 2, 0]


def test_a_run_without_energies_polishes_nothing() -> None:
    told = [(record(0), SearchUpdate())]
    with stored(MadeRun(told, ladder=("low",))) as folder, Store.read(folder) as store:
        assert to_polish(store, FinalSettings(), None) == []


def test_weights_are_looked_up_once_and_unknown_structures_have_none() -> None:
    asked = []

    class Shelf:
        def weight(self, crystal: Crystal, *, known: str, prototypes: frozenset[str]) -> float:
            asked.append((known, *prototypes))
            if crystal.volume > 15.0:
                raise InputError("no such composition")
            return 0.25

    prior = Prior(Shelf(), "no-prototype", frozenset({"AB_cF8_225_a_b"}))  # type: ignore[arg-type]
    assert [prior.weight(shape(False)) for _ in range(3)] == [0.25] * 3
    assert asked == [("no-prototype", "AB_cF8_225_a_b")]
    assert prior.weight(shape(True)) == prior.weight(shape(True)) == 0.0
    assert len(asked) == 2


@pytest.mark.parametrize(
    "search", [{}, {"known": "off"}, {"known": "all", "library": ["gone.npz"]}]
)
def test_runs_without_known_structures_have_no_prior(search) -> None:
    assert Prior.of_run({"input": {"search": search}}) is None
    assert Prior.of_run({}) is None


def test_the_prior_of_a_run_knows_rock_salt() -> None:
    prior = Prior.of_run({"input": {"search": {"known": "all"}}})
    assert prior is not None
    salt = Crystal.from_ase(bulk("NaCl", "rocksalt", a=5.64))
    odd = Crystal([11, 17], [[4, 0, 0], [0.3, 5, 0], [0.1, 0.7, 6]], [[0, 0, 0], [0.3, 0.4, 0.45]])
    assert prior.weight(salt) > 10 * max(prior.weight(odd), 0.001)
    assert prior.weight(salt) == Library.load().weight(salt, known="all")


def test_the_prior_of_a_run_holds_out_the_type_of_its_target(tmp_path) -> None:
    unheard_of = Crystal.from_ase(bulk("HeXe", "rocksalt", a=5.2))
    write_extxyz(tmp_path / "target.extxyz", [("target", unheard_of, {})])
    weights = {}
    for target in (None, "target.extxyz"):
        stop = {} if target is None else {"target": str(tmp_path / target)}
        prior = Prior.of_run({"input": {"search": {"known": "no-prototype"}, "stop": stop}})
        assert prior is not None
        weights[target] = prior.weight(unheard_of)
    assert weights[None] > 10 * weights["target.extxyz"]
    gone = {"search": {"known": "no-prototype"}, "stop": {"target": str(tmp_path / "gone.cif")}}
    assert Prior.of_run({"input": gone}) is None


def rows_of(*above: float, level=EV, tier: str = "low", copies: int = 3) -> list[Row]:
    """Return ranked rows with these enthalpies above the best."""
    return [
        replace(
            Row.of_record(record(k, (tier, relaxed(FCC, -1.0 + gap, level=level)))),
            rank=k + 1, above_best=gap, copies=copies,
        )
        for k, gap in enumerate(above)
    ]  # fmt: skip


def history(tried: int = 10, done: int = 10) -> History:
    counts = {"low": TierCount(tried, done, done)}
    return History(tried, counts, {}, {}, {}, None, "low")  # type: ignore[arg-type]


@settings(max_examples=25)
@given(st.lists(st.integers(0, 60), max_size=8))
def test_close_structures_are_counted(steps: list[int]) -> None:
    gaps = [0.0, *sorted(0.001 * step + 1e-6 for step in steps)]
    said = doubts(history(), Facts(), rows_of(*gaps))
    near = sum(gap < CLOSE_EV_PER_ATOM for gap in gaps[1:])
    if not near:
        assert said == []
        return
    more = "1 other structure lies" if near == 1 else f"{near} other structures lie"
    (text,) = said
    assert text.startswith(f"{more} within 20 meV/atom of the first")


def test_distortions_of_the_first_and_other_tiers_are_no_rivals() -> None:
    rows = rows_of(0.0, 0.001, 0.002)
    finding = Finding(0, RATTLED, family=1)
    family = [replace(row, finding=finding) for row in rows]
    assert doubts(history(), Facts(), family) == []
    other = [rows[0], *(replace(row, tier="high") for row in rows[1:])]
    assert doubts(history(), Facts(), other) == [
        "Structures are ranked on different tiers; energies compare within a tier only."
    ]
    polish = [replace(rows[0], tier=SYMMETRISED), replace(rows[1], tier=RATTLED, above_best=0.5)]
    assert doubts(history(), Facts(), polish) == []


def test_proxy_energies_have_no_error_in_electronvolts() -> None:
    assert doubts(history(), Facts(), rows_of(0.0, 0.001, level=PROXY)) == []


@pytest.mark.parametrize(
    ("done", "told"), [(10, []), (8, []), (7, ["30 % of the relaxations failed; see below."])]
)
def test_many_failures_are_told(done: int, told: list[str]) -> None:
    assert doubts(history(done=done), Facts(), rows_of(0.0)) == told


def test_what_is_not_converged_or_was_found_once_is_told() -> None:
    (row,) = rows_of(0.0, copies=1)
    assert row.relaxed is not None
    rough = replace(row, outcome=replace(row.relaxed, converged=False))
    assert doubts(history(), Facts(running=True), [rough]) == [
        "The search is still running; the list may change.",
        "The first structure is not converged.",
        "The first structure was found once only; a lower one may have been missed.",
    ]
    finding = Finding(0, RATTLED, family=1)
    twice = [replace(row, finding=finding), replace(row, finding=finding, rank=2)]
    assert doubts(history(), Facts(), twice) == [], "a distortion of it counts"
