"""The commands do what they say."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tomllib
from importlib.resources import files

import jsonschema
import pytest

from nucleate.api.inputs import settings_of
from nucleate.crystal.composition import Composition
from nucleate.crystal.files import read_crystals, read_structures
from nucleate.crystal.space import SearchSpace
from nucleate.mapping.settings import MapSettings
from nucleate.run.settings import RunSettings, json_schema
from nucleate.run.store import Store
from nucleate.search.stop import seconds

EMT = """\
[problem]
formula = "Cu3Au"
max_atoms = 4
[search]
seed = 5
population = 3
generators = [{ kind = "blocks" }]
[[tier]]
name = "emt"
max_steps = 40
slots = 2
engine = { kind = "ase", calculator = "ase.calculators.emt:EMT" }
[final]
best = 2
[run]
workers = 1
"""


@pytest.fixture
def emt(tmp_path):
    pytest.importorskip("nucleate.networks.kinds.ase")
    (tmp_path / "emt.toml").write_text(EMT)
    return "emt.toml"


def cpu_s(*words):
    """Return the least processor time of three runs of Python, less that of an empty one."""

    def once(*words):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, *words], check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    return min(once(*words) for _ in range(3)) - min(once("-c", "pass") for _ in range(3))


def test_help_and_import_are_quick():
    assert cpu_s("-m", "nucleate", "--help") < 0.5
    assert cpu_s("-c", "import nucleate") < 0.3


def test_help_lists_the_commands(nucleate):
    result = nucleate("--help")
    assert result.status == 0
    for name in ("predict", "init", "check", "status", "export", "generate", "schema"):
        assert name in result.out


def test_version(nucleate):
    assert nucleate("--version").out.startswith("nucleate ")


def test_init_writes_an_input_file_that_is_valid_with_every_comment_taken_in(nucleate, tmp_path):
    assert nucleate("init", "CaTiO3").status == 0
    text = (tmp_path / "run.toml").read_text()
    assert settings_of(tmp_path / "run.toml").problem.formula == "CaTiO3"
    lines = [line.removeprefix("# ") if "=" in line or "[[" in line else line
             for line in text.splitlines()[2:]]  # fmt: skip
    (tmp_path / "all.toml").write_text("\n".join(lines))
    data = tomllib.loads((tmp_path / "all.toml").read_text())
    settings = RunSettings.from_dict(data)
    assert settings.stop.structures == 500
    assert settings.stop.time == 3600.0
    # defaults that are shown are the defaults
    defaults = settings_of(tmp_path / "run.toml")
    for section, keys in {
        "problem": ("pressure_gpa", "volume_window", "contact_scale"),
        "search": ("kind", "seed", "population"),
        "stop": ("without_improvement",),
        "run": ("threads",),
    }.items():
        for key in keys:
            shown = getattr(getattr(settings, section), key)
            assert shown == getattr(getattr(defaults, section), key), key
    for key in ("fmax_ev_per_ang", "max_stress_gpa", "max_steps", "wall_s"):
        assert getattr(settings.tier[0], key) == getattr(defaults.tier[0], key), key


def test_init_of_a_field_writes_the_input_of_a_map(nucleate, tmp_path):
    result = nucleate("init", "Sr-Ti-O")
    assert (result.status, "nucleate map field.toml --dry-run" in result.out) == (0, True)
    text = (tmp_path / "field.toml").read_text()
    written = MapSettings.from_toml(tmp_path / "field.toml")
    assert written.field.system == "Sr-Ti-O"
    assert written == MapSettings.from_dict({"field": {"system": "Sr-Ti-O"}})
    lines = [line.removeprefix("# ") if "=" in line else line for line in text.splitlines()[2:]]
    data = tomllib.loads("\n".join(lines).replace("Sr-Ti-O", "Li-Y-Sr-Sn-Ti-O"))
    shown = MapSettings.from_dict(data)
    assert shown.stop.time == 7200.0
    for section, keys in {
        "field": ("max_ratio", "pressure_gpa"),
        "allocation": ("rule", "first", "slice"),
        "stop": ("expected_change_mev",),
        "final": ("best", "judge"),
    }.items():
        for key in keys:
            assert getattr(getattr(shown, section), key) == getattr(getattr(written, section), key)


def test_schema_accepts_what_the_settings_accept(nucleate):
    schema = json.loads(nucleate("schema").out)
    assert schema == json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(tomllib.loads(EMT), schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"problem": {"formula": "CaO", "max_atom": 4}}, schema)


def test_schema_of_a_map_accepts_what_its_settings_accept(nucleate, tmp_path):
    schema = json.loads(nucleate("schema", "--map").out)
    jsonschema.Draft202012Validator.check_schema(schema)
    assert set(schema["properties"]) == set(MapSettings.model_fields)
    assert nucleate("init", "Sr-Ti-O").status == 0
    written = tomllib.loads((tmp_path / "field.toml").read_text())
    jsonschema.validate(written, schema)
    field = {"system": "Li-Sn-S", "windows": ["x(Li) < 0.4"], "space_groups": [62, "195-230"]}
    data = {"field": field, "allocation": {"rule": "equal"}, "stop": {"structures": 9}}
    jsonschema.validate(data, schema)
    assert MapSettings.from_dict(data).stop.structures == 9
    for wrong in ({"field": {"formula": "CaO"}}, {**data, "stop": {"without_improvement": 5}}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(wrong, schema)


@pytest.mark.parametrize(
    ("text", "value"),
    [("90", 90.0), ("90s", 90.0), ("10m", 600.0), ("1h30m", 5400.0), ("0.5d", 43200.0), (7, 7)],
)
def test_durations(text, value):
    assert seconds(text) == value


def test_generate_writes_valid_crystals_that_follow_from_the_seed(nucleate, tmp_path):
    command = ("generate", "CaTiO3", "--generator", "blocks", "--max-atoms", "10", "--number", "5")
    for out in ("a.extxyz", "b.extxyz"):
        assert nucleate(*command, "--out", out, "--seed", "3").status == 0
    assert (tmp_path / "a.extxyz").read_text() == (tmp_path / "b.extxyz").read_text()
    crystals = [crystal for _, crystal in read_crystals(tmp_path / "a.extxyz")]
    space = SearchSpace.create(Composition.from_formula("CaTiO3"), max_atoms=10)
    assert len(crystals) == 5
    assert [space.rejection(crystal) for crystal in crystals] == [None] * 5


@pytest.mark.slow
def test_a_generator_that_stands_alone_makes_as_many_as_asked_for(nucleate, tmp_path):
    pytest.importorskip("torch")
    shipped = files("nucleate.generate.wyckoff_language") / "checkpoints" / "mp.safetensors"
    (tmp_path / "own.safetensors").write_bytes(shipped.read_bytes())
    command = ("generate", "Ca2SiO4", "--formula-units", "4", "--number", "250")
    for generator in ("wyckoff-language", "wyckoff-language=own.safetensors"):
        out = generator.replace("=", "-") + ".extxyz"
        result = nucleate(*command, "--generator", generator, "--out", out)
        assert result.status == 0, result.err
        assert f"Wrote 250 structures to {out}: wyckoff-language " in result.out
    shown = [read_structures(path) for path in sorted(tmp_path.glob("*.extxyz"))]
    counts = [sum(x.info["source"] == "wyckoff-language" for x in items) for items in shown]
    assert counts[0] == counts[1] > 120, "more than the default number of candidates gives"
    result = nucleate(*command, "--generator", "wyckoff-language=missing.safetensors")
    assert "neither a weight nor a file" in result.err


def test_generate_takes_space_groups_sites_and_a_part(nucleate, tmp_path):
    pytest.importorskip("torch")
    command = ("generate", "SrTiO3", "--max-atoms", "5", "--number", "3")
    language = (*command, "--generator", "wyckoff-language")
    result = nucleate(*language, "--space-groups", "221", "--sites", "Sr=b", "--sites", "O=d")
    assert "wyckoff-language" in result.out
    assert "symmetric" not in result.out
    shown = read_structures(tmp_path / "pool.extxyz")
    assert {item.info["wyckoff"] for item in shown} == {"Sr b, Ti a, O d"}
    frame = shown[0].crystal
    frame.to_ase()[frame.numbers != 38].write("frame.cif")
    assert nucleate(*language, "--keep", "frame.cif", "--out", "kept.extxyz").out
    assert read_structures(tmp_path / "kept.extxyz")
    for options, word in (
        (("--space-groups", "231"), "last space group is 230"),
        (("--sites", "Sr=b"), "wyckoff-language alone"),
    ):
        assert word in nucleate(*command, *options, "--out", "no.extxyz").err
    assert "like Sr=b" in nucleate(*language, "--sites", "Srb", "--out", "no.extxyz").err


def test_predict_status_and_going_on(nucleate, tmp_path, emt):
    result = nucleate("predict", emt, "--structures", "4")
    assert result.status == 0, result.err
    assert "4 structures were relaxed" in result.out
    folder = tmp_path / "nucleate-Cu3Au"
    facts = json.loads(nucleate("status", folder, "--json").out)
    assert (facts["structures"], facts["seed"], facts["running"]) == (4, 5, False)
    assert facts["stop_reason"] == "4 structures were relaxed"
    assert facts["best"][0]["rank"] == 1
    assert facts["best"][0]["formula"] == "AuCu3"
    assert isinstance(facts["best"][0]["enthalpy_ev_per_atom"], float)
    assert list(folder.glob("**/*.cif"))
    result = nucleate("predict", emt, "--structures", "6")
    assert result.status == 0, result.err
    with Store.read(folder) as store:
        assert sum(bool(record.outcomes) for record, _ in store.records()) == 6
    text = nucleate("status", folder).out
    assert "Cu3Au" in text
    assert "6 structures" in text


def test_golden_run(nucleate, tmp_path, emt):
    """Two runs of the same seed with one worker are the same, energies included."""
    energies = []
    for out in ("a", "b"):
        assert (
            nucleate("predict", emt, "--structures", "7", "--polish", "0", "--out", out).status == 0
        )
        with Store.read(tmp_path / out) as store:
            energies.append(
                [
                    (record.number, record.enthalpies(), verdict)
                    for record, verdict in store.records()
                ]
            )
    assert energies[0] == energies[1]
    assert any(verdict.accepted for _, _, verdict in energies[0])


def test_check_tries_every_tier(nucleate, emt):
    result = nucleate("check", emt)
    assert result.status == 0, result.err + result.out
    assert "tier emt" in result.out
    assert "Everything works" in result.out


def test_a_formula_continues_a_run_with_its_own_settings(nucleate, tmp_path, emt):
    assert nucleate("predict", emt, "--structures", "2", "--polish", "0").status == 0
    result = nucleate("predict", "Cu3Au", "--structures", "3", "--workers", "1", "--polish", "0")
    assert result.status == 0, result.err
    with Store.read(tmp_path / "nucleate-Cu3Au") as store:
        assert sum(bool(record.outcomes) for record, _ in store.records()) == 3
