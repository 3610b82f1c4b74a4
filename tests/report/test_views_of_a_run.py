"""The page, the state and the figures of a run."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from base64 import b64decode
from pathlib import Path
from time import process_time
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from tests.report.test_rows import Cells

from nucleate.report.content import read_run, searched_tier
from nucleate.report.energy_volume import energy_volume_figure
from nucleate.report.export import export_run
from nucleate.report.history import Trajectory
from nucleate.report.notebook import run_html
from nucleate.report.selection import best_below
from nucleate.report.sketch import sketch
from nucleate.report.status import read_status
from nucleate.report.trajectory import trajectory_figure
from nucleate.run.store import Store


def test_page_shows_ranking_tiers_sources_and_failures(run_folder: Path) -> None:
    ranked = export_run(run_folder).ranked
    page = (run_folder / "report.html").read_text(encoding="utf-8")
    lines = Cells(page).lines
    head = next(line for line in lines if line[:3] == ["rank", "files", "formula"])
    first = lines[lines.index(head) + 1]
    assert dict(zip(head, first, strict=True))["space group"] == ranked[0].space_group
    assert any(line[:3] == ["exploded", "emt", "1"] for line in lines)
    assert ["symmetric", "2", "2", "1"] in [line[:4] for line in lines]
    assert ["emt", "EMT", "4", "3", "3", "1"] in lines
    assert '<canvas id="plot"' in page


def test_status_is_json_and_its_rows_are_those_of_the_ranking(run_folder: Path) -> None:
    with Store.read(run_folder) as store:
        facts = read_status(store, best=2)
    assert json.loads(json.dumps(facts)) == facts
    assert (facts["structures"], facts["repeats"], facts["distinct"]) == (5, 0, 4)
    assert facts["failures"] == {"exploded": 1}
    assert facts["elapsed_s"] == 5.0
    assert [row["rank"] for row in facts["best"]] == [1, 2]
    best = read_run(run_folder).ranked()[0]
    assert facts["best"][0]["enthalpy_ev_per_atom"] == best.relaxed.enthalpy_per_atom
    assert len(facts["table"].splitlines()) == 3


@pytest.mark.parametrize("tier", ["emt", "spp"])
def test_figures_show_every_structure_of_the_tier(run_folder: Path, tier: str) -> None:
    content = read_run(run_folder)
    records = [record for record, _ in content.told]
    values = [done.enthalpy_per_atom for record in records if (done := record.relaxed_by(tier))]
    for figure in (
        trajectory_figure(content.told, tier, title="Cu"),
        energy_volume_figure(records, tier, title="Cu"),
    ):
        (axes,) = figure.axes
        unit = "eV" if tier == "emt" else "arbitrary units"
        assert unit in axes.get_ylabel()
        shown = sum(len(np.asarray(points.get_offsets())) for points in axes.collections
                    if len(np.asarray(points.get_offsets())))  # fmt: skip
        assert 0 < shown <= len(values)
        assert {text.get_text() for text in axes.get_legend().get_texts()} >= {"symmetric"}


def test_figures_of_a_tier_that_saw_nothing(run_folder: Path) -> None:
    content = read_run(run_folder)
    records = [record for record, _ in content.told]
    for figure in (
        trajectory_figure(content.told, "dft", title="Cu"),
        energy_volume_figure(records, "dft", title="Cu"),
    ):
        assert "no structure has been relaxed by dft" in figure.axes[0].texts[0].get_text()


def test_the_choice_for_more_tiers_does_not_change_while_they_work(run_folder: Path) -> None:
    content = read_run(run_folder)
    assert searched_tier(content) == "emt"
    before = [item.record.number for item in best_below(content, ["dft"], 3)]
    with Store.append_to(run_folder) as store:
        store.add_tier(9.0, "dft", {"source": "refine", "settings": {}})
        number = before[-1]
        done = next(r.relaxed for r, _ in content.told if r.number == number)
        assert done is not None
        store.append_outcome(number, "dft", done)
        store.commit()
    content = read_run(run_folder)
    assert content.ranked()[0].tier == "dft"
    assert searched_tier(content) == "emt"
    assert len(before) == 3


def test_a_notebook_shows_the_trajectory_and_the_table_within_a_second(run_folder: Path) -> None:
    with Store.read(run_folder) as store:
        shown = run_html(store, best=2)
        begun = process_time()
        assert run_html(store, best=2) == shown
        assert process_time() - begun < 1.0
    assert "5 structures, 4 distinct" in shown
    assert "... and 2 more" in shown
    (data,) = re.findall(r'<img src="data:image/svg\+xml;base64,([^"]+)" alt="Cu: ', shown)
    picture = ET.fromstring(b64decode(data))
    marks = picture.findall(".//{*}use")
    assert len(marks) == 5, "the structures with an energy, and the legend"
    assert all(0.0 <= float(mark.get("y")) <= 360.0 for mark in marks)
    assert len(shown) < 200_000


def test_the_first_view_in_a_notebook_imports_no_plotting_library(run_folder: Path) -> None:
    code = (
        "import sys, nucleate as nc\n"
        f"nc.open({str(run_folder)!r})._repr_html_()\n"
        "print(sorted(set(sys.modules) & {'matplotlib', 'torch', 'pandas', 'pymatgen'}))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "[]\n"


def test_a_picture_of_very_many_structures_is_small_and_names_are_text() -> None:
    number = 20_000
    enthalpies = -np.arange(number, dtype=float) / number
    enthalpies[::7] = np.nan
    families = ['<script>&"' if k % 2 else "blocks" for k in range(number)]
    blank = np.full(number, np.nan)
    found = Trajectory(enthalpies, blank, families, np.zeros(number, bool), "eV")
    text = sketch(found, "<tier>", title="<b>" + "x" * 10_000)
    ET.fromstring(text)
    assert "<script" not in text
    assert len(text) < 500_000
    for empty in (found.enthalpies[:0], blank[:3]):
        few = Trajectory(empty, empty, ["blocks"] * len(empty), empty.astype(bool), "eV")
        ET.fromstring(sketch(few, "t", title="t"))
