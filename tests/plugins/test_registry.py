"""Kinds are found by name, entry point and path; what is wrong is named; the listing shows all."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

from nucleate import plugins
from nucleate.api.plugins import described
from nucleate.errors import InputError
from nucleate.plugins import GROUPS, Kind, kinds
from nucleate.run.settings import RunSettings, json_schema


def read(**sections):
    return RunSettings.from_dict({"problem": {"formula": "NaCl"}, **sections})


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ({"tier": [{"engine": {"kind": "chgnet", "devise": "cpu"}}]},
         r"tier\[0\]\.engine\.devise is not a key .* Did you mean 'device'\?"),
        ({"tier": [{"engine": {"kind": "lammps", "comand": "x"}}]}, "Did you mean 'command'"),
        ({"tier": [{"engine": {"kind": "lammps", "stage": [{"relx": "cell"}]}}]},
         r"engine\.stage\[0\]\.relx is not a key .* Did you mean 'relax'"),
        ({"tier": [{"promote": {"bset": 3}}]}, "Did you mean 'best'"),
        ({"search": {"generators": [{"kind": "symmetric", "wieght": 2}]}},
         r"search\.generators\[0\]\.wieght is not a key .* Did you mean 'weight'\?"),
        ({"search": {"kind": "basin-hopping", "temprature": 2}}, "Did you mean 'temperature'"),
        ({"search": {"populaton": 2}}, "Did you mean 'population'"),
        ({"search": {"generators": [{"kind": "symetric"}]}},
         r"search\.generators\[0\]: kind = 'symetric' .* Did you mean 'symmetric'\?"),
        ({"search": {"kind": "basin-hoping"}}, "Did you mean 'basin-hopping'.*nucleate.searches"),
        ({"search": {"moves": {"dobule": 2}}}, "kind = 'dobule' .* 'double'.*nucleate.moves"),
        ({"search": {"moves": {"no_such:X": 2}}}, "module no_such cannot be imported"),
        ({"tier": [{"engine": {"kind": "chgnett"}}]}, "Did you mean 'chgnet'.*nucleate.models"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_the_nearest(sections, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read(**sections)


def test_a_module_that_fails_names_itself_and_its_first_line(tmp_path, monkeypatch) -> None:
    (tmp_path / "failing_plug_in.py").write_text("raise RuntimeError('first\\nsecond')")
    (tmp_path / "empty_plug_in.py").write_text("X = 3")
    monkeypatch.syspath_prepend(str(tmp_path))
    message = r"failing_plug_in cannot be imported \(RuntimeError: first\)"
    with pytest.raises(InputError, match=message):
        read(search={"generators": ["failing_plug_in:X"]})
    with pytest.raises(InputError, match=message):
        read(search={"moves": {"failing_plug_in:X": 1.0}})
    with pytest.raises(InputError, match="empty_plug_in has no component X"):
        read(tier=[{"engine": {"kind": "empty_plug_in:X"}}])


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Install a distribution with a move and a broken model."""
    (tmp_path / "outside.py").write_text(
        "import nucleate as nc\n"
        "class Nothing(nc.MoveSettings):\n"
        "    '''Does nothing.'''\n"
        "    def apply(self, parent, context, *, rng):\n"
        "        return None\n"
    )
    info = tmp_path / "outside-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: outside\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[nucleate.moves]\nnothing = outside:Nothing\n\n"
        "[nucleate.models]\nbroken = missing_package:Model\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    plugins.kinds.cache_clear()
    yield tmp_path
    plugins.kinds.cache_clear()
    sys.modules.pop("outside", None)


def test_entry_points(installed: Path) -> None:
    assert read(search={"moves": {"nothing": 2.0}}).search.moves == {"nothing": 2.0}
    assert described(kinds()["moves"]["nothing"])["source"] == "outside"
    assert "missing_package" in described(kinds()["models"]["broken"])["broken"]
    command = [sys.executable, "-m", "nucleate", "plugins"]
    paths = f"{installed}:{Path(plugins.__file__).parents[1]}"
    shown = subprocess.run(
        command, env={"PYTHONPATH": paths}, capture_output=True, text=True, check=True
    ).stdout
    assert "nothing  [outside]  Does nothing." in shown
    assert "broken  [outside]  BROKEN: kind = 'broken': the module missing_package" in shown


def test_the_listing_has_every_kind_and_key(capsys) -> None:
    from typer.testing import CliRunner

    from nucleate.cli import build_app

    result = CliRunner().invoke(build_app(), ["plugins", "--json"])
    listed = json.loads(result.stdout)
    assert list(listed) == list(GROUPS)
    models = {entry["kind"]: entry for entry in listed["models"]}
    assert models["chgnet"]["source"] == "nucleate"
    assert models["chgnet"]["keys"]["device"]["default"] == "cpu"
    assert models["force-field"]["keys"]["file"]["required"]
    for entries in listed.values():
        for entry in entries:
            assert entry["about"]
            assert all(key["description"] for key in entry["keys"].values()), entry["kind"]
    result = CliRunner().invoke(build_app(), ["plugins", "moves"])
    assert "double  [nucleate]  Double the cell" in result.stdout
    assert "chgnet" not in result.stdout


def test_a_broken_kind_is_not_raised() -> None:
    entry = described(Kind("models", "lost", "no_such_module:X", "a-package"))
    assert entry["broken"].startswith("kind = 'lost': the module no_such_module")


def test_the_schema_has_one_kind_for_each_component() -> None:
    schema = json_schema()
    validator = jsonschema.Draft202012Validator(schema)
    good = {"problem": {"formula": "NaCl"}, "search": {"generators": [{"kind": "symmetric"}]},
            "tier": [{"engine": {"kind": "spp"}}]}  # fmt: skip
    assert not list(validator.iter_errors(good))
    text = json.dumps(schema)
    for group in ("generators", "models", "programs", "searches"):
        for kind in kinds()[group].values():
            if kind.source == "nucleate":
                assert f'"const": "{kind.name}"' in text
    for engine in ({"kind": "sp"}, {"kind": "spp", "fil": "x"}, {"file": "x.npz"}):
        assert list(validator.iter_errors({**good, "tier": [{"engine": engine}]}))
