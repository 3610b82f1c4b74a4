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

import numpy as np
import pytest
from ase.calculators import emt

import nucleate as nc
from nucleate.api.policy import worked
from nucleate.errors import InputError
from nucleate.run.policy import read_policy
from nucleate.run.predict import build_search
from nucleate.run.settings import RefinementSettings, RunSettings
from nucleate.run.store import Store

EMT = {"kind": "ase", "calculator": "ase.calculators.emt:EMT"}


def an_input(*, formula="Cu3Au", structures=36, seed=3, **learning):
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
    assert status["structures"] == 36
    assert not status["failures"]
    assert learned["considered"] > learned["finished"] > 0
    assert len(learned["fits"]) >= 2
    assert [fit["number"] for fit in learned["fits"]] == list(range(1, len(learned["fits"]) + 1))
    assert learned["fits"][-1]["frames"] > learned["fits"][0]["frames"]
    assert "considered" in learned["words"]


@pytest.mark.slow
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
    assert sum(row["relaxed"] for row in rows) == 36
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


@pytest.mark.slow
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
    data = an_input(formula="Cu", structures=3, learn_from=str(run))
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
    nc.predict(an_input(structures=39), folder=folder, display=False)
    status = nc.open(folder).status()
    assert status["structures"] == 39
    assert "are no surrogate" in status["surrogate"]["fits"][0]["reason"]


@pytest.mark.slow
def test_a_python_object_teaches_in_this_process(tmp_path):
    found = nc.predict(
        "Cu3Au",
        model=emt.EMT(),
        learn=True,
        folder=tmp_path / "run",
        max_atoms=4,
        known="off",
        structures=36,
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
