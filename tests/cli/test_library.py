"""Commands for known structures and names."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.library.conftest import KNOWN, rocksalt
from typer.testing import CliRunner

from nucleate.api import map as maps
from nucleate.api.generate import generate
from nucleate.cli import build_app
from nucleate.crystal.files import write_cif
from nucleate.errors import InputError
from nucleate.run.store import Store


def run(*words: str | Path) -> str:
    result = CliRunner().invoke(build_app(), [str(word) for word in words])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    data = tmp_path / "cifs"
    data.mkdir()
    for known in KNOWN[:4]:
        write_cif(data / f"{known.name}.cif", known.crystal, title=known.name)
    return data


def test_a_library_is_built_shown_and_described(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "my.nlib"
    assert "4 compounds of 2 prototypes" in run(
        "library", "build", folder, "--out", out, "--licence", "CC0"
    )
    rows = json.loads(run("library", "show", "NaCl", "--library", out, "--json"))
    assert [(row["space_group"], row["pearson"]) for row in rows] == [("Fm-3m", "cF8")]
    assert "Fm-3m" in run("library", "show", "NaCl", "--library", out)
    assert "No known structure of KF" in run("library", "show", "KF", "--library", out)
    assert json.loads(run("library", "info", out, "--json"))["licence"] == "CC0"
    assert "entries: 4" in run("library", "info", out)
    with pytest.raises(InputError, match="exists already"):
        run("library", "build", folder, "--out", out)


def test_what_the_shipped_library_leaves_out_is_said(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "my.nlib"
    run("library", "build", folder, "--out", out)
    lacks = "The shipped library lacks about 14,000 formulas"
    assert lacks in run("library", "show", "SrTiO3")
    assert lacks in run("library", "show", "SrTiO3", "--library", "shipped", "--library", out)
    assert "lacks" not in run("library", "show", "SrTiO3", "--library", out)
    assert "lacks" not in run("library", "show", "KCl")


def test_structures_are_named(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "my.nlib"
    run("library", "build", folder, "--out", out)
    file = tmp_path / "one.cif"
    write_cif(file, rocksalt("NaCl", 5.7), title="one")
    (row,) = json.loads(run("identify", file, "--library", out, "--json"))
    assert (row["pearson"], row["space_group"], row["known"]) == ("cF8", "Fm-3m", True)
    assert row["distance"] < 0.1
    assert "cF8" in run("identify", file, "--library", out)


def test_a_structure_that_cannot_be_read_has_a_row_with_the_reason(tmp_path: Path) -> None:
    out, data = tmp_path / "my.nlib", tmp_path / "some"
    data.mkdir()
    write_cif(data / "salt.cif", rocksalt("NaCl", 5.7))
    run("library", "build", data, "--out", out)
    (data / "bad.cif").write_text("junk")
    words = ["identify", data, tmp_path / "nothing.cif", "--library", out]
    result = CliRunner().invoke(build_app(), [str(word) for word in words])
    assert result.exit_code == 1
    assert "cF8" in result.stdout
    assert result.stdout.count("cannot be read") == 2
    assert "bad.cif" in result.stderr
    assert "nothing.cif" in result.stderr
    result = CliRunner().invoke(build_app(), [*map(str, words), "--json"])
    assert result.exit_code == 1
    rows = json.loads(result.stdout)
    assert [row["structure"] for row in rows] == ["bad", "salt", "nothing.cif"]
    assert [bool(row["problem"]) for row in rows] == [True, False, True]
    assert rows[0]["space_group_number"] is None


def test_a_file_that_is_no_library_is_refused(tmp_path: Path) -> None:
    bad = tmp_path / "bad.nlib"
    bad.write_bytes(b"PK\x03\x04 cut short")
    for words in (("library", "info", bad), ("library", "show", "NaCl", "--library", bad)):
        with pytest.raises(InputError, match="cut short"):
            run(*words)


def test_identifiers_that_two_structures_have_are_said(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    write_cif(other / "t-1.cif", rocksalt("LiF", 4.0), title="t-1")
    built = run("library", "build", folder, other, "--out", tmp_path / "all.nlib")
    assert "Changed 1 identifier that another structure has too, the first to other/t-1" in built
    first, second = tmp_path / "first.nlib", tmp_path / "second.nlib"
    assert "Changed" not in run("library", "build", folder, "--out", first)
    run("library", "build", other, "--out", second)
    libraries = ("--library", first, "--library", second)
    said = "1 identifier stands for different structures in several libraries, t-1 the first"
    with pytest.warns(UserWarning, match=said):
        assert "second/t-1" in run("library", "show", "LiF", *libraries)
    with pytest.warns(UserWarning, match=said):
        (row,) = json.loads(run("identify", other, *libraries, "--json"))
    assert (row["nearest"], row["known"]) == ("second/t-1", True)
    search = {"kind": "prototypes", "library": [str(first), str(second)]}
    with pytest.warns(UserWarning, match=said):
        generate("NaF", search, n=1, max_atoms=2)


def test_predict_and_map_take_libraries(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run("library", "build", folder, "--out", "my.nlib")
    words = ("--max-atoms", "2", "--tier", "spp", "--structures", "2", "--polish", "0",
             "--workers", "1", "--out", "run", "--library", "my.nlib")  # fmt: skip
    run("predict", "NaCl", *words)
    with Store.read(tmp_path / "run") as store:
        found = store.meta["input"]["search"]["library"]
    assert found == [str(tmp_path / "my.nlib")]
    assert "known: Fm-3m, t-1" in run("status", "run")

    given: dict[str, object] = {}
    preview = maps.preview_map

    def noted(*field: str, **options: object) -> maps.MapPreview:
        given["preview"] = preview(*field, **options)
        return given["preview"]

    monkeypatch.setattr(maps, "preview_map", noted)
    run("map", "Na-Cl", "--max-atoms", "4", "--tier", "ase=ase.calculators.lj:LennardJones",
        "--dry-run", "--library", "my.nlib")  # fmt: skip
    settings = given["preview"].settings  # type: ignore[attr-defined]
    assert list(settings.search.library) == [str(tmp_path / "my.nlib")]
