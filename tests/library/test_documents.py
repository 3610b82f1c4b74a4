"""JSON files of databases, in the forms in which they are downloaded."""

from __future__ import annotations

import bz2
import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from tests.library.conftest import KNOWN, perovskite, rocksalt, rutile
from typer.testing import CliRunner

from nucleate.cli import build_app
from nucleate.crystal.crystal import Crystal
from nucleate.errors import InputError
from nucleate.library.build import build_library
from nucleate.library.library import Library

CRYSTALS = [known.crystal for known in KNOWN]


def entry(name: str | None, crystal: Crystal, **data: Any) -> dict[str, Any]:
    """Return an entry as pymatgen writes it."""
    entries = pytest.importorskip("pymatgen.entries.computed_entries")
    found = entries.ComputedStructureEntry(crystal.to_pymatgen(), -1.0, entry_id=name, data=data)
    return json.loads(json.dumps(found.as_dict()))


def jarvis(name: str, crystal: Crystal, *, cartesian: bool, **values: Any) -> dict[str, Any]:
    """Return a document as JARVIS has it."""
    places = crystal.scaled @ crystal.cell if cartesian else crystal.scaled
    atoms = {
        "lattice_mat": crystal.cell.tolist(),
        "coords": places.tolist(),
        "elements": crystal.to_ase().get_chemical_symbols(),
        "cartesian": cartesian,
        "props": [""] * crystal.n_atoms,
    }
    return {"jid": name, "atoms": atoms, **values}


def matbench(crystals: list[Crystal]) -> dict[str, Any]:
    """Return a table as matbench has it."""
    rows = [[crystal.to_pymatgen().as_dict(), 0.1] for crystal in crystals]
    return {"index": list(range(len(rows))), "columns": ["structure", "e_form"], "data": rows}


def found_in(path: Path) -> dict[str, tuple[str, str, float | None]]:
    out = path.with_name("out.nlib")
    out.unlink(missing_ok=True)
    build_library([path], out)
    library = Library.load([out])
    entries = [library.entry(number) for number in range(len(library))]
    return {item.name: (item.formula, item.proto.label, item.above_hull) for item in entries}


def expected(names: list[str], energies: list[float | None]) -> dict[str, object]:
    formulas = ["NaCl", "SrTiO3", "TiO2"]
    labels = ["AB_cF8_225_a_b", "ABC3_cP5_221_a_b_c", "AB2_tP6_136_a_f"]
    return dict(zip(names, zip(formulas, labels, energies, strict=True), strict=True))


THREE = [CRYSTALS[0], CRYSTALS[5], CRYSTALS[8]]


def test_entries_of_pymatgen_are_read(tmp_path: Path) -> None:
    names, energies = ["mp-1", "agm-2", "mp-3"], [0.0, 0.02, None]
    entries = [
        entry("mp-1", THREE[0], e_above_hull=0.0),
        entry(None, THREE[1], mat_id="agm-2", e_above_hull=0.02),
        entry("mp-3", THREE[2]),
    ]
    for content in (entries, {"entries": entries}):
        path = tmp_path / "entries.json.gz"
        path.write_bytes(gzip.compress(json.dumps(content).encode()))
        assert found_in(path) == expected(names, energies)


def test_tables_of_pandas_are_read(tmp_path: Path) -> None:
    path = tmp_path / "perovskites.json.gz"
    path.write_bytes(gzip.compress(json.dumps(matbench(THREE)).encode()))
    assert found_in(path) == expected(["row 0", "row 1", "row 2"], [None] * 3)
    by_column = {
        "structure": {f"wbm-{k}": THREE[k].to_pymatgen().as_dict() for k in range(3)},
        "e_above_hull": {f"wbm-{k}": k / 100 for k in range(3)},
    }
    path = tmp_path / "wbm.json.bz2"
    path.write_bytes(bz2.compress(json.dumps(by_column).encode()))
    assert found_in(path) == expected(["wbm-0", "wbm-1", "wbm-2"], [0.0, 0.01, 0.02])


