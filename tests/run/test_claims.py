"""Claims: one of many gets it, what was given up is taken over, what has ended is left be."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from nucleate.errors import InputError
from nucleate.run import claims as module
from nucleate.run.claims import FOLDER, claim, holder_of, job_number, read


def file_of(folder: Path) -> Path:
    return folder / FOLDER / "NaCl.json"


def rewrite(folder: Path, **values: object) -> None:
    path = file_of(folder)
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def test_one_of_many_gets_it(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: claim(tmp_path, "NaCl", "a"), range(40)))
    [held] = [item for item in found if item is not None]
    assert held.is_held
    held.release()
    assert not file_of(tmp_path).exists()
    assert list((tmp_path / FOLDER).iterdir()) == []


def test_what_has_ended_is_claimed_again_for_another_input_only(tmp_path: Path) -> None:
    first = claim(tmp_path, "NaCl", "a")
    assert first is not None
    with first as held:
        held.end("50 structures were relaxed")
    assert holder_of(tmp_path, "NaCl") is None
    assert claim(tmp_path, "NaCl", "a") is None
    again = claim(tmp_path, "NaCl", "b")
    assert again is not None
    again.release()


def test_an_error_gives_it_back(tmp_path: Path) -> None:
    held = claim(tmp_path, "NaCl", "a")
    assert held is not None
    with pytest.raises(RuntimeError), held:
        raise RuntimeError
    assert not file_of(tmp_path).exists()


def test_a_process_that_was_killed_here_has_no_claim(tmp_path: Path) -> None:
    code = (
        "import os, sys; from pathlib import Path; from nucleate.run.claims import claim; "
        "claim(Path(sys.argv[1]), 'NaCl', 'a'); os._exit(9)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    assert holder_of(tmp_path, "NaCl") is not None
    held = claim(tmp_path, "NaCl", "a")
    assert held is not None
    held.release()


@pytest.mark.parametrize(("age_s", "is_taken"), [(100.0, False), (400.0, True)])
def test_one_of_another_node_is_taken_over_when_it_is_old(
    tmp_path: Path, age_s: float, is_taken: bool
) -> None:
    held = claim(tmp_path, "NaCl", "a")
    assert held is not None
    rewrite(tmp_path, host="n7", token="other")
    now = file_of(tmp_path).stat().st_mtime
    os.utime(file_of(tmp_path), (now - age_s, now - age_s))
    taken = claim(tmp_path, "NaCl", "a")
    assert (taken is not None) is is_taken
    held.release()  # no longer its own: nothing happens
    assert file_of(tmp_path).exists()
    if taken is not None:
        taken.release()


def test_many_who_take_over_are_one_in_the_end(tmp_path: Path) -> None:
    held = claim(tmp_path, "NaCl", "a")
    assert held is not None
    for _ in range(5):
        rewrite(tmp_path, host="n7", token="other")
        os.utime(file_of(tmp_path), (0, 0))
        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(lambda _: claim(tmp_path, "NaCl", "a"), range(8)))
        assert sum(item is not None and item.is_held for item in found) == 1
        for item in found:
            if item is not None:
                item.release()
        claim(tmp_path, "NaCl", "a")
    held.release()


def test_the_former_holder_hears_of_its_loss(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(module, "TOUCH_S", 0.05)
    lost = threading.Event()
    held = claim(tmp_path, "NaCl", "a", lost.set)
    assert held is not None
    before = file_of(tmp_path).stat().st_mtime_ns
    assert not lost.wait(0.3)
    assert file_of(tmp_path).stat().st_mtime_ns > before
    rewrite(tmp_path, token="other")
    assert lost.wait(10.0)
    held.release()


def test_half_a_claim_is_somebodys(tmp_path: Path) -> None:
    file_of(tmp_path).parent.mkdir()
    file_of(tmp_path).write_text('{"tok')
    assert claim(tmp_path, "NaCl", "a") is None
    assert read(file_of(tmp_path)) is not None
    os.utime(file_of(tmp_path), (0, 0))
    held = claim(tmp_path, "NaCl", "a")
    assert held is not None
    held.release()


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / FOLDER).write_text("a file")
    with pytest.raises(InputError, match="claims cannot be written"):
        claim(tmp_path, "NaCl", "a")


def test_the_number_of_a_job(monkeypatch) -> None:
    for name in (*module.JOBS, *module.PARTS):
        monkeypatch.delenv(name, raising=False)
    assert job_number() == ""
    monkeypatch.setenv("SLURM_JOB_ID", "17")
    assert job_number() == "17"
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "3")
    assert job_number() == "17[3]"
