"""More tiers for the best structures of a finished run: what is chosen, added, kept and refused."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time

import numpy as np
import pytest
from ase.calculators.emt import EMT
from ase.io import read

from nucleate.api.refine import refinement_of
from nucleate.errors import InputError
from nucleate.relax.outcome import Failed, Relaxed
from nucleate.report.content import read_run
from nucleate.run.store import Store

from .conftest import call_in


def with_path(folder):
    """Return a search path of children with a folder in front of that of these tests."""
    return os.pathsep.join([str(folder), *filter(None, sys.path)])


SEARCH = """\
[problem]
formula = "Cu3Au"
max_atoms = 4
[search]
seed = 5
population = 3
structures = 7
generators = [{ kind = "blocks" }]
[[tier]]
name = "rough"
max_steps = 3
slots = 1
engine = { kind = "ase", calculator = "ase.calculators.emt:EMT" }
[final]
best = 0
[run]
workers = 1
"""

PICKY = """\
import os, time
from ase.calculators.emt import EMT

class Picky(EMT):
    '''Fails on crystals whose volume is in a list, and takes its time.'''

    def __init__(self, refuse=(), delay_s=0.0):
        super().__init__()
        self.refuse, self.delay_s = refuse, delay_s

    def calculate(self, atoms=None, *args, **kwargs):
        time.sleep(self.delay_s)
        if any(abs(atoms.get_volume() - volume) < 1e-6 for volume in self.refuse):
            raise RuntimeError("this crystal is not to its taste")
        super().calculate(atoms, *args, **kwargs)
