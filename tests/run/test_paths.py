"""Files that an input names are those beside it, wherever the command is started."""

from __future__ import annotations

from nucleate.run.paths import with_absolute_paths


def test_files_of_generators_are_those_beside_the_input(tmp_path):
    for name in ("mine.safetensors", "part.cif"):
        (tmp_path / name).touch()
    language = {"kind": "wyckoff-language", "checkpoint": "mine.safetensors", "keep": "part.cif"}
    shipped = {"kind": "wyckoff-language", "checkpoint": "mp", "keep": ""}
    seeds = {"kind": "seeds", "files": ["a.cif", "sub/*.cif"]}
    generators = [dict(language), dict(shipped), dict(seeds)]
    data = with_absolute_paths({"search": {"generators": generators}}, tmp_path)
    first, second, third = data["search"]["generators"]
    assert first["checkpoint"] == str(tmp_path / "mine.safetensors")
    assert first["keep"] == str(tmp_path / "part.cif")
    assert second == shipped
    assert third["files"] == [str(tmp_path / "a.cif"), str(tmp_path / "sub/*.cif")]


def test_every_section_with_a_file_is_independent_of_the_working_folder(tmp_path):
    data = with_absolute_paths(
        {
            "problem": {"motif": "motif.xyz"},
            "search": {"target": "known.cif", "policy_from": "run"},
            "stop": {"target": "known.cif", "proven": "proof.json"},
            "surrogate": {"learn_from": "run"},
            "tier": [{"name": "surrogate", "learn_from": "../run"}],
        },
        tmp_path / "sub" / "..",
    )
    assert data["problem"]["motif"] == str(tmp_path / "motif.xyz")
    assert data["search"] == {
        "target": str(tmp_path / "known.cif"),
        "policy_from": str(tmp_path / "run"),
    }
    assert data["stop"]["proven"] == str(tmp_path / "proof.json")
    assert data["tier"][0]["learn_from"] == str(tmp_path.parent / "run")


def test_what_is_no_path_stays_as_it_is_for_the_checks_that_follow(tmp_path):
    data = {"problem": 3, "search": {"generators": "blocks", "target": 4}, "tier": ["chgnet"]}
    assert with_absolute_paths({**data}, tmp_path) == data
