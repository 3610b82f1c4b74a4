"""A surrogate that learns in a run: what is finished, what is kept, and what stays the same."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest
from ase.calculators import emt

import nucleate as nc
from nucleate.api.policy import worked
from nucleate.errors import InputError
from nucleate.run.learning.evidence import Evidence, Told
from nucleate.run.learning.screening import DOUBTED_SHARE, LEAST_SHARE, Screening
from nucleate.run.learning.settings import LearningSettings
from nucleate.run.learning.tables import Considered, Decision, Review
from nucleate.run.policy import read_policy
from nucleate.run.predict import build_search
from nucleate.run.settings import RefinementSettings, RunSettings
from nucleate.run.store import Store

EMT = {"kind": "ase", "calculator": "ase.calculators.emt:EMT"}


def an_input(*, formula="Cu3Au", structures=55, seed=3, **learning):
    """Return a search on EMT with fits after 12 structures and every 10."""
    own = {"first_fit": 12, "refit_growth": 0.5, "explore": 20, "off_below": -1.0, **learning}
    return {
        "problem": {"formula": formula, "max_atoms": 8},
        "search": {
            "seed": seed,
            "known": "off",
            "generators": [{"kind": "symmetric"}, {"kind": "blocks"}],
        },
        "stop": {"structures": structures},
        "final": {"best": 0, "judge": "off"},
        "run": {"workers": 1},
        "tier": [{"name": "surrogate", **own}, {"name": "emt", "engine": EMT}],
    }


def rows(folder, query):
    with closing(sqlite3.connect(f"file:{folder}/run.db?mode=ro", uri=True, timeout=30)) as db:
        return db.execute(query).fetchall()


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("learned") / "run"
    nc.predict(an_input(), folder=folder, display=False)
    return folder


def test_the_surrogate_considers_more_than_is_finished(run):
    status = nc.open(run).status()
    learned = status["surrogate"]
    assert status["structures"] == 55
    assert not status["failures"]
    assert learned["considered"] > learned["finished"] > 0
    assert len(learned["fits"]) >= 2
    assert [fit["number"] for fit in learned["fits"]] == list(range(1, len(learned["fits"]) + 1))
    assert learned["fits"][-1]["frames"] > learned["fits"][0]["frames"]
    assert "considered" in learned["words"]


def test_what_is_not_finished_is_no_failure_for_a_policy(run, tmp_path):
    data = an_input(structures=30)
    data["search"]["policy"] = "bandit"
    nc.predict(data, folder=tmp_path / "run", display=False)
    search = build_search(RunSettings.from_dict(data))
    with Store.read(tmp_path / "run") as store:
        for record, update in store.records():
            search.replay(record, update)
        view = read_policy(store)
        screened = sum(record.is_screened for record, _ in store.records())
    assert search.guide.policy.learned() == view.learned
    counts = view.counts.values()
    assert sum(count.considered for count in counts) == screened > 0
    assert not sum(count.failed for count in counts)
    _, heads, cells, rows = worked(run)
    assert "considered" in heads
    assert all(len(line) == len(heads) for line in cells)
    assert sum(row["relaxed"] for row in rows) == 55
    assert all(row["failed"] == 0 for row in rows)


def test_what_is_not_finished_has_no_energy_and_no_rank(run):
    with Store.read(run) as store:
        records = [record for record, _ in store.records()]
    screened = [record for record in records if record.is_screened]
    assert screened
    for record in screened:
        assert record.relaxed is None
        assert [item.tier for item in record.outcomes] == ["emt"]
    levels = {row[0] for row in rows(run, "SELECT model FROM level")}
    assert levels == {"ase.calculators.emt:EMT"}
    listed = {row["record"] for row in nc.open(run).status()["best"]}
    assert listed.isdisjoint(record.number for record in screened)


def test_finished_structures_began_at_the_minimum_of_the_surrogate(run):
    found = rows(
        run,
        "SELECT c.evaluations, o.evaluations FROM considered c JOIN outcome o USING (candidate) "
        "WHERE c.decision = 'promising'",
    )
    direct = rows(
        run,
        "SELECT evaluations FROM outcome WHERE status = 'relaxed' AND candidate NOT IN "
        "(SELECT candidate FROM considered)",
    )
    assert len(direct) >= 12
    assert np.mean([own for _, own in found]) < np.mean(direct)


def test_single_evaluations_are_learned_and_stay_apart(run):
    points = rows(run, "SELECT count(*) FROM considered WHERE decision = 'point'")[0][0]
    taught = rows(
        run,
        "SELECT count(DISTINCT candidate) FROM frames JOIN considered USING (candidate) "
        "WHERE decision = 'point'",
    )[0][0]
    assert 0 < taught <= points


TABLES = (
    "SELECT number, numbers, cell, scaled FROM candidate ORDER BY number",
    "SELECT candidate, fit, decision, enthalpy_ev_per_atom, leverage FROM considered ORDER BY 1",
    "SELECT candidate, status, reason, energy_ev FROM outcome ORDER BY candidate",
    "SELECT candidate, position, data FROM frames ORDER BY candidate, position",
    "SELECT number, candidate, told, data FROM review ORDER BY number",
    "SELECT number, data FROM fit ORDER BY number",
)
_DECISIONS = "SELECT decision, count(*) FROM considered GROUP BY decision"
SCRIPT = """
import json, sys
import nucleate as nc
from nucleate.run.learning import evidence, screening
for name, value in json.loads(sys.argv[3]).items():
    [module] = [item for item in (evidence, screening) if hasattr(item, name)]
    setattr(module, name, value)
