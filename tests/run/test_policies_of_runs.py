"""Policies of whole runs: kept, shown, continued after an interruption, and passed on."""

from __future__ import annotations

import json
import shutil
import sqlite3
import sys
from contextlib import closing, suppress
from functools import partial

import numpy as np
import pytest

from nucleate.api import status_of, watched
from nucleate.api.models import inline_executor
from nucleate.api.policy import save_policy, worked
from nucleate.cli import main
from nucleate.errors import InputError
from nucleate.report.done import missed_of
from nucleate.report.live import write_live_page
from nucleate.run.policy import costs_of, read_policy
from nucleate.run.predict import build_search, predict
from nucleate.run.settings import RunSettings
from nucleate.run.store import Store


def settings_of(structures=40, formula="MgO", **search):
    search = {"known": "off", "population": 5, "new_fraction": 0.4, "seed": 2, **search}
    return RunSettings.from_dict(
        {
            "problem": {"formula": formula, "max_atoms": 6},
            "search": {key: value for key, value in search.items() if value is not None},
            "stop": {"structures": structures},
            "tier": [{"engine": {"kind": "spp"}, "max_steps": 40}],
            "final": {"best": 0},
        }
    )


def run(folder, **changes):
    predict(settings_of(**changes), folder, executor=partial(inline_executor, pressure_gpa=0.0))
    return folder


@pytest.fixture(scope="module", params=["bandit", "reinforce"])
def finished(request, tmp_path_factory):
    return request.param, run(tmp_path_factory.mktemp("run"), policy=request.param)


def origins(folder):
    with Store.read(folder) as store:
        told = sorted(store.records(), key=lambda item: item[0].number)
        return [(r.candidate.origin, r.candidate.crystal.scaled.tobytes()) for r, _ in told]


def test_a_run_in_three_parts_is_the_run_in_one(finished, tmp_path):
    policy, whole = finished
    for structures in (12, 23, 40):
        run(tmp_path, policy=policy, structures=structures)
    assert origins(tmp_path) == origins(whole)
    with Store.read(tmp_path) as ours, Store.read(whole) as theirs:
        assert read_policy(ours).chances == pytest.approx(read_policy(theirs).chances)


def test_the_store_tells_what_the_search_learned(finished):
    policy, folder = finished
    search = build_search(settings_of(policy=policy))
    with Store.read(folder) as store:
        for record, update in store.records():
            search.replay(record, update)
        learned, missed = read_policy(store).learned, missed_of(store)
    assert search.guide.policy.learned() == learned
    assert search.progress.finds.missed() == missed
    assert missed.in_words() == status_of(folder)["done"]


def test_what_worked_is_shown(finished):
    policy, folder = finished
    kind, heads, cells, data = worked(folder)
    assert kind == policy
    assert all(len(line) == len(heads) for line in cells)
    assert sum(row["relaxed"] + row["failed"] for row in data) == 40
    assert sum(row["share_now"] for row in data) == pytest.approx(1.0, abs=1e-3)
    status = status_of(folder)
    assert (status["policy"], status["worked"]) == (policy, data)
    assert status["rates"].startswith("low minima per 1000 s")
    text, _ = watched(folder, width=300, height=40)
    assert f"{policy} draws" in text
    page = write_live_page(folder).read_text(encoding="utf-8")
    assert f"(policy: {policy})" in page
    assert "policy_state" not in page


def test_a_policy_is_passed_on_and_kept(finished, tmp_path):
    policy, folder = finished
    save_policy(folder, tmp_path / "p.json")
    first = run(tmp_path / "a", formula="CaO", structures=8, policy=policy,
                policy_from=str(tmp_path / "p.json"))  # fmt: skip
    second = run(tmp_path / "b", formula="CaO", structures=8, policy=policy,
                 policy_from=str(folder))  # fmt: skip
    plain = run(tmp_path / "c", formula="CaO", structures=8, policy=policy)
    assert origins(first) == origins(second)
    with Store.read(first) as ours, Store.read(plain) as theirs:
        assert read_policy(ours).chances != pytest.approx(read_policy(theirs).chances, abs=1e-4)
    (tmp_path / "p.json").unlink()  # what a run began with is in its own folder
    run(tmp_path / "a", formula="CaO", structures=12, policy=policy,
        policy_from=str(tmp_path / "p.json"))  # fmt: skip
    assert len(origins(first)) >= 12


def test_a_bandit_learns_from_a_run_of_any_policy(tmp_path):
    fixed = run(tmp_path / "fixed", structures=15)
    assert worked(fixed)[0] == "fixed"
    run(tmp_path / "next", structures=6, policy="bandit", policy_from=str(fixed))
    with pytest.raises(InputError, match=r"'reinforce' learns nothing.* policy = 'bandit', which"):
        run(tmp_path / "no", structures=6, policy="reinforce", policy_from=str(fixed))
    with pytest.raises(InputError, match=r"learns nothing .* policy = 'bandit' or 'reinforce'"):
        save_policy(fixed, tmp_path / "p.json")


