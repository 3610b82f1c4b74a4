"""What is made of polished structures: distinct ones, families, probabilities, opinions, ranks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.crystal.test_matching import CUBIC, ILMENITE, POLAR, TILTED

from nucleate.crystal.candidate import Candidate, Origin
from nucleate.crystal.rattle import rattled
from nucleate.energy.level import LevelOfTheory
from nucleate.relax.outcome import Failed, FailReason, Relaxed
from nucleate.report.content import read_run
from nucleate.report.findings import EVENT, Findings
from nucleate.report.judging import make_findings
from nucleate.report.light import overview
from nucleate.report.opinions import opinion_text, sentences, with_opinions
from nucleate.report.ranking import ENERGY, rank_structures
from nucleate.report.rule import FLOOR, probabilities, scores
from nucleate.run.final_settings import FinalSettings
from nucleate.run.store import Store
from nucleate.search.polished import JUDGED, POLISHED, RATTLED, SYMMETRISED, in_order
from nucleate.search.record import Record, SearchUpdate, TierOutcome

LEVEL = LevelOfTheory("ase", "3", "EMT")
FINAL = FinalSettings()


def relaxed(crystal, energy):
    """Return an outcome with this energy in eV/atom."""
    n = crystal.n_atoms
    return Relaxed(
        crystal=crystal, energy=n * energy, enthalpy=n * energy, forces=np.zeros((n, 3)),
        stress_gpa=np.zeros((3, 3)), max_force=0.0, max_stress_gpa=0.0, converged=True, steps=1,
        evaluations=1, wall_s=0.0, level=LEVEL,
    )  # fmt: skip


def record(number, crystal, energy, duplicate_of=None, **tiers):
    """Return a record of one searched tier, and polished ones by ``s`` and ``r``."""
    names = {"s": SYMMETRISED, "r": RATTLED}
    outcomes = [TierOutcome("emt", relaxed(crystal, energy))]
    outcomes += [TierOutcome(names[key], relaxed(*value)) for key, value in tiers.items()]
    added = {name: place for place, name in enumerate(POLISHED, start=1)}
    return Record(
        number, Candidate(crystal, Origin("toy")), in_order(outcomes, added), duplicate_of
    )


class Weights:
    """A prior that likes the cubic structure."""

    def weight(self, crystal):
        return 0.5 if crystal.n_atoms == 5 else 0.0


def run():
    """Cubic (a saddle), polar, tilted twice, ilmenite, and one that was not polished."""
    return [
        record(0, CUBIC, -1.0, s=(CUBIC, -1.001), r=(TILTED, -1.0015)),
        record(1, TILTED, -1.001, duplicate_of=0, s=(TILTED, -1.0015), r=(TILTED, -1.0016)),
        record(2, POLAR, -1.0, r=(POLAR, -1.0005)),
        record(3, ILMENITE, -0.99, s=(ILMENITE, -0.9901), r=(ILMENITE, -0.99)),
        record(4, rattled(ILMENITE, 0.3), -0.95),
        record(5, CUBIC, -0.9995, duplicate_of=0),
    ]


def test_of_two_starts_the_lower_counts_and_a_tie_goes_to_the_symmetrised_one():
    assert record(0, CUBIC, 0.0, s=(CUBIC, -1.0), r=(CUBIC, -1.0004)).tier == SYMMETRISED
    assert record(0, CUBIC, 0.0, s=(CUBIC, -1.0), r=(CUBIC, -1.001)).tier == RATTLED
    failed = TierOutcome(SYMMETRISED, Failed(FailReason.TIMEOUT, "late"))
    good = TierOutcome(RATTLED, relaxed(CUBIC, -1.0))
    judge = TierOutcome(JUDGED[0], relaxed(CUBIC, -9.0))
    found = in_order([good, failed, judge], {SYMMETRISED: 1, RATTLED: 2})
    assert [item.tier for item in found] == [SYMMETRISED, RATTLED]


def test_distortions_are_listed_as_a_family_with_the_highest_symmetry_first():
    findings = make_findings(run(), FINAL, None)
    keys = [(row.record, row.tier, row.family) for row in findings.rows]
    assert keys[0] == (0, SYMMETRISED, 1)  # Pm-3m, within 1 meV/atom of the lowest
    assert {row.family for row in findings.rows[:3]} == {1}
    assert [row.record for row in findings.rows if row.family == 2] == [3]
    assert len(findings.rows) == 4
    (tilted,) = [row for row in findings.rows if row.record == 1]
    assert {copy.record for copy in tilted.same} == {0, 1}
    assert all(copy.displacement <= findings.tolerance for copy in tilted.same)
    assert findings.rows[0].probability is None


def test_a_saddle_point_is_named():
    items = [record(0, CUBIC, -1.0, s=(CUBIC, -1.001), r=(ILMENITE, -1.005))]
    findings = make_findings(items, FINAL, None)
    saddle = next(row for row in findings.rows if row.tier == SYMMETRISED)
    assert "falls by 4.0 meV/atom" in saddle.note


def test_the_prior_ranks_and_gives_probabilities():
    findings = make_findings(run(), FINAL, Weights())
    assert findings.rows[0].weight == 0.5
    chances = [row.probability for row in findings.rows]
    assert chances[0] == max(chances)
    assert sum(chances) < 1.0
    assert "with probability" in findings.text[0]


def test_findings_survive_the_store():
    findings = make_findings(run(), FINAL, Weights())
    judged = {row.key: relaxed(CUBIC, -5.0) for row in findings.rows}
    own = {row.key: relaxed(CUBIC, -1.0) for row in findings.rows}
    findings = with_opinions(findings, own, judged, "other")
    assert Findings.from_data(findings.to_data()) == findings


@given(
    st.lists(st.floats(-5.0, 5.0), min_size=1, max_size=8),
    st.lists(st.floats(0.0, 1.0), min_size=8, max_size=8),
    st.floats(-100.0, 100.0),
)
def test_probabilities_are_those_of_a_rule(enthalpies, weights, shift):
    weights = weights[: len(enthalpies)]
    found = probabilities(enthalpies, weights)
    assert (found > 0.0).all()
    assert found.sum() < 1.0
    order = scores(enthalpies, weights)
    assert found[order.argmin()] == found.max()
    moved = probabilities([e + shift for e in enthalpies], weights)
    np.testing.assert_allclose(moved, found, rtol=1e-6)


def test_small_differences_are_exchanged_for_20_mev():
    first, second = scores([0.0, 0.001], [0.1, 0.1 * np.e ** (1 / 20)])
    assert first == pytest.approx(second, abs=1e-5)
    assert scores([0.0], [0.0])[0] == scores([0.0], [FLOOR])[0]
    assert scores([], []).shape == probabilities([], []).shape == (0,)


def test_an_unphysical_minimum_does_not_take_all():
    deep = probabilities([-0.2, 0.0], [0.0, 0.9])
    assert deep[1] > deep[0]


def opinions_of(gaps, crystal=CUBIC, unit="eV", weights=None):
    """Return findings whose structures the second model puts higher by these gaps."""
    findings = make_findings(run(), FINAL, None)
    rows = findings.rows[: len(gaps)]
    if weights is not None:
        rows = tuple(replace(row, weight=w) for row, w in zip(rows, weights, strict=True))
    findings = replace(findings, rows=rows)
    level = replace(LEVEL, unit=unit)
    own = {
        row.key: replace(relaxed(CUBIC, -1.0 + 0.001 * k), level=level)
        for k, row in enumerate(rows)
    }
    judged = {
        row.key: gap
        if isinstance(gap, Failed)
        else relaxed(crystal, own[row.key].energy_per_atom - 3 + gap)
        for row, gap in zip(rows, gaps, strict=True)
    }
    return with_opinions(findings, own, judged, "other")


def test_opinions_are_relative_to_the_median():
    found = opinions_of([0.06, 0.0, 0.004, -0.02])
    opinions = [row.opinion for row in found.rows]
    assert [opinion.is_unphysical for opinion in opinions] == [True, False, False, False]
    assert [opinion.own_rank for opinion in opinions] == [1, 2, 3, 4]
    assert [opinion.rank for opinion in opinions] == [4, 2, 3, 1]
    assert opinion_text(opinions[1]) == "agrees"
    assert opinion_text(opinions[3]) == "disagrees by -22 meV/atom"
    assert "unphysical minimum" in opinion_text(opinions[0])
    assert "puts structure 4 lowest, 77 meV/atom below the first" in found.text[0]
    assert "puts 1 more than 50 meV/atom higher" in found.text[1]


@pytest.mark.parametrize(
    ("gaps", "weights", "words"),
    [
        ([0.0, 0.0, 0.0, -0.02], [0.5, 0.1, 0.1, 0.1], "puts the first structure first, too."),
        ([0.0, 0.0, 0.0, -0.05], [0.5, 0.1, 0.1, 0.1], "puts structure 4 first: the first row is"),
        ([0.0, 0.0, 0.0, -0.02], [0.1, 0.1, 0.1, 0.5], "puts structure 4 first: the first row is"),
    ],
)
def test_the_rule_is_asked_with_the_energies_of_the_second_model(gaps, weights, words):
    assert words in opinions_of(gaps, weights=weights).text[1]


def test_another_of_the_family_is_no_doubt_of_the_first():
    found = opinions_of([0.0, -0.05], weights=[0.5, 0.5])
    rows = tuple(replace(row, family=1) for row in found.rows)
    assert "of the same family, first" in sentences(rows, "other")[1]


def test_where_the_second_model_failed_the_rule_is_not_asked():
    failed = Failed(FailReason.TIMEOUT, "late")
    assert not any("rule" in text for text in opinions_of([failed, 0.0], weights=[0.5, 0.5]).text)


def test_energies_in_arbitrary_units_have_no_difference_to_those_of_a_second_model():
    found = opinions_of([0.06, 0.0, 0.004, -0.02], unit="arbitrary")
    opinions = [row.opinion for row in found.rows]
    assert [opinion.difference for opinion in opinions] == [None] * 4
    assert not any(opinion.is_unphysical for opinion in opinions)
    assert opinion_text(opinions[0]) == "puts it at rank 4"
    assert found.text == ("other puts structure 4 lowest, 77 meV/atom below the first.",)


def test_a_structure_that_the_second_model_leaves_is_named():
    found = opinions_of([0.0, 0.0, 0.0, 0.0], crystal=ILMENITE)
    assert opinion_text(found.rows[0].opinion) == "relaxes it into another structure"


def test_a_second_model_that_fails_leaves_the_list():
    late = Failed(FailReason.TIMEOUT, "late")
    before = make_findings(run(), FINAL, None)
    found = opinions_of([late, late, late, late])
    assert [row.key for row in found.rows] == [row.key for row in before.rows]
    assert "no structure" in found.text[0]
    assert opinion_text(found.rows[0].opinion) == "not judged (timeout: late)"
    some = opinions_of([late, 0.0, 0.0, 0.0])
    assert some.text == ("other has no energy of the first structure.",)


def test_polished_rows_come_first_with_one_zero_of_energy():
    records = run()
    findings = make_findings(records, FINAL, Weights())
    ranked = rank_structures(records, ("emt", *POLISHED), added=POLISHED, findings=findings)
    assert [item.finding is not None for item in ranked] == [True] * 4 + [False]
    assert sum(item.copies for item in ranked) == len(records)
    assert min(item.above_best for item in ranked) == 0.0
    assert ranked[-1].above_best == pytest.approx(0.0515)
    by_energy = rank_structures(
        records, ("emt", *POLISHED), added=POLISHED, findings=findings, order=ENERGY
    )
    energies = [item.relaxed.enthalpy_per_atom for item in by_energy]
    assert energies[:4] == sorted(energies[:4])


def test_the_overview_is_the_ranking(tmp_path):
    records = run()
    meta = {"input": {"tier": [{"name": "emt"}]}, "formula": "SrTiO3", "seed": 0}
    with Store.create(tmp_path, meta) as store:
        for name in (*POLISHED, JUDGED[0]):
            store.add_tier(0.0, name, {"source": "polish", "settings": {}})
        for item in records:
            store.add_candidate(item.number, item.candidate)
            for place, found in enumerate(item.outcomes):
                store.add_outcome(item.number, place, found.tier, found.outcome)
            store.add_record(item, SearchUpdate(duplicate_of=item.duplicate_of))
        store.append_outcome(0, JUDGED[0], relaxed(CUBIC, -9.0))
        store.add_event(0.0, EVENT, make_findings(records, FINAL, Weights()).to_data())
        store.commit()
    content = read_run(tmp_path)
    assert content.added == POLISHED
    whole = content.ranked()
    with Store.read(tmp_path) as store:
        found = overview(store, best=3)
        assert store.judged()[0, SYMMETRISED].energy_per_atom == pytest.approx(-9.0)
    assert found.n_distinct == len(whole)
    key = [(item.record.number, item.tier, item.copies, item.above_best) for item in whole[:3]]
    assert [(i.record.number, i.tier, i.copies, i.above_best) for i in found.ranked] == key
    with Store.append_to(tmp_path) as store:  # a search that continues takes its last records back
        store.db.execute("UPDATE record SET provisional = 1 WHERE candidate IN (0, 2)")
        store.withdraw_provisional()
        shown = {item.record.number for item in overview(store, best=9).ranked}
    assert shown
    assert not shown & {0, 2}