nc.predict(json.loads(sys.argv[2]), folder=sys.argv[1], display=False)
"""


def start(folder, data, constants):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    words = [sys.executable, "-c", SCRIPT, str(folder), json.dumps(data), json.dumps(constants)]
    return subprocess.Popen(words, env=environment, stderr=subprocess.PIPE)


def outcomes(folder):
    if not (folder / "run.db").exists():
        return 0
    return rows(folder, "SELECT count(*) FROM outcome")[0][0]


def is_the_same_after_kills(data, tmp_path, gaps, **constants):
    """Run once as a whole and once with kill -9 after some outcomes, and compare every table."""
    process = start(tmp_path / "whole", data, constants)
    _, words = process.communicate(timeout=2000)
    assert process.returncode == 0, words.decode()  # nothing is compiled now
    folder = tmp_path / "killed"
    for gap in gaps:
        process, limit = start(folder, data, constants), outcomes(folder) + gap
        while process.poll() is None and outcomes(folder) < limit:
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        process.communicate()
    process = start(folder, data, constants)
    _, words = process.communicate(timeout=2000)
    assert process.returncode == 0, words.decode()
    for query in TABLES:
        ours, theirs = rows(folder, query), rows(tmp_path / "whole", query)
        common = min(len(ours), len(theirs))  # what was in flight at the end may differ
        assert common > 0.8 * max(len(ours), len(theirs)) - 2
        assert ours[:common] == theirs[:common], query


def test_the_same_seed_is_the_same_run_after_kills(tmp_path):
    """Doubted candidates, more of them here than by default, are asked about again."""
    data = an_input(formula="CuAu", structures=75)
    gap = int(np.random.default_rng(2).integers(55, 70))
    is_the_same_after_kills(data, tmp_path, [gap], DOUBTED_SHARE=1.0, INTEREST_EV=0.005)
    found = dict(rows(tmp_path / "killed", _DECISIONS))
    assert found["confirmed"] >= 3
    assert found["refuted"] >= 1
    taught = rows(
        tmp_path / "killed",
        "SELECT count(DISTINCT candidate) FROM frames JOIN considered USING (candidate) "
        "WHERE decision = 'refuted'",
    )
    assert taught == [(found["refuted"],)]
    outcomes = rows(
        tmp_path / "killed",
        "SELECT DISTINCT reason FROM outcome JOIN considered USING (candidate) "
        "WHERE decision = 'refuted'",
    )
    assert outcomes == [("screened",)]


@pytest.mark.slow
def test_a_search_with_chgnet_is_the_same_after_kills(tmp_path):
    data = an_input(formula="CoAs2", structures=60)
    data["problem"]["max_atoms"] = 6
    data["tier"] = [{"name": "surrogate", "first_fit": 12}, {"name": "chgnet", "slots": 1}]
    is_the_same_after_kills(data, tmp_path, [8, 20, 40])


def test_a_run_learns_from_another(run, tmp_path):
    data = an_input(formula="Cu", structures=12, learn_from=str(run))
    nc.predict(data, folder=tmp_path / "more", display=False)
    fits = nc.open(tmp_path / "more").status()["surrogate"]["fits"]
    assert fits[0]["number"] == 0
    assert fits[0]["record"] == -1
    first = rows(tmp_path / "more", "SELECT min(candidate) FROM considered")[0][0]
    assert first == 0


def test_fits_of_another_version_are_not_used_and_the_run_continues(run, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(run, folder)
    with closing(sqlite3.connect(folder / "run.db")) as db:
        db.execute("UPDATE fit SET data = ?", (b"of another version",))
        db.commit()
    nc.predict(an_input(structures=60), folder=folder, display=False)
    status = nc.open(folder).status()
    assert status["structures"] == 60
    assert "are no surrogate" in status["surrogate"]["fits"][0]["reason"]


def test_a_python_object_teaches_in_this_process(tmp_path):
    found = nc.predict(
        "Cu3Au",
        model=emt.EMT(),
        learn=True,
        folder=tmp_path / "run",
        max_atoms=4,
        known="off",
        structures=60,
        polish=0,
        judge="off",
        display=False,
    )
    assert found.status()["surrogate"]["fits"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"tier": [{"name": "surrogate"}]}, "is the only tier"),
        (
            {"tier": [{"name": "chgnet"}, {"name": "surrogate"}]},
            "Put it first",
        ),
        (
            {"tier": [{"name": "surrogate"}, {"name": "spp", "engine": {"kind": "spp"}}]},
            "gives no forces",
        ),
        (
            {"tier": [{"name": "surrogate"}, {"name": "chgnet", "relax": False}]},
            "cannot relax in its place",
        ),
        (
            {"tier": [{"name": "surrogate"}, {"name": "chgnet", "fix_symmetry": True}]},
            "set fix_symmetry = false",
        ),
        ({"tier": [{"name": "surrogate", "refit": 3}, {"name": "chgnet"}]}, "refit"),
        ({"tier": [{"name": "surrogate", "share": 0.0}, {"name": "chgnet"}]}, "share"),
        ({"surrogate": {"share": 0.3}}, "surrogate.on = false"),
        ({"surrogate": {"on": True, "first_fit": 2}}, "first_fit"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_input_that_cannot_be_honoured_is_refused(changes, words):
    with pytest.raises(InputError, match=words):
        RunSettings.from_dict({"problem": {"formula": "NaCl"}, **changes})


def test_a_run_that_cannot_teach_is_refused(run, tmp_path):
    for folder, formula, words in (
        (tmp_path, "Cu3Au", "no run.db"),
        (run, "CuPd", "hold no Pd"),
    ):
        data = an_input(formula=formula, learn_from=str(folder))
        with pytest.raises(InputError, match=words):
            nc.predict(data, folder=tmp_path / "new", display=False)
    data = an_input(learn_from=str(run))
    data["tier"][1] = {"name": "chgnet"}
    with pytest.raises(InputError, match="Give a run of the same model"):
        nc.predict(data, folder=tmp_path / "new", display=False)


def test_a_tier_of_this_name_is_no_other_model():
    with pytest.raises(InputError, match="learns in a search only"):
        RefinementSettings.from_dict({"tier": [{"name": "surrogate"}]})


def a_screening(**settings):
    chosen = LearningSettings(**{"on": True, "first_fit": 12, **settings})
    return Screening(chosen, 0, [])


def taught(found, n=100, *, ranks=True, start=0, seed=1):
    """Let candidates be considered, decided and received; return what was decided."""
    rng = np.random.default_rng(seed)
    decisions = []
    for number in range(start, start + n):
        fit = found.fit_for(number)
        first = float(rng.normal(0.0, 0.1))
        if fit is None:
            found.told(number, None, first, learns=True)
            found.start(number + 1)
            continue
        by_surrogate = first + float(rng.normal(0.0, 0.01 if ranks else 5.0))
        item = Considered(number, fit, by_surrogate, float(rng.random()), None)
        decision = found.decide(item).decision
        decisions.append(decision)
        is_finished = decision in (Decision.PROMISING, Decision.RANDOM, Decision.DOUBTED)
        item = Considered(number, fit, by_surrogate, 0.0, None, decision=decision)
        point = first if decision is Decision.POINT else None
        learns = is_finished or point is not None
        ended = first if is_finished else None
        found.told(number, item, ended, learns=learns, point=point)
        found.start(number + 1)
    return decisions


def test_the_lowest_and_a_random_share_are_finished():
    decisions = taught(a_screening(share=0.2, explore=0), 2000)
    share = decisions.count(Decision.PROMISING) / len(decisions)
    random = decisions.count(Decision.RANDOM) / len(decisions)
    assert 0.15 < share < 0.27
    assert 0.008 < random < 0.03


def decided(found, number, enthalpy, leverage=0.0):
    """Return the decision about the next candidate that is neither a repeat nor drawn."""
    item = Considered(number, found.fit_for(number), enthalpy, leverage, None)
    return found.decide(item).decision


def test_what_could_end_near_the_best_is_finished_and_what_is_far_is_doubted():
    found = a_screening(explore=0, random_share=1e-9)
    taught(found, 600)
    limit = found.reviews[-1].limit_ev_per_atom
    best = -0.35
    assert best < limit < best + 0.2
    quantile = np.quantile(found._wanted, 1.0 - DOUBTED_SHARE)
    assert decided(found, 600, limit - 0.001, 0.5 * quantile) is Decision.PROMISING
    assert decided(found, 601, limit - 0.001, 1.5 * quantile) is Decision.DOUBTED
    assert decided(found, 602, limit + 0.2, 0.5 * quantile) is Decision.LEFT
    highest = found.reviews[-1].first_limit_ev_per_atom
    assert limit - 0.02 < highest < limit + 0.02  # finished structures lie where they should
    assert found.confirms(601, highest - 0.001)
    assert not found.confirms(601, highest + 0.001)
    lowest = min(found._low)
    if lowest > limit:  # some are finished whatever the limit is
        assert decided(found, 603, lowest - 0.001) is Decision.PROMISING
    assert LEAST_SHARE > 0.0


def test_a_share_that_is_given_is_a_rank_and_nothing_is_doubted():
    decisions = taught(a_screening(share=0.3, explore=0), 1500)
    assert Decision.DOUBTED not in decisions


def test_a_surrogate_that_does_not_rank_is_switched_off_and_on_again():
    found = a_screening(explore=100)
    taught(found, 400, ranks=False)
    assert not found.reviews[-1].on
    assert found.reviews[-1].correlation < 0.7
    direct = [found.fit_for(number) is None for number in range(1000, 2000)]
    assert 0.4 < np.mean(direct) < 0.6
    taught(found, 1200, start=400)
    assert found.reviews[-1].on
    assert found.reviews[-1].correlation > 0.7


def test_a_worthless_surrogate_is_switched_off():
    """Its errors are alike where it chooses, and as wide as its energies everywhere else."""
    for seed in range(5):
        found = a_screening(explore=100)
        taught(found, 1500, ranks=False, seed=seed)
        states = [review.on for review in found.reviews]
        first = states.index(False)
        assert found.reviews[first].candidate < 250
        assert np.mean(states[first:]) < 0.25


def test_one_bad_fit_switches_nothing_off():
    found = a_screening(explore=1000)
    taught(found, 200)
    bad = replace(found.reviews[-1], number=99, correlation=0.5)
    assert found._is_on(found.reviews, 0.5, 0.0)
    assert not found._is_on([*found.reviews, bad], 0.5, 0.0)
    assert found._is_on([*found.reviews, bad], 0.9, 0.0)
    assert not found._is_on(found.reviews, 0.9, 0.6)


def test_a_few_of_the_lowest_switch_nothing_off():
    """Fifteen finished ones that are all among the lowest say little."""
    evidence = Evidence()
    for number in range(16):
        evidence.take(Told(1, -0.01 * number), 0.01 * number)
    assert evidence.correlation(-1) is None
    assert evidence.limits() is None
    for number in range(40):
        evidence.take(Told(1, 0.1 * number), None)
    assert evidence.correlation(-1) > 0.9
    assert evidence.correlation(1) is None  # of later fits


@pytest.mark.parametrize("shift", [-0.03, 0.0, 0.2])
def test_limits_are_those_of_what_could_end_near_the_best(shift):
    """A surrogate whose energies are all too low, or too high, has another limit."""
    evidence = Evidence()
    for number in range(60):
        evidence.take(Told(1, 0.01 * number), 0.01 * number + shift)
    assert evidence.best == pytest.approx(shift)
    limit, first = evidence.limits()
    assert limit == pytest.approx(0.05)
    assert first == pytest.approx(shift + 0.05 - min(shift, 0.0))


def test_a_review_is_due_when_the_best_falls():
    found = a_screening()
    taught(found, 100)
    n_reviews = len(found.reviews)
    found.told(100, None, -2.0, learns=True)
    assert len(found.start(101)) == 1
    found.told(101, None, -2.01, learns=True)
    assert not found.start(102)
    assert len(found.reviews) == n_reviews + 1


def test_fits_are_due_less_often_the_more_is_known():
    found = a_screening(explore=0)
    taught(found, 3000)
    known = [review.learned for review in found.reviews]
    assert known[0] == 12
    assert known == sorted(set(known))
    assert len(known) < 25  # 59 if each 50 candidates made one
    late = [found.frames(number) for number in range(2500, 3000)]
    assert np.mean(np.array(late) > 0) == pytest.approx(100 / known[-1], abs=0.1)


def test_selection_does_not_switch_a_good_surrogate_off():
    found = a_screening(share=0.1, explore=0)
    taught(found, 3000)
    assert all(review.on for review in found.reviews)


def test_unphysical_minima_switch_it_off():
    found = a_screening(explore=0)
    found.reviews = [Review(1, 0, -1, 0.3)]
    found._n_reviews = 1
    for number in range(40):
        item = Considered(number, 1, None, None, None, decision=Decision.RANDOM)
        found.told(number, item, 0.0, learns=True)
        found.start(number + 1)
    assert not found.reviews[-1].on
    assert found.reviews[-1].unphysical == 1.0


def test_reviews_are_the_same_when_records_are_received_again():
    whole = a_screening(share=0.3, explore=20)
    taught(whole, 200)
    again = Screening(whole._settings, 0, whole.reviews)
    rng = np.random.default_rng(1)
    for number in range(200):  # the decisions are known now
        fit, first = whole.fit_for(number), float(rng.normal(0.0, 0.1))
        if fit is None:
            again.told(number, None, first, learns=True)
            continue
        by_surrogate = first + float(rng.normal(0.0, 0.01))
        rng.random()
        again.told(number, Considered(number, fit, by_surrogate, 0.0, None), first, learns=True)
    assert len(again.reviews) == len(whole.reviews)


@pytest.mark.slow
def test_chgnet_teaches_a_surrogate_that_ranks(tmp_path):
    data = {
        "problem": {"formula": "CoAs2", "max_atoms": 12},
        "search": {"seed": 1, "known": "off"},
        "stop": {"core_time": 60.0},
        "surrogate": {"on": True},
        "final": {"best": 0, "judge": "off"},
        "run": {"workers": 1},
    }
    status = nc.predict(data, folder=tmp_path / "run", display=False).status()
    learned = status["surrogate"]
    assert learned["considered"] > 2 * status["structures"]
    assert learned["fits"][-1]["on"]
    assert learned["fits"][-1]["correlation"] > 0.7
    assert learned["fits"][-1]["error_mev_per_atom"] is None  # nothing has come after it
    assert learned["fits"][-2]["error_mev_per_atom"] < 50.0