def test_what_evolution_learned_of_its_operators_is_shown(tmp_path):
    folder, settings = tmp_path / "run", settings_of(kind="evolution", structures=30)
    predict(settings, folder, executor=partial(inline_executor, pressure_gpa=0.0))
    search = build_search(settings)
    with Store.read(folder) as store:
        for record, update in store.records():
            search.replay(record, update)
        view = read_policy(store)
    chances = dict(zip(view.arms, view.chances, strict=True))
    assert sum(view.chances) == pytest.approx(1.0)
    learned = {name.removeprefix("move:"): share for name, share in chances.items()}
    for name, share in zip(search._credit.names, search._credit.chances(), strict=True):
        assert learned[name] == pytest.approx(0.6 * share)
    assert learned["heredity"] != pytest.approx(0.3, abs=1e-3)  # as at first
    kind, _, _, rows = worked(folder)
    assert kind == "evolution"
    assert sum(row["relaxed"] + row["failed"] for row in rows) == 30
    assert "; evolution draws " in status_of(folder)["rates"]
    assert "(policy: evolution)" in write_live_page(folder).read_text(encoding="utf-8")
    with pytest.raises(InputError, match="its search is 'evolution', which learns only how often"):
        save_policy(folder, tmp_path / "p.json")
    with pytest.raises(InputError, match="its search is 'evolution'"):
        run(tmp_path / "no", structures=6, policy="bandit", policy_from=str(folder))


def test_a_search_without_shares_says_so(tmp_path, capsys, monkeypatch):
    folder = tmp_path / "run"
    predict(settings_of(kind="swarm", structures=8, new_fraction=None), folder,
            executor=partial(inline_executor, pressure_gpa=0.0))  # fmt: skip
    with pytest.raises(InputError, match="its search is 'swarm', which has no policy"):
        save_policy(folder, tmp_path / "p.json")
    monkeypatch.setattr(sys, "argv", ["nucleate", "policy", str(folder)])
    with suppress(SystemExit):
        main()
    assert "policy: none; swarm and random searches" in capsys.readouterr().out


def test_policies_of_other_moves_and_other_files_are_refused(finished, tmp_path):
    policy, folder = finished
    with pytest.raises(InputError, match=r"search\.policy_from.*'double' is off here"):
        run(tmp_path, policy=policy, policy_from=str(folder), moves={"double": 0.0})
    with pytest.raises(InputError, match=r"search\.policy_from = .*cannot be read"):
        run(tmp_path, policy=policy, policy_from=str(tmp_path / "none.json"))
    with pytest.raises(InputError, match="policy_from has no effect where policy = 'fixed'"):
        settings_of(policy_from=str(folder))
    with pytest.raises(InputError, match=r"search\.policy"):
        settings_of(policy="nonsense")


def test_the_usual_cost_of_an_evaluation_grows_from_potentials_to_programs():
    tiers = RunSettings.from_dict(
        {
            "problem": {"formula": "MgO"},
            "tier": [
                {"name": kind, "engine": {"kind": kind}} for kind in ("spp", "chgnet", "gpaw")
            ],
        }
    ).tier
    assert (np.diff(costs_of(tiers)) > 0).all()


@pytest.mark.parametrize(
    "hostile",
    [
        {"arms": ["symmetric"], "weights": [], "tiers": [], "costs": []},
        {"arms": ["a"], "weights": [float("nan")], "tiers": [], "costs": []},
        {"arms": 3},
        {},
    ],
)
def test_facts_that_make_no_sense_are_none(finished, tmp_path, hostile):
    _, folder = finished
    shutil.copytree(folder, tmp_path / "run")
    with closing(sqlite3.connect(tmp_path / "run" / "run.db")) as db:
        db.execute("UPDATE event SET data = ? WHERE kind = 'policy'", (json.dumps(hostile),))
        db.commit()
    assert status_of(tmp_path / "run")["worked"] == []


def test_code_that_only_the_folder_names_is_not_imported(finished, tmp_path):
    _, folder = finished
    shutil.copytree(folder, tmp_path / "run")
    with closing(sqlite3.connect(tmp_path / "run" / "run.db")) as db:
        (text,) = db.execute("SELECT value FROM meta WHERE key = 'input'").fetchone()
        data = json.loads(text)
        data["search"]["policy"] = {"kind": "antigravity:Policy"}
        db.execute("UPDATE meta SET value = ? WHERE key = 'input'", (json.dumps(data),))
        db.commit()
    assert status_of(tmp_path / "run")["policy"] == "fixed"
    assert "antigravity" not in sys.modules
