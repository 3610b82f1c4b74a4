"""The final phase of a run: polished, resumed, judged, switched off, refused."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from ase.calculators.emt import EMT

from nucleate.relax.outcome import Failed, Relaxed
from nucleate.report.content import read_run
from nucleate.report.ranking import ENERGY
from nucleate.run.store import Store
from nucleate.search.polished import JUDGED, POLISHED

from .conftest import call_in

SEARCH = """\
[problem]
formula = "Cu3Au"
max_atoms = 4
[search]
seed = 5
population = 3
known = "all"
generators = [{ kind = "blocks" }]
[stop]
structures = 5
[[tier]]
name = "rough"
max_steps = 12
slots = 1
engine = { kind = "ase", calculator = "slow:Slow" }
[final]
best = 3
judge = "off"
[run]
workers = 1
"""

SLOW = """\
import time
from pathlib import Path
from ase.calculators.emt import EMT

class Slow(EMT):
    '''Takes its time as long as there is a file.'''

    def calculate(self, *args, **kwargs):
        time.sleep(0.1 if Path("slow").exists() else 0.0)
        super().calculate(*args, **kwargs)

class Wrong(EMT):
    def calculate(self, *args, **kwargs):
        raise RuntimeError("no opinion")
"""

JUDGE = '[final]\nbest = 3\njudge = { name = "other", max_steps = 5, engine = { kind = "ase", calculator = "%s" } }\n'  # noqa: E501


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A run with its final phase."""
    folder = tmp_path_factory.mktemp("finished")
    (folder / "run.toml").write_text(SEARCH)
    (folder / "slow.py").write_text(SLOW)
    done = call_in(folder, "predict", "run.toml", "--out", "run")
    assert done.status == 0, done.err
    return folder, done


@pytest.fixture
def run(finished, tmp_path):
    """A copy of it."""
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "run.db").write_bytes((finished[0] / "run" / "run.db").read_bytes())
    (tmp_path / "slow.py").write_text(SLOW)
    (tmp_path / "run.toml").write_text(SEARCH)
    return tmp_path / "run"


def outcomes(folder):
    with Store.read(folder) as store:
        return {
            (record.number, item.tier): item.outcome
            for record, _ in store.records()
            for item in record.outcomes
            if item.tier in POLISHED
        }


def test_the_first_rows_are_polished(finished):
    folder, done = finished
    assert "polishing: " in done.err
    assert "The first structure is the observed one with probability" in done.out
    content = read_run(folder / "run")
    ranked = content.ranked()
    polished = [item for item in ranked if item.finding is not None]
    assert polished
    assert ranked[: len(polished)] == polished
    for item in polished:
        assert item.tier in POLISHED
        assert item.relaxed.max_force <= 0.005
        assert item.relaxed.max_stress_gpa <= 0.02
        atoms = item.crystal.to_ase()
        atoms.calc = EMT()
        assert item.relaxed.energy == pytest.approx(atoms.get_potential_energy(), abs=1e-6)
    assert all(item.tier == "rough" for item in ranked[len(polished) :])
    searched = {record.number: record.relaxed_by("rough") for record, _ in content.told}
    for item in polished:
        if item.tier == item.record.tier:
            before = searched[item.record.number].enthalpy_per_atom
            assert item.relaxed.enthalpy_per_atom <= before + 5e-4
    assert sum(item.copies for item in ranked) == sum(r is not None for r in searched.values())
    energies = [i.relaxed.enthalpy_per_atom for i in content.ranked(ENERGY)[: len(polished)]]
    assert energies == sorted(energies)
    text = (folder / "run" / "report.html").read_text()
    assert "The first structure is the observed one with probability" in text


def test_a_run_can_be_continued_after_its_final_phase(nucleate, run):
    before = outcomes(run)
    text = SEARCH.replace("structures = 5", "structures = 7")
    (run.parent / "run.toml").write_text(text)
    assert nucleate("predict", "run.toml", "--out", "run").status == 0
    after = outcomes(run)
    assert before.keys() <= after.keys()
    for key, outcome in before.items():
        assert after[key].energy == outcome.energy
    assert len(read_run(run).told) >= 7


def test_nothing_is_done_twice(nucleate, run):
    before = len(outcomes(run))
    result = nucleate("refine", "run", "--workers", 1)
    assert result.status == 0, result.err
    assert len(outcomes(run)) == before


def test_killed_and_continued_it_is_the_same(finished, run):
    """The phase is killed once it has written something; the same command continues."""
    whole = outcomes(finished[0] / "run")
    with Store.append_to(run) as store:
        store.db.execute("DELETE FROM outcome WHERE tier != 'rough'")
        store.db.execute("DELETE FROM event WHERE kind IN ('final', 'tier')")
        store.commit()
    (run.parent / "slow").touch()
    words = ("refine", "run", "--workers", "1")
    command = [sys.executable, "-m", "nucleate", *words]
    child = subprocess.Popen(command, cwd=run.parent, stderr=subprocess.DEVNULL,
                             stdout=subprocess.DEVNULL, start_new_session=True)  # fmt: skip
    until = time.monotonic() + 120.0
    while not outcomes(run) and time.monotonic() < until:
        assert child.poll() is None
        time.sleep(0.1)
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    part = outcomes(run)
    assert 0 < len(part) < len(whole)
    (run.parent / "slow").unlink()
    time.sleep(0.5)
    assert call_in(run.parent, *words).status == 0
    again = outcomes(run)
    assert again.keys() == whole.keys()
    for key, outcome in whole.items():
        assert again[key].energy == pytest.approx(outcome.energy, abs=1e-9)


