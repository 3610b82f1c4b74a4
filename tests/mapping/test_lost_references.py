"""What the hull is made of, and what it lacks, is said for as long as the map exists."""

from __future__ import annotations

import csv
from typing import Any

from ase.build import bulk
from ase.calculators import emt

import nucleate as nc
from nucleate.mapping.reading import read_map
from nucleate.report.maps.status import status_text


class Moody(emt.EMT):
    """Effective-medium theory that fails for crystals with palladium as long as it is moody."""

    is_moody = True
    refused = 0

    def calculate(self, atoms: Any = None, *args: Any, **kwargs: Any) -> None:
        if self.is_moody and 46 in atoms.numbers:
            type(self).refused += 1
            raise RuntimeError("no palladium today")
        super().calculate(atoms, *args, **kwargs)


def test_a_failed_reference_is_named_and_tried_again_by_each_start(tmp_path, monkeypatch):
    known = tmp_path / "known"
    known.mkdir()
    for name in ("Cu", "Au"):
        bulk(name).write(known / f"{name}.cif")
    bulk("CuPd", "cesiumchloride", a=3.0).write(known / "bad.cif")
    data = {
        "field": {
            "system": "Cu-Au-Pd",
            "max_atoms": 2,
            "max_atoms_per_formula": 2,
            "references": [str(known)],
        },
        "search": {"generators": [{"kind": "symmetric"}], "known": "off"},
        "stop": {"core_time": 1e-6},
    }
    folder = tmp_path / "map"
    found = nc.map(data, model=Moody(), folder=folder, display=False)
    (lost,) = read_map(folder).lost
    assert (lost.name, lost.formula) == ("bad", "PdCu")
    assert "no palladium today" in lost.reason
    words = "1 known structure failed to relax, and the hull is without: bad of PdCu (calculator: "
    assert words in status_text(found.status())
    found.export()
    assert words in (folder / "map.html").read_text("utf-8")
    assert "2, 1 failed" in (folder / "map.html").read_text("utf-8")
    with (folder / "references.csv").open(newline="") as stream:
        rows = {row["name"]: row for row in csv.DictReader(stream)}
    assert (rows["Cu"]["state"], rows["bad"]["state"]) == ("relaxed", "failed")
    assert "no palladium today" in rows["bad"]["reason"]

    refused = Moody.refused
    nc.map(data, model=Moody(), folder=folder, display=False)
    assert Moody.refused == 2 * refused  # once more, and not more often
    monkeypatch.setattr(Moody, "is_moody", False)
    found = nc.map(data, model=Moody(), folder=folder, display=False)
    assert read_map(folder).lost == ()
    assert found.status()["references"] == 3
    assert "failed to relax" not in status_text(found.status())


def test_what_was_left_out_is_said_later(tmp_path):
    data = {
        "field": {"system": "Cu-Au", "max_atoms": 4, "max_atoms_per_formula": 3, "polymorphs": 1},
        "search": {"generators": [{"kind": "symmetric"}], "known": "no-formula"},
        "stop": {"time": 1e-6},
    }
    found = nc.map(data, model=emt.EMT(), folder=tmp_path / "map", display=False)
    facts = found.status()
    assert " held out, " in facts["references_left_out"]
    assert facts["references_left_out"].endswith(" further polymorphs not used")
    assert f"({facts['references_left_out']})" in status_text(facts)
    found.export(quickly=True)
    page = (tmp_path / "map" / "map.html").read_text("utf-8")
    assert facts["references_left_out"] in page
    assert "known structures are not relaxed yet" in page
