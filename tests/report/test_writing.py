"""Files are whole or absent, and no link is followed."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import pytest

from nucleate.errors import InputError
from nucleate.report.export import export_run
from nucleate.report.render import write_rows
from nucleate.writing import remove_unfinished, whole_file, whole_files


def test_an_error_leaves_the_old_file(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("old")

    def write():
        with whole_file(path) as unfinished:
            unfinished.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_is_replaced_and_not_followed(tmp_path):
    victim = tmp_path / "victim"
    victim.write_text("precious")
    path = tmp_path / "out" / "table.csv"
    path.parent.mkdir()
    path.symlink_to(victim)
    with whole_file(path) as unfinished:
        unfinished.write_text("new")
    assert victim.read_text() == "precious"
    assert not path.is_symlink()
    assert path.read_text() == "new"


def test_a_folder_that_is_a_link_is_refused(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "structures").symlink_to(tmp_path / "elsewhere")

    def write():
        with whole_files(tmp_path / "out") as folder:
            (folder / "structures").mkdir()
            (folder / "structures" / "a.cif").write_text("x")

    with pytest.raises(InputError, match="is a link"):
        write()
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_what_a_killed_export_left_is_removed(tmp_path):
    (tmp_path / ".unfinished-x").mkdir()
    remove_unfinished(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_an_export_replaces_links(run_folder: Path, tmp_path):
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (run_folder / "results.csv").symlink_to(victim)
    export_run(run_folder)
    assert victim.read_text() == "precious"
    assert (run_folder / "results.csv").stat().st_size > 100
    assert not list(run_folder.glob(".unfinished-*"))


def test_an_export_into_a_link_is_refused(run_folder: Path, tmp_path):
    shutil.rmtree(run_folder / "structures", ignore_errors=True)
    (tmp_path / "elsewhere").mkdir()
    (run_folder / "structures").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InputError, match="link"):
        export_run(run_folder)
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_cells_that_are_formulas_are_quoted(tmp_path):
    write_rows(tmp_path / "t.csv", [{"name": "=1+1", "energy": -1.5}])
    with (tmp_path / "t.csv").open() as stream:
        (row,) = csv.DictReader(stream)
    assert row == {"name": "'=1+1", "energy": "-1.5"}
