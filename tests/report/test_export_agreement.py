"""All files of an export tell the same of a run, whatever the run."""

from __future__ import annotations

import csv
import json
import tempfile
from pathlib import Path

import pytest
from ase.db import connect
from ase.io import read
from hypothesis import Phase, given, settings
from tests.report.runs import MadeRun, made_runs, stored
from tests.report.test_page import data_of

from nucleate.report.content import read_run
from nucleate.report.export import export_run


@settings(max_examples=3, phases=[Phase.generate])
@given(made_runs(most=6).filter(lambda run: any(item.relaxed for item, _ in run.told)))
def test_every_file_lists_the_same_structures_in_the_same_order(run: MadeRun) -> None:
    with stored(run) as folder, tempfile.TemporaryDirectory() as made:
        out = Path(made)
        exported = export_run(folder, out=out, best=2)
        content = read_run(folder)
        lines = list(csv.DictReader((out / "ranking.csv").open(encoding="utf-8")))
        results = list(csv.DictReader((out / "results.csv").open(encoding="utf-8")))
        frames = read(out / "structures.extxyz", ":")
        with connect(out / "structures.db") as database:
            names = [row.key_value_pairs["name"] for row in database.select()]
        document = (out / "structures.optimade.json").read_text(encoding="utf-8")
        page = data_of((out / "report.html").read_text(encoding="utf-8"))["structures"]
        files = sorted(path.name for path in (out / "structures").glob("*.cif"))
        tiers = {path.stem: len(read(path, ":")) for path in (out / "tiers").glob("*.extxyz")}
    expected = [item.record.number for item in content.ranked()]
    assert [item.record.number for item in exported.ranked] == expected
    assert [int(line["record"]) for line in lines] == expected
    assert [int(line["rank"]) for line in lines] == list(range(1, len(expected) + 1))
    assert [int(line["record"]) for line in results] == [item.number for item, _ in content.told]
    assert [frame.info["record"] for frame in frames] == expected
    assert [int(name.rpartition("-r")[2]) for name in names] == expected
    assert [item["id"] for item in json.loads(document)["data"]] == names
    assert [item["record"] for item in page] == expected[:2]
    assert files == sorted(f"{name}{end}.cif" for name in names[:2] for end in ("", "-p1"))
    for line, frame, item in zip(lines, frames, exported.ranked, strict=True):
        unit = "ev" if item.relaxed.level.unit == "eV" else "arbitrary"
        enthalpy = item.relaxed.enthalpy_per_atom
        assert float(line[f"enthalpy_{unit}_per_atom"]) == enthalpy
        assert frame.info[f"enthalpy_{unit}_per_atom"] == pytest.approx(enthalpy)
        assert line["space_group_0p1_angstrom"] == item.space_group
        assert int(line["copies"]) == item.copies
    if len(content.tiers) > 1:
        ranked = [item.record for item in exported.ranked]
        counts = {
            tier: sum(found.relaxed_by(tier) is not None for found in ranked)
            for tier in content.tiers
        }
        assert tiers == {tier: number for tier, number in counts.items() if number}