def test_a_second_model_gives_its_opinion_and_ranks_nothing(nucleate, run):
    before = [item.record.number for item in read_run(run).ranked()]
    text = SEARCH.replace('[final]\nbest = 3\njudge = "off"\n', JUDGE % "slow:Slow")
    (run.parent / "run.toml").write_text(text)
    result = nucleate("predict", "run.toml", "--out", "run")
    assert result.status == 0, result.err
    assert "also puts the first structure lowest" in result.out
    content = read_run(run)
    assert [item.record.number for item in content.ranked()] == before
    first = content.ranked()[0]
    assert first.finding.opinion.energy == pytest.approx(first.relaxed.enthalpy_per_atom, abs=1e-5)
    assert all(item.tier not in JUDGED for record, _ in content.told for item in record.outcomes)
    with Store.read(run) as store:
        assert all(isinstance(outcome, Relaxed) for outcome in store.judged().values())
    facts = json.loads(nucleate("status", "run", "--json").out)
    assert facts["final"][-2:] == [
        "other also puts the first structure lowest.",
        "With its energies the rule puts the first structure first, too.",
    ]


@pytest.mark.parametrize("calculator", ["slow:Wrong", "slow:Missing"])
def test_a_second_model_that_fails_leaves_the_list(nucleate, run, calculator):
    before = [item.record.number for item in read_run(run).ranked()]
    text = SEARCH.replace('[final]\nbest = 3\njudge = "off"\n', JUDGE % calculator)
    (run.parent / "run.toml").write_text(text)
    result = nucleate("predict", "run.toml", "--out", "run")
    assert result.status == 0, result.err
    assert "judge" in result.out
    assert [item.record.number for item in read_run(run).ranked()] == before
    with Store.read(run) as store:
        assert all(isinstance(outcome, Failed) for outcome in store.judged().values())


@pytest.mark.slow
def test_it_can_be_switched_off_and_made_up_for(nucleate, tmp_path):
    (tmp_path / "slow.py").write_text(SLOW)
    (tmp_path / "run.toml").write_text(SEARCH.replace("best = 3", "best = 0"))
    assert nucleate("predict", "run.toml", "--out", "run").status == 0
    assert not outcomes(tmp_path / "run")
    result = nucleate("refine", "run", "--best", 1, "--workers", 1, "--order", "energy")
    assert result.status == 0, result.err
    assert outcomes(tmp_path / "run")


def test_a_budget_ends_it_and_the_rest_is_listed_below(nucleate, run):
    with Store.append_to(run) as store:
        store.db.execute("DELETE FROM outcome WHERE tier != 'rough'")
        store.db.execute("DELETE FROM event WHERE kind IN ('final', 'tier')")
        store.commit()
    text = SEARCH.replace("best = 3", "best = 3\nbudget = 1e-6")
    (run.parent / "run.toml").write_text(text)
    result = nucleate("predict", "run.toml", "--out", "run")
    assert result.status == 0, result.err
    assert "tight relaxations are done (the core time is spent)" in result.out


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ('judge = "magic"', "final.judge"),
        ("best = -1", "final.best = -1"),
        ("budget = 0", "final.budget = 0"),
        ("same = 0.5", "final.same = 0.5"),
        ("window = 0.1", "window_ev_per_atom"),
    ],
)
def test_bad_input(nucleate, tmp_path, section, message):
    (tmp_path / "slow.py").write_text(SLOW)
    text = SEARCH.replace('best = 3\njudge = "off"', section)
    (tmp_path / "run.toml").write_text(text)
    result = nucleate("predict", "run.toml", "--out", "run")
    assert result.status == 2
    assert message in result.err
    assert not (tmp_path / "run" / "run.db").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("refine", "run", "--order", "beauty"), "order = 'beauty'"),
        (("refine", "run", "--single-point"), "--single-point"),
        (("refine", "run", "--judge", "magic"), "final.judge"),
        (("refine", "run", "--judge", "chgnet", "--tier", "chgnet"), "--judge is for"),
        (("status", "run", "--order", "beauty"), "order = 'beauty'"),
        (("export", "run", "--order", "beauty"), "order = 'beauty'"),
    ],
)
def test_bad_options(nucleate, run, words, message):
    result = nucleate(*words)
    assert result.status == 2
    assert message in result.err


def test_names_of_the_phase_are_taken(nucleate, tmp_path):
    (tmp_path / "slow.py").write_text(SLOW)
    (tmp_path / "run.toml").write_text(SEARCH.replace('"rough"', '"polished"'))
    result = nucleate("predict", "run.toml", "--out", "run")
    assert result.status == 2
    assert "'polished' is a name of the final phase" in result.err
