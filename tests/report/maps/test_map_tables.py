"""The tables of a map have headings even where they have no rows."""

from __future__ import annotations

import csv

from tests.report.maps.made import made_map

from nucleate.report.maps import export

TABLES = ("next.csv", "references.csv", "potentials.csv")


def tables_of(state, folder, monkeypatch):
    """Return the headings and rows of the exported tables."""
    monkeypatch.setattr(export, "read_map", lambda _: state)
    out = export.export_map(folder, out=folder)
    found = {}
    for name in TABLES:
        with (out / name).open(newline="", encoding="utf-8") as stream:
            reader = csv.DictReader(stream)
            found[name] = reader.fieldnames, list(reader)
    return found


def test_tables_without_rows_have_headings(tmp_path, monkeypatch):
    state = made_map("Cu-Au", tmp_path, max_atoms_per_formula=3)
    full = tables_of(state, tmp_path / "full", monkeypatch)
    state = made_map("Cu-Au", tmp_path, max_atoms_per_formula=3)
    state.energies.references = ()
    state.energies._lowest_known.clear()
    for site in state.energies.sites:
        site.best = site.best_number = None
    state.energies.update()
    empty = tables_of(state, tmp_path / "empty", monkeypatch)
    assert all(full[name][1] and not empty[name][1] for name in TABLES)
    assert all(empty[name][0] == full[name][0] for name in TABLES[:2])
    assert empty["potentials.csv"][0] == ["formula"]
