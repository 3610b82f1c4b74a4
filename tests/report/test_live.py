"""The page of a running search."""

import re

import pytest
from tests.report.conftest import SALT

import nucleate as nc
from nucleate.report import live
from nucleate.run.events import Progress
from nucleate.run.store import Store
from nucleate.search.search import SearchProgress

CALCULATOR = "ase.calculators.emt:EMT"


def progress(n_structures):
    return Progress(search=SearchProgress(n_structures=n_structures))


def test_a_running_search_has_a_page_that_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(live, "FIRST_S", 0.0)
    monkeypatch.setattr(live, "EVERY_S", 0.0)
    monkeypatch.setattr(live, "SHARE", 1e9)
    seen = []
    write = live.write_live_page

    def noted(folder):
        path = write(folder)
        seen.append(path.read_text(encoding="utf-8"))
        return path

    monkeypatch.setattr(live, "write_live_page", noted)
    run = nc.predict({**SALT, "stop": {"structures": 6}}, folder=tmp_path / "run")
    assert len(seen) > 1
    assert '"running":true' in seen[-1]
    assert "structures/" not in seen[-1], "files are written at the end"
    assert not list(run.folder.glob("*unfinished*"))
    run.export()
    page = (run.folder / "report.html").read_text(encoding="utf-8")
    assert '"running":false' in page
    assert re.search(r'href="structures/[^"]+\.cif"', page)


def test_pages_take_a_small_share_of_the_time_and_only_when_there_is_news(tmp_path, monkeypatch):
    clock = {"now": 0.0, "used": 0.0}
    pages = []
    monkeypatch.setattr(live.time, "monotonic", lambda: clock["now"])
    monkeypatch.setattr(live.time, "process_time", lambda: clock["used"])

    def write(folder):
        clock["used"] += 1.0
        pages.append(clock["now"])
        return folder

    monkeypatch.setattr(live, "write_live_page", write)
    page = live.LivePage(tmp_path)
    for second in range(1000):
        clock["now"] = float(second)
        page.on_progress(progress(second))
    assert len(pages) * 1.0 <= 0.01 * 1000 + 1
    clock["now"] = 5000.0
    page.on_progress(progress(999))
    page.on_progress(progress(999))
    assert len(pages) <= 12


@pytest.mark.parametrize(
    "error", [OSError("disk full"), nc.InputError("no store"), IndexError("x")]
)
def test_a_page_that_cannot_be_written_does_not_end_the_search(tmp_path, monkeypatch, error):
    def write(folder):
        raise error

    monkeypatch.setattr(live, "write_live_page", write)
    monkeypatch.setattr(live, "FIRST_S", 0.0)
    live.LivePage(tmp_path).on_progress(progress(1))


def test_a_run_that_is_continued_has_a_page_before_its_judged_records_are_told_again(
    tmp_path, monkeypatch
):
    source = {**SALT, "stop": {"structures": 4}, "final": {"best": 3}}
    source["tier"] = [{"name": "emt", "engine": {"kind": "ase", "calculator": CALCULATOR}}]
    source["problem"] = {"formula": "Cu3Au", "max_atoms": 4}
    run = nc.predict(source, folder=tmp_path / "run")
    last = max(row.record for row in run.findings.rows)
    told = Store.summary_rows
    monkeypatch.setattr(
        Store, "summary_rows", lambda store: (row for row in told(store) if row[0] < last)
    )
    page = live.write_live_page(run.folder).read_text(encoding="utf-8")
    assert "Cu3Au" in page
