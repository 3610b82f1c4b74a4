"""Tables of searches: one pool of workers, priorities, budgets, one status, continued."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import nucleate as nc
from nucleate.api.holding import holds_many, holds_run
from nucleate.api.many import open_many, predict_many, rows_of, table_text
from nucleate.errors import InputError
from nucleate.run import many as module

OPTIONS: dict[str, Any] = {
    "model": "spp", "max_atoms": 10, "polish": 0, "workers": 1, "judge": "off",
}  # fmt: skip


def table(folder: Path, text: str) -> Path:
    path = folder / "many.csv"
    path.write_text(text)
    return path


def test_rows_share_one_pool_by_priority_and_are_continued(tmp_path: Path, monkeypatch) -> None:
    started = []
    original = module.start_executor
    monkeypatch.setattr(
        module, "start_executor", lambda *a, **k: started.append(1) or original(*a, **k)
    )
    own = tmp_path / "own.toml"
    own.write_text('[problem]\nformula = "CaO"\nmax_atoms = 8\n')
    file = table(
        tmp_path,
        "problem,priority,structures,name\nNaCl,1,5,\nMgO,3,4,best\nown.toml,0,3,\nNaCl,0,2,\n",
    )
    lines: list[str] = []
    runs = predict_many(file, folder=tmp_path / "out", say=lines.append, **OPTIONS)
    begun = [line.partition(":")[0] for line in lines if "begun" in line]
    assert begun == ["best", "NaCl", "own", "NaCl-2"]
    assert len(started) == 1, "workers were not shared"
    found = {row["name"]: row for row in runs.status()["runs"]}
    assert {name: row["structures"] for name, row in found.items()} == {
        "best": 4, "NaCl": 5, "own": 3, "NaCl-2": 2,
    }  # fmt: skip
    assert list(found) == ["best", "NaCl", "own", "NaCl-2"]
    assert all(row["unit"] != "eV" and row["best"] is not None for row in found.values())
    assert runs["own"].formula == "CaO"
    table_of_all = table_text(runs.status())
    assert "5 structures were relaxed" in table_of_all
    assert "a.u." in table_of_all
    again = predict_many(
        table(tmp_path, "problem,priority,structures,name\nNaCl,1,8,\nMgO,3,4,best\n"),
        folder=tmp_path / "out",
        **OPTIONS,
    )
    assert [row["structures"] for row in again.status()["runs"]] == [4, 8]
    alone = nc.predict("NaCl", structures=8, folder=tmp_path / "alone", display=False, **OPTIONS)
    ours, theirs = again["NaCl"].records, alone.records
    assert [r.candidate.crystal.scaled.tolist() for r in ours] == [
        r.candidate.crystal.scaled.tolist() for r in theirs
    ]


def test_a_row_that_cannot_be_searched_does_not_end_the_others(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    nc.predict("MgO", structures=2, folder=folder / "MgO", display=False, **OPTIONS, seed=9)
    lines: list[str] = []
    file = table(tmp_path, "problem,structures,seed\nMgO,3,1\nNaCl,3,1\n")
    runs = predict_many(file, folder=folder, say=lines.append, **OPTIONS)
    assert list(runs.refused) == ["MgO"]
    assert "another input" in runs.refused["MgO"]
    assert len(runs["NaCl"]) >= 3


def test_other_tiers_come_after_with_workers_of_their_own(tmp_path: Path) -> None:
    other = tmp_path / "other.toml"
    other.write_text(
        '[problem]\nformula = "MgO"\nmax_atoms = 8\n'
        '[[tier]]\nname = "loose"\nfmax_ev_per_ang = 0.2\nengine = { kind = "spp" }\n'
    )
    plain = tmp_path / "plain.toml"
    plain.write_text(
        '[problem]\nformula = "NaCl"\nmax_atoms = 8\n'
        '[[tier]]\nname = "spp"\nengine = { kind = "spp" }\n'
    )
    options = {key: value for key, value in OPTIONS.items() if key not in ("model", "max_atoms")}
    file = table(tmp_path, "problem,structures\nother.toml,2\nplain.toml,2\n")
    runs = predict_many(file, folder=tmp_path / "out", **options)
    assert [row["structures"] for row in runs.status()["runs"]] == [2, 2]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "formula\nNaCl\n",
            "'formula' is no column. The column of formulas and input files is 'problem'",
        ),
        ("problem\nMgO\nXx2O\n", "line 3: element 'Xx' is not known"),
        ("problem,max_atoms\nMgO,1\n", "MgO: "),
        ("priority\n1\n", "the column 'problem' is missing"),
        ("problem,priority\nNaCl,high\n", "line 2: priority = 'high' is not a number"),
        ("problem\n", "has no rows"),
        ("problem,priority\n,1\n", "line 2: 'problem' is empty"),
        ("problem\nNaCl,1\n", "line 2: has more values than columns"),
        ("", "the column 'problem' is missing"),
        ("problem,time\nNaCl,soon\n", "not a duration"),
        ("problem\nXx2\n", "Xx"),
    ],
)
def test_bad_tables(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        predict_many(table(tmp_path, text), folder=tmp_path / "out", **OPTIONS)
    assert not (tmp_path / "out").exists()


def test_a_table_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        rows_of(tmp_path / "none.csv")
    assert not holds_many(tmp_path)
    with pytest.raises(InputError, match="no table"):
        open_many(tmp_path)


def test_names_are_safe_and_differ(tmp_path: Path) -> None:
    rows = rows_of(table(tmp_path, "problem,name\nNaCl,../up\nNaCl,a b\nTiO2,\nTiO2,\n"))
    names = [row["name"] for row in rows]
    assert all("/" not in name and name not in ("..", ".") for name in names)
    assert names[2:] == ["TiO2", "TiO2-2"]


def command(file: Path, out: Path, **options: Any) -> subprocess.Popen[str]:
    words = [f"--{key}={value}" for key, value in options.items()]
    code = "from nucleate.cli import main; main()"
    return subprocess.Popen(
        [sys.executable, "-c", code, "predict", str(file), "--out", str(out), "--claim",
         "--tier=spp", "--max-atoms=8", "--polish=0", "--judge=off", "--workers=1", *words],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


@pytest.mark.slow
def test_rows_are_claimed_one_after_the_other(tmp_path: Path) -> None:
    file = table(tmp_path, "problem,structures,priority\nNaCl,3,0\nMgO,2,1\n")
    lines: list[str] = []
    options = {**OPTIONS, "folder": tmp_path / "out", "say": lines.append, "claim": True}
    runs = predict_many(file, **options)
    assert [line for line in lines if "begun" in line] == ["MgO: begun", "NaCl: begun"]
    assert [row["structures"] for row in runs.status()["runs"]] == [2, 3]
    lines.clear()
    predict_many(file, **options)
    assert lines == ["MgO: has ended", "NaCl: has ended"]
    more = table(tmp_path, "problem,structures,priority\nNaCl,3,0\nMgO,4,1\n")
    runs = predict_many(more, **options)
    assert [row["structures"] for row in runs.status()["runs"]] == [4, 3]


@pytest.mark.slow
def test_commands_divide_the_rows_among_themselves(tmp_path: Path) -> None:
    file = table(tmp_path, "problem,structures\nNaCl,3\nMgO,4\nCaO,2\nKCl,3\n")
    started = [command(file, tmp_path / "out") for _ in range(2)]
    texts = [process.communicate(timeout=300)[0] for process in started]
    begun = [line.split(":")[0] for text in texts for line in text.splitlines() if "begun" in line]
    assert sorted(begun) == ["CaO", "KCl", "MgO", "NaCl"], texts
    found = {row["name"]: row for row in open_many(tmp_path / "out").status()["runs"]}
    assert {name: row["structures"] for name, row in found.items()} == {
        "NaCl": 3, "MgO": 4, "CaO": 2, "KCl": 3,
    }  # fmt: skip
    assert not any(row["claimed_by"] for row in found.values())
    again = command(file, tmp_path / "out")
    assert "begun" not in again.communicate(timeout=120)[0]


@pytest.mark.slow
def test_a_command_told_to_end_leaves_its_row_to_others(tmp_path: Path) -> None:
    file = table(tmp_path, "problem\nCaTiO3\nMgO\n")
    out = tmp_path / "out"
    process = command(file, out, time="60s")
    while not holds_run(out / "CaTiO3"):
        time.sleep(0.2)
        assert process.poll() is None
    time.sleep(1.0)
    first = open_many(out).status()["runs"][0]
    assert first["claimed_by"]
    assert "(claimed by " in table_text(open_many(out).status())
    with pytest.raises(InputError, match="searches CaTiO3 for another table"):
        predict_many(table(tmp_path, "problem\nNaCl\n"), folder=out, claim=True, **OPTIONS)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert not open_many(out).status()["runs"][0]["claimed_by"]


def test_a_claim_without_a_table_is_refused(tmp_path: Path) -> None:
    process = command(Path("NaCl"), tmp_path / "out")
    assert "--claim needs a table" in process.communicate(timeout=60)[0]
    assert process.returncode != 0