def test_documents_of_jarvis_are_read(tmp_path: Path) -> None:
    documents = [
        jarvis("JVASP-1", THREE[0], cartesian=False, ehull=0.0),
        jarvis("JVASP-2", THREE[1], cartesian=True, ehull=0.03),
        jarvis("JVASP-3", THREE[2], cartesian=False, ehull="na"),
    ]
    path = tmp_path / "jdft_3d.json"
    path.write_text(json.dumps(documents))
    assert found_in(path) == expected(["JVASP-1", "JVASP-2", "JVASP-3"], [0.0, 0.03, None])


def test_structures_by_identifier_and_alone_are_read(tmp_path: Path) -> None:
    path = tmp_path / "some.json"
    structures = {f"s-{k}": crystal.to_pymatgen().as_dict() for k, crystal in enumerate(THREE)}
    path.write_text(json.dumps(structures))
    assert found_in(path) == expected(["s-0", "s-1", "s-2"], [None] * 3)
    path.write_text(json.dumps(structures["s-1"]))
    assert [formula for formula, *_ in found_in(path).values()] == ["SrTiO3"]


def test_deuterium_is_read_as_hydrogen_and_said(tmp_path: Path) -> None:
    heavy = rocksalt("LiH", 4.08).to_pymatgen().as_dict()
    for site in heavy["sites"]:
        for species in site["species"]:
            species["element"] = species["element"].replace("H", "D")
    light = perovskite("K", "Mg", "H", 4.0).to_pymatgen().as_dict()
    documents = [
        {"material_id": "mp-d", "structure": heavy},
        {"material_id": "mp-h", "structure": light},
    ]
    path, out = tmp_path / "mp.json", tmp_path / "x.nlib"
    path.write_text(json.dumps(documents))
    result = CliRunner().invoke(build_app(), ["library", "build", str(path), "--out", str(out)])
    assert result.exit_code == 0, result.output
    assert "2 compounds of 2 prototypes" in result.output
    assert "; deuterium is read as hydrogen in 1\n" in result.output
    library = Library.load([out])
    assert {library.entry(number).formula for number in range(2)} == {"LiH", "KMgH3"}
    cif = tmp_path / "heavy.cif"
    cif.write_text(CIF)
    assert build_library([cif], tmp_path / "y.nlib")["deuterium_read_as_hydrogen"] == 1


CIF = """data_heavy
_cell_length_a 4.08
_cell_length_b 4.08
_cell_length_c 4.08
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 90
_symmetry_space_group_name_H-M 'F m -3 m'
loop_
_atom_site_label
_atom_site_type_symbol
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
Li1 Li 0 0 0
D1 D 0.5 0.5 0.5
"""


@pytest.mark.parametrize(
    ("content", "holds"),
    [
        ({"a": 1, "b": 2}, "holds a dictionary with the keys 'a', 'b', no structure"),
        ([{"material_id": "a"}], "a dictionary with the key 'material_id', no structure"),
        ({"data": []}, "holds a dictionary with the key 'data', no structure"),
        ([], "holds an empty list, no structure"),
        ([1, 2], "holds a list whose first item is '1', no structure"),
        ("text", "holds '\"text\"', no structure"),
        ({}, "holds a dictionary without keys, no structure"),
    ],
)
def test_another_form_is_refused_in_a_sentence(tmp_path: Path, content: Any, holds: str) -> None:
    path = tmp_path / "other.json"
    path.write_text(json.dumps(content))
    with pytest.raises(InputError) as caught:
        build_library([path], tmp_path / "x.nlib")
    told = str(caught.value)
    assert "other.json" in told
    assert holds in told
    assert "Give documents with structure" in told
    assert "\n" not in told


def test_a_damaged_compressed_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "cut.json.gz"
    content = gzip.compress(json.dumps(matbench([rutile("Ti", "O", 4.59, 2.96)])).encode())
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match=r"cut\.json\.gz cannot be read"):
        build_library([path], tmp_path / "x.nlib")
