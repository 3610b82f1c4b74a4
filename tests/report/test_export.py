"""The exports of a run agree with its store and with each other."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import numpy as np
import pytest
from ase.io import read
from tests.report.conftest import emt_outcome
from typer.testing import CliRunner

from nucleate.crystal.crystal import Crystal
from nucleate.crystal.files import read_crystals
from nucleate.crystal.symmetry import space_group
from nucleate.errors import InputError
from nucleate.report.content import read_run
from nucleate.report.export import LEFT_OUT, export_quickly, export_run
from nucleate.report.ranking import rank_structures
from nucleate.run.store import Store


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def filled(lines: list[dict[str, str]]) -> list[dict[str, str]]:
    """Return lines without empty fields: units that no line has make no column."""
    return [{key: value for key, value in line.items() if value} for line in lines]


def test_ranking_is_distinct_and_by_last_tier(run_folder: Path) -> None:
    content = read_run(run_folder)
    assert content.tiers == ("spp", "emt")
    ranked = rank_structures([record for record, _ in content.told], content.tiers)
    names = [item.record.candidate.origin.detail["name"] for item in ranked]
    assert names[:2] == ["fcc", "bcc"] or names[:2] == ["fcc-copy", "bcc"]
    assert set(names[2:]) == {"gone", "hcp"}, "proxy energies never rank with those of a tier above"
    assert ranked[0].copies == 2
    assert ranked[0].above_best == 0.0
    assert ranked[1].above_best > 0.0
    assert ranked[0].symmetry[0].symbol == "Fm-3m"


def test_csv_has_units_and_every_record(run_folder: Path) -> None:
    export_run(run_folder)
    table = rows(run_folder / "results.csv")
    assert [int(row["record"]) for row in table] == [0, 1, 2, 3, 4]
    assert float(table[0]["spp_energy_arbitrary_per_atom"])
    assert float(table[0]["emt_energy_ev_per_atom"])
    assert not [key for key in table[0] if key.startswith("spp") and ("_ev" in key or "gpa" in key)]
    assert table[3]["fail_reason"] == "exploded"
    assert table[1]["duplicate_of"] == "0"
    atoms = Crystal.from_ase(read(run_folder / "structures.extxyz", index=0))
    density = atoms.n_atoms * 63.546 / atoms.volume * 1.66053906660
    best = rows(run_folder / "ranking.csv")[0]
    assert float(best["density_g_per_cm3"]) == pytest.approx(density, abs=2e-3)


def test_files_of_one_structure_agree(run_folder: Path) -> None:
    ranked = export_run(run_folder).ranked
    frames = read(run_folder / "structures.extxyz", index=":")
    for item, frame in zip(ranked, frames, strict=True):
        crystal = item.relaxed.crystal
        np.testing.assert_allclose(frame.positions, crystal.positions, atol=1e-10)
        original = next((run_folder / "structures").glob(f"{item.rank:03d}-*-p1.cif"))
        ((_, p1),) = read_crystals(original)
        assert p1.n_atoms == crystal.n_atoms
        np.testing.assert_allclose(p1.volume, crystal.volume, rtol=1e-8)
        symmetrised = original.with_name(original.name.replace("-p1", ""))
        ((_, standard),) = read_crystals(symmetrised)
        assert space_group(standard, 0.01)[1] == item.symmetry[0].symbol
        np.testing.assert_allclose(standard.volume_per_atom, crystal.volume_per_atom, rtol=1e-3)
        if item.relaxed.level.unit == "eV":
            assert frame.get_potential_energy() == pytest.approx(item.relaxed.energy)
            np.testing.assert_allclose(frame.get_forces(), item.relaxed.forces, atol=1e-8)
            gpa = frame.get_stress(voigt=False) * 160.21766208
            np.testing.assert_allclose(gpa, item.relaxed.stress_gpa, atol=1e-6)
        else:
            assert frame.calc is None or "energy" not in frame.calc.results


def test_export_again_leaves_no_stale_file(run_folder: Path) -> None:
    export_run(run_folder, best=20)
    export_run(run_folder, best=1)
    assert len(list((run_folder / "structures").glob("*.vasp"))) == 1
    assert (run_folder / "trajectory.png").stat().st_size > 5_000
    page = (run_folder / "report.html").read_text(encoding="utf-8")
    assert "exploded" in page
    assert not re.search(r'(src|href)="(https?:)?//', page)


def test_a_quick_export_agrees_with_the_whole_one(run_folder: Path) -> None:
    export_run(run_folder)
    whole = rows(run_folder / "ranking.csv")
    export_quickly(run_folder, best=2)
    assert filled(rows(run_folder / "ranking.csv")) == filled(whole[:2])
    assert len(read(run_folder / "structures.extxyz", ":")) == len(whole[:2])
    assert len(list((run_folder / "structures").glob("*.vasp"))) == len(whole[:2])
    assert not [name for name in LEFT_OUT if (run_folder / name).exists()]
    assert not list(run_folder.glob("tiers/*")) + list(run_folder.glob("structures/*.xy"))
    assert (run_folder / "report.html").exists()
    export_run(run_folder)
    assert rows(run_folder / "ranking.csv") == whole
    assert all((run_folder / name).exists() for name in LEFT_OUT)


def test_a_quick_export_of_a_large_run_leaves_no_page_of_an_earlier_state(
    run_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    export_run(run_folder)
    monkeypatch.setattr("nucleate.report.export.SOON", 1)
    export_quickly(run_folder)
    assert not (run_folder / "report.html").exists()


def test_command_line(run_folder: Path, tmp_path: Path) -> None:
    import typer

    from nucleate.cli.export import register

    app = typer.Typer()
    app.callback()(lambda: None)
    register(app)
    result = CliRunner().invoke(app, ["export", str(run_folder), "--out", str(tmp_path / "new")])
    assert result.exit_code == 0, result.output
    assert (tmp_path / "new" / "report.html").exists()
    with pytest.raises(InputError, match="not a run folder"):
        export_run(tmp_path / "nothing")


def test_structures_that_an_added_tier_made_equal_are_one(run_folder: Path) -> None:
    content = read_run(run_folder)
    by_name = {r.candidate.origin.detail["name"]: r for r, _ in content.told}
    fcc = by_name["fcc"].relaxed
    assert fcc is not None
    with Store.append_to(run_folder) as store:
        store.add_tier(9.0, "dft", {"source": "refine", "settings": {}})
        for name in ("fcc", "bcc"):
            store.append_outcome(by_name[name].number, "dft", emt_outcome(fcc.crystal))
        store.commit()
    content = read_run(run_folder)
    assert content.ladder == ("dft",), "the input of this run is not kept"
    ranked = content.ranked()
    assert [item.tier for item in ranked][:2] == ["dft", "spp"]
    assert ranked[0].copies == 3
    assert len(ranked) == 3