"""

TIGHT = """\
best = 4
[[tier]]
name = "tight"
fmax_ev_per_ang = 0.005
max_stress_gpa = 0.1
pre_relax = false
engine = { kind = "ase", calculator = "ase.calculators.emt:EMT" }
[run]
workers = 1
"""

EMT_TIER = ("--tier", "ase=ase.calculators.emt:EMT", "--workers", 1)


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    """A run of one rough tier."""
    folder = tmp_path_factory.mktemp("searched")
    (folder / "run.toml").write_text(SEARCH)
    assert call_in(folder, "predict", "run.toml", "--out", "run").status == 0
    return folder / "run"


@pytest.fixture
def run(searched, tmp_path):
    """A copy of it."""
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "run.db").write_bytes((searched / "run.db").read_bytes())
    (tmp_path / "picky.py").write_text(PICKY)
    (tmp_path / "tight.toml").write_text(TIGHT)
    return tmp_path / "run"


@pytest.fixture(scope="module")
def refined(searched, tmp_path_factory):
    """The run after its four best went through one more tier, and the words that were printed."""
    folder = tmp_path_factory.mktemp("refined")
    (folder / "run").mkdir()
    (folder / "run" / "run.db").write_bytes((searched / "run.db").read_bytes())
    (folder / "tight.toml").write_text(TIGHT)
    done = call_in(folder, "refine", "run", "--input", "tight.toml")
    assert done.status == 0, done.err
    return folder / "run", done.out


def outcomes(folder, tier):
    with Store.read(folder) as store:
        return {
            record.number: item.outcome
            for record, _ in store.records()
            for item in record.outcomes
            if item.tier == tier
        }


def n_rows(folder):
    with sqlite3.connect(folder / "run.db") as db:
        return db.execute("SELECT count(*) FROM outcome").fetchone()[0]


def test_the_best_are_refined_and_ranked_on_the_new_tier(refined, searched):
    before = read_run(searched)
    chosen = [item.record.number for item in before.ranked()[:4]]
    run, out = refined
    assert "4 of 4 structures are through, 4 have an energy" in out
    results = outcomes(run, "tight")
    assert sorted(results) == sorted(chosen)
    content = read_run(run)
    assert content.tiers == ("rough", "tight")
    assert content.added == ("tight",)
    ranked = content.ranked()
    lead = [item for item in ranked if item.tier == "tight"]
    assert ranked[: len(lead)] == lead
    assert sum(item.copies for item in ranked) == sum(item.copies for item in before.ranked())
    for item in lead:
        atoms = item.relaxed.crystal.to_ase()
        atoms.calc = EMT()
        assert item.relaxed.energy == pytest.approx(atoms.get_potential_energy(), abs=1e-6)
        assert item.relaxed.converged
        assert item.relaxed.max_force <= 0.005
    start = {record.number: record for record, _ in before.told}
    for number, outcome in results.items():
        assert outcome.enthalpy_per_atom <= start[number].relaxed.enthalpy_per_atom + 1e-9
    with Store.read(run) as store:
        data = store.added_tiers()["tight"]
    assert (data["source"], data["settings"]["fmax_ev_per_ang"]) == ("refine", 0.005)


def test_exports_keep_the_tiers_apart(nucleate, refined):
    run, _ = refined
    rows = {int(row["record"]): row for row in csv.DictReader((run / "results.csv").open())}
    results = outcomes(run, "tight")
    for number, outcome in results.items():
        assert float(rows[number]["tight_energy_ev_per_atom"]) == outcome.energy_per_atom
        assert rows[number]["tight_status"] == "converged"
        assert rows[number]["rough_status"] in ("converged", "out of steps", "max steps") or (
            rows[number]["rough_converged"] == "False"
        )
    untouched = set(rows) - set(results)
    assert all(rows[number]["tight_status"] == "" for number in untouched)
    frames = read(run / "tiers" / "tight.extxyz", ":")
    assert len(frames) == len({frame.info["record"] for frame in frames})
    for frame in frames:
        outcome = results[frame.info["record"]]
        assert frame.get_potential_energy() == pytest.approx(outcome.energy)
        assert np.allclose(frame.get_forces(), outcome.forces, atol=1e-10)
    rough = read(run / "tiers" / "rough.extxyz", ":")
    assert len(rough) >= len(frames)
    page = (run / "report.html").read_text(encoding="utf-8")
    assert "Tier by tier" in page
    assert "rough → tight" in page
    status = json.loads(nucleate("status", run, "--json").out)
    assert status["best"][0]["tier"] == "tight"
    assert status["stop_reason"] == "7 structures were relaxed"


def test_a_failure_leaves_the_structure_on_the_tier_below_and_is_shown(nucleate, run):
    best = read_run(run).ranked()[0]
    volume = best.relaxed.crystal.volume
    engine = (
        f'{{ kind = "ase", calculator = "picky:Picky", options = {{ refuse = [{volume!r}] }} }}'
    )
    text = re.sub(r"engine = .*", f"engine = {engine}", TIGHT)
    (run.parent / "picky.toml").write_text(text)
    words = ("refine", run, "--input", "picky.toml")
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = with_path(run.parent)
    try:
        result = nucleate(*words)
    finally:
        os.environ.pop("PYTHONPATH")
        if before is not None:
            os.environ["PYTHONPATH"] = before
    assert result.status == 0, result.err
    assert f"record {best.record.number}: tight failed (calculator" in result.out
    ranked = read_run(run).ranked()
    marked = [item for item in ranked if item.failed is not None]
    assert [item.record.number for item in marked] == [best.record.number]
    assert marked[0].tier == "rough"
    assert marked[0].rank > sum(item.tier == "tight" for item in ranked) - 1
    table = list(csv.DictReader((run / "ranking.csv").open()))
    (row,) = [row for row in table if row["failed_tier"]]
    assert (row["failed_tier"], row["fail_reason"], row["tier"]) == ("tight", "calculator", "rough")
    assert "not to its taste" in row["fail_message"]
    assert "tight failed: calculator" in (run / "report.html").read_text(encoding="utf-8")
    assert "tight failed: calculator" in nucleate("status", run).out
    frame = next(frame for frame in read(run / "structures.extxyz", ":")
                 if frame.info["record"] == best.record.number)  # fmt: skip
    assert frame.info["failed_tier"] == "tight"


@pytest.mark.slow
def test_again_does_nothing_and_more_of_the_best_does_the_rest(nucleate, run):
    assert nucleate("refine", run, *EMT_TIER, "--best", 2, "--single-point").status == 0
    first, rows = outcomes(run, "ase"), n_rows(run)
    assert len(first) == 2
    assert nucleate("refine", run, *EMT_TIER, "--best", 2, "--single-point").status == 0
    assert n_rows(run) == rows
    assert nucleate("refine", run, *EMT_TIER, "--best", 4, "--single-point").status == 0
    more = outcomes(run, "ase")
    assert len(more) == 4
    assert set(first) < set(more)
    assert all(more[number].energy == first[number].energy for number in first)


@pytest.mark.slow
def test_several_tiers_climb_and_tiers_can_be_added_later(nucleate, run):
    two = TIGHT + TIGHT.partition("\n")[2].partition("[run]")[0].replace("tight", "tighter")
    (run.parent / "two.toml").write_text(
        two.replace("fmax_ev_per_ang = 0.005", "fmax_ev_per_ang = 0.01", 1)
    )
    assert nucleate("refine", run, "--input", "two.toml", "--best", 3).status == 0
    assert len(outcomes(run, "tight")) == len(outcomes(run, "tighter")) == 3
    assert nucleate("refine", run, *EMT_TIER, "--best", 1, "--single-point").status == 0
    content = read_run(run)
    assert content.ladder == ("rough", "tight", "tighter", "ase")
    top = content.ranked()[0]
    assert [item.tier for item in top.record.outcomes] == ["rough", "tight", "tighter", "ase"]
    # the lower of the added tiers may go on later: it starts from below, and ranks where it was
    settings = two.replace("fmax_ev_per_ang = 0.005", "fmax_ev_per_ang = 0.01", 1).partition(
        '[[tier]]\nname = "tighter'
    )
    (run.parent / "lower.toml").write_text(settings[0])
    assert nucleate("refine", run, "--input", "lower.toml", "--best", 5).status == 0
    content = read_run(run)
    assert content.ladder == ("rough", "tight", "tighter", "ase")
    assert [item.tier for item in content.ranked()[0].record.outcomes][-1] == "ase"
    assert len(outcomes(run, "tight")) == min(
        5, len({r.number for r, _ in content.told if r.relaxed})
    )


@pytest.mark.slow
def test_failed_ones_are_tried_again_when_asked(nucleate, run, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", with_path(run.parent))
    (run.parent / "moody.py").write_text(
        "import os\nfrom ase.calculators.emt import EMT\n"
        "def Moody():\n    if not os.path.exists('licence'):\n"
        "        return Broken()\n    return EMT()\n"
        "class Broken(EMT):\n    def calculate(self, *args, **kwargs):\n"
        "        raise RuntimeError('no licence')\n"
    )
    words = ("refine", run, "--tier", "ase=moody:Moody", "--workers", 1, "--best", 2)
    result = nucleate(*words, "--single-point")
    assert result.status == 1
    assert "no licence" in result.out
    assert all(isinstance(item, Failed) for item in outcomes(run, "ase").values())
    (run.parent / "licence").write_text("")
    assert nucleate(*words, "--single-point").status == 1
    result = nucleate(*words, "--single-point", "--retry")
    assert result.status == 0, result.out + result.err
    assert all(isinstance(item, Relaxed) for item in outcomes(run, "ase").values())
    assert all(item.failed is None for item in read_run(run).ranked())


@pytest.mark.slow
def test_the_search_goes_on_as_if_nothing_had_been_refined(nucleate, run, searched, tmp_path):
    assert nucleate("refine", run, "--input", "tight.toml").status == 0
    (tmp_path / "plain").mkdir()
    (tmp_path / "plain" / "run.db").write_bytes((searched / "run.db").read_bytes())
    (tmp_path / "run.toml").write_text(SEARCH.replace("structures = 7", "structures = 11"))
    for folder in (run, tmp_path / "plain"):
        result = nucleate("predict", "run.toml", "--out", folder)
        assert result.status == 0, result.err
    told, plain = read_run(run).told, read_run(tmp_path / "plain").told
    assert [v for _, v in told] == [v for _, v in plain]
    assert [r.enthalpies()["rough"] for r, _ in told if r.relaxed] == [
        r.enthalpies()["rough"] for r, _ in plain if r.relaxed
    ]
    assert len(outcomes(run, "tight")) == 4


@pytest.mark.slow
def test_kill_minus_nine_loses_only_what_was_in_flight(run):
    engine = '{ kind = "ase", calculator = "picky:Picky", options = { delay_s = 0.03 } }'
    (run.parent / "slow.toml").write_text(re.sub(r"engine = .*", f"engine = {engine}", TIGHT))
    words = [sys.executable, "-m", "nucleate", "refine", "run", "--input", "slow.toml"]
    environment = dict(os.environ, PYTHONPATH=with_path(run.parent))
    kills, done = 0, 0
    while True:
        process = subprocess.Popen(words, cwd=run.parent, env=environment, stdout=subprocess.PIPE)
        while process.poll() is None and len(outcomes(run, "tight")) <= done:
            time.sleep(0.03)
        if process.poll() is not None or kills == 2:
            process.communicate()
            break
        process.send_signal(signal.SIGKILL)
        process.wait()
        kills += 1
        with sqlite3.connect(run / "run.db") as db:
            assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert len(outcomes(run, "tight")) >= done
        done = len(outcomes(run, "tight"))
    assert process.returncode == 0
    assert kills == 2
    assert len(outcomes(run, "tight")) == 4
    assert n_rows(run) == sum(len(r.outcomes) for r, _ in read_run(run).told)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("refine", "nowhere", *EMT_TIER), "nowhere is not a run folder"),
        (("refine", "run", "--tier", "magic"), "kind = 'magic' is not known"),
        (("refine", "run", *EMT_TIER, "--name", "rough"), "is a tier of the search itself"),
        (("refine", "run", *EMT_TIER, "--best", 0), "best = 0 must be greater than or equal to 1"),
        (("refine", "run", "--input", "none.toml"), "none.toml: cannot be read"),
        (("refine", "run", "--input", "typo.toml"), "Did you mean 'best'?"),
        (("refine", "run", *EMT_TIER, *EMT_TIER), "occurs twice"),
        (("refine", "run", "--tier", "ase=no.such:Thing"), "the module no is not installed"),
    ],
)
def test_bad_input(nucleate, run, words, message):
    (run.parent / "typo.toml").write_text("bets = 3\n" + TIGHT.partition("\n")[2])
    rows = n_rows(run)
    result = nucleate(*words)
    assert result.status == 2
    assert message in result.err
    assert "Traceback" not in result.err
    assert n_rows(run) == rows
    assert read_run(run).ladder == ("rough",)


@pytest.mark.slow
def test_a_name_stands_for_one_kind_of_energy(nucleate, run):
    assert nucleate("refine", run, "--input", "tight.toml", "--best", 1).status == 0
    (run.parent / "other.toml").write_text(
        TIGHT.replace("fmax_ev_per_ang = 0.005", "fmax_ev_per_ang = 0.01")
    )
    result = nucleate("refine", run, "--input", "other.toml")
    assert result.status == 2
    assert "(fmax_ev_per_ang: 0.005 -> 0.01)" in result.err
    assert "--name" in result.err
    (run.parent / "same.toml").write_text(TIGHT.replace("pre_relax", "wall_s = 50\npre_relax"))
    assert nucleate("refine", run, "--input", "same.toml").status == 0
    with Store.append_to(run) as store:
        store.db.execute("UPDATE level SET version = '0.1' WHERE code = 'ase'")
        store.commit()
    result = nucleate("refine", run, "--input", "tight.toml", "--best", 5)
    assert result.status == 2
    assert "cannot be compared" in result.err


def test_series_of_files_are_not_refined(nucleate, run):
    from ase.build import bulk
    from ase.io import write

    write(run.parent / "a.cif", bulk("Cu", "fcc", 3.7))
    assert nucleate("relax", "a.cif", *EMT_TIER, "--single-point", "--out", "files").status == 0
    result = nucleate("refine", "files", *EMT_TIER)
    assert result.status == 2
    assert "not a search" in result.err


def test_options_of_a_model_are_refused_for_a_file(tmp_path):
    (tmp_path / "more.toml").write_text('[[tier]]\nname = "lj"\nengine = {kind = "spp"}\n')
    for options, own in (({"single_point": True}, "relax = false"), ({"name": "x"}, "name")):
        with pytest.raises(InputError, match=rf"no effect on the tiers of a file\. Write {own}"):
            refinement_of(input_file=tmp_path / "more.toml", **options)
