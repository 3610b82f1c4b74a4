"""Bad input: exit status 2, one clear sentence, and nothing is written or overwritten."""

from __future__ import annotations

import numpy as np
import pytest

from nucleate.crystal.crystal import Crystal
from nucleate.crystal.files import write_cif
from nucleate.errors import InputError
from nucleate.networks.factory import check_path
from nucleate.run.settings import RunSettings
from nucleate.run.store import Store

WORDS = {
    ("predict", "Xx2O"): ["'Xx'", "periodic table"],
    ("predict", "Ca-3O"): ["-3", "positive whole"],
    ("predict", "Ca3Ti2O7", "--max-atoms", "5"): ["max_atoms = 5", "at least 12"],
    ("predict", "CaO", "--formula-units", "30", "--max-atoms", "8"): ["[30]", "Raise max_atoms"],
    ("predict", "CaO", "--formula-units", "two"): ["'two'", "like 1,2,4"],
    ("predict", "CaO", "--formula-units", "5-1"): ["'5-1'", "1-5"],
    ("predict", "CaO", "--formula-units", "1-99999999999"): ["10000", "1-4"],
    ("predict", "CaO", "--pressure", "-2"): ["pressure_gpa = -2", "--allow-tension"],
    ("predict", "CaO", "--generator", "blocks=0"): ["generators", "positive weight"],
    ("predict", "CaO", "--generator", "blocks=inf"): ["weight = inf", "finite"],
    ("predict", "CaO", "--generator", "blocks=nan"): ["weight = nan", "finite"],
    ("predict", "C" * 300): ["formula", "200 characters"],
    ("predict", "CaO", "--time", "10x"): ["stop.time = '10x'", "10m"],
    ("predict", "CaO", "--seed", "-1"): ["search.seed = -1", "0"],
    ("predict", "CaO", "--structures", "0"): ["stop.structures = 0", "1"],
    ("predict", "CaO", "--workers", "0"): ["run.workers = 0", "1"],
    ("predict", "CaO", "--tier", "dft"): ["'dft'", "chgnet"],
    ("predict", "CaO", "--generator", "magic"): ["'magic'", "symmetric"],
    ("predict", "CaO", "--generator", "blocks=many"): ["'many'", "blocks=2"],
    ("predict", "CaO", "--generator", "seeds=none/*.cif"): ["none/*.cif", "CIF"],
    ("predict", "CaO", "--target", "none.cif"): ["none.cif", "Check the path"],
    ("predict", "none.toml"): ["none.toml", "nucleate init"],
    ("check", "none.toml"): ["none.toml", "nucleate init"],
    ("map", "none.toml"): ["none.toml", "`nucleate init Sr-Ti-O --file field.toml`"],
    ("init", "Sr-Xx"): ["field.system = 'Sr-Xx'", "periodic table"],
    ("status", "nowhere"): ["nowhere", "not a run folder"],
    ("export", "nowhere"): ["nowhere", "not a run folder"],
    ("generate", "Xx"): ["'Xx'", "periodic table"],
    ("generate", "CuAu", "--generator", "symmetric", "--space-groups", "1"): ["P1", "Leave it out"],
    ("generate", "CuAu", "--ranking", "spp"): ["--ranking = 'spp'", "graph-search"],
    ("predict", "CaO", "--tier", "ase"): ["lacks its calculator", "ase=CALCULATOR"],
    ("predict", "CaO", "--generator", "seeds"): ["lacks its files", "seeds=FILES"],
    ("predict", "CaO", "--tier", "ase=no_such_module:X"): ["tier 'ase'", "is not installed"],
    ("predict", "CaO", "--judge", "ase=no_such_module:X"): ["final.judge", "no_such_module"],
    ("predict", "CaO", "--tier", "spp", "--library", "none.nlib"): ["none.nlib", "does not exist"],
}

FILES = {
    "max_atom = 5": ["problem.max_atom", "'max_atoms'"],
    "[serch]\nseed = 1": ["serch", "'search'"],
    "[search]\nseed = 'x'": ["search.seed = 'x'", "integer"],
    "[search]\ngenerators = [{kind = 'block'}]": ["search.generators[0]", "'blocks'"],
    "[search]\ngenerators = [{kind = 'blocks', wieght = 2}]": ["wieght", "'weight'"],
    "[search.moves]\nswap = 1": ["'swap'", "swap-two-atoms"],
    "[[tier]]\nengine = {kind = 'chgnet', modle = 'x'}": ["tier[0].engine.modle", "'model'"],
    "[[tier]]\nfmax_ev_per_ang = -1": ["tier[0].fmax_ev_per_ang = -1", "greater than 0"],
    "[search]\ngenerators = 3": ["search.generators = 3", "list"],
    "[search]\ngenerators = [3]": ["search.generators[0] = 3", "[[search.generators]]"],
    "[[tier]]\n[[tier]]": ["tier.name", "name of its own"],
    "[run]\ntime = 'ten'": ["stop.time = 'ten'", "10m"],
    "oxidation_states = {Ca = 1, O = -2}": ["charge -1", "add up to 0"],
    "pressure_gpa = 'high'": ["pressure_gpa = 'high'", "number"],
    "x = = 1": ["TOML", "line"],
    "max_atoms = true": ["problem.max_atoms = True", "number"],
    "pressure_gpa = true": ["problem.pressure_gpa = True", "number"],
    "oxidation_states = {Ca = true, O = -2}": ["problem.oxidation_states", "number"],
    "[search]\nseed = true": ["search.seed = True", "number"],
    "[search.moves]\nswap-two-atoms = true": ["search.moves", "number"],
    "[run]\nworkers = true": ["run.workers = True", "number"],
    "[stop]\ntime = true": ["stop.time = True", "number"],
    "[[tier]]\nfmax_ev_per_ang = inf": ["tier[0].fmax_ev_per_ang = inf", "finite"],
    "[[tier]]\nengine = {kind = 'vasp', command = ' '}": ["command", "give the program"],
    "min_distances = {Ca-O = 2.0, O-Ca = 2.1}": ["Ca-O = 2.0 and O-Ca = 2.1", "once"],
    "space_groups = [231]": ["'231' is not a space group"],
    "compression = 0.8": ["problem.compression has no effect", "leave it out"],
    "[final]\nbest = 0\njudge = 'sevennet'": ["final.judge has no effect", "final.best = 0"],
    "[search]\nkind = 'random'\nwalkers = 3": ["search.walkers", "'basin-hopping'"],
    "[[tier]]\nname = 'polished'": ["tier.name", "final phase"],
    "[[tier]]\nguards = {volume_ratio = [4.0, 0.2]}": ["guards.volume_ratio", "must rise"],
    "[[tier]]\nguards = {max_atoms = 1}": ["guards.max_atoms = 1", "2 atoms or more"],
    "[search]\ngenerators = [{kind = 'pool', files = []}]": ["generators[0].files names no file"],
}


def is_one_sentence_of_error(result, words):
    assert result.status == 2, result.err
    assert "\nError: " in f"\n{result.err}"  # after the phases that were shown
    assert "Traceback" not in result.err
    for word in words:
        assert word in result.err
    return True


@pytest.mark.parametrize("command", WORDS, ids=" ".join)
def test_bad_words(nucleate, tmp_path, command):
    assert is_one_sentence_of_error(nucleate(*command), WORDS[command])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", FILES)
def test_bad_input_files(nucleate, tmp_path, text):
    (tmp_path / "in.toml").write_text(f"[problem]\nformula = 'CaO'\n{text}\n")
    result = nucleate("predict", "in.toml")
    assert is_one_sentence_of_error(result, ["in.toml" if "swap" not in text else "", *FILES[text]])
    assert [path.name for path in tmp_path.iterdir()] == ["in.toml"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("problem = 3", ["problem = 3", "[problem]"]),
        ("search = []\n[problem]\nformula = 'CaO'", ["search", "[search]"]),
        ("tier = 3\n[problem]\nformula = 'CaO'", ["tier = 3", "list"]),
        ("tier = [3]\n[problem]\nformula = 'CaO'", ["tier[0] = 3", "[[tier]]"]),
        ("run = 'x'\n[problem]\nformula = 'CaO'", ["run = 'x'", "[run]"]),
    ],
)
def test_values_in_place_of_tables(nucleate, tmp_path, text, words):
    (tmp_path / "run.toml").write_text(text)
    assert is_one_sentence_of_error(nucleate("predict", "run.toml", "--out", "run"), words)


def test_tension_that_is_meant_is_allowed():
    problem = {"formula": "CaO", "pressure_gpa": -2.0}
    assert RunSettings.from_dict({"problem": problem | {"allow_tension": True}}).problem.space()


@pytest.mark.parametrize(
    ("formula", "molecular"), [("C6H6", True), ("CO2", True), ("C", False), ("CaCO3", False)]
)
def test_check_says_what_is_molecular(formula, molecular):
    from nucleate.api.check import is_molecular
    from nucleate.crystal.composition import Composition

    assert is_molecular(Composition.from_formula(formula).counts) is molecular


def test_a_missing_formula(nucleate, tmp_path):
    (tmp_path / "in.toml").write_text("[problem]\nmax_atoms = 5\n")
    assert is_one_sentence_of_error(nucleate("predict", "in.toml"), ["problem.formula", "missing"])


def test_a_target_of_another_composition(nucleate, tmp_path):
    write_cif(tmp_path / "salt.cif", Crystal([11, 17], np.eye(3) * 3.9, [[0, 0, 0], [0.5] * 3]))
    result = nucleate("predict", "CaO", "--target", "salt.cif")
    assert is_one_sentence_of_error(result, ["salt.cif", "NaCl", "CaO"])


def test_an_unreadable_target(nucleate, tmp_path):
    (tmp_path / "bad.cif").write_text("this is not a CIF file")
    result = nucleate("predict", "CaO", "--target", "bad.cif")
    assert is_one_sentence_of_error(result, ["bad.cif"])


def test_a_folder_that_cannot_be_written(nucleate):
    result = nucleate("predict", "CaO", "--max-atoms", "8", "--out", "/proc/nothing")
    assert is_one_sentence_of_error(result, ["/proc/nothing", "--out"])


def test_a_run_folder_of_another_composition(nucleate, tmp_path):
    settings = RunSettings.from_dict({"problem": {"formula": "CaO"}})
    meta = {"input": settings.to_dict(), "seed": 0, "formula": "CaO"}
    Store.create(tmp_path, meta).close()
    before = (tmp_path / "run.db").read_bytes()
    result = nucleate("predict", "MgO", "--out", tmp_path)
    assert is_one_sentence_of_error(result, ["CaO -> MgO", "must not change"])
    result = nucleate("predict", "CaO", "--out", tmp_path, "--seed", "3", "--time", "1m")
    words = ["search.seed: 0 -> 3  (must not", "stop.time: not set -> 60.0  (may"]
    assert is_one_sentence_of_error(result, words)
    assert (tmp_path / "run.db").read_bytes() == before


def test_an_engine_that_cannot_be_used(nucleate, tmp_path):
    (tmp_path / "in.toml").write_text(
        "[problem]\nformula = 'CaO'\nmax_atoms = 4\n[run]\nworkers = 1\n"
        "[[tier]]\nengine = {kind = 'ase', calculator = 'no_such_module:Calculator'}\n"
    )
    assert is_one_sentence_of_error(
        nucleate("predict", "in.toml", "--out", "o"), ["no_such_module"]
    )
    assert not Store.exists(tmp_path / "o")


def test_a_gpu_that_is_not_there_is_refused_before_a_pool_is_made(nucleate, tmp_path):
    pytest.importorskip("torch")
    (tmp_path / "in.toml").write_text(
        "[problem]\nformula = 'SrTiO3'\n[[tier]]\nengine = {kind = 'chgnet', device = 'cuda:99'}\n"
    )
    result = nucleate("predict", "in.toml", "--out", "o")
    assert is_one_sentence_of_error(result, ["device = 'cuda:99'", "torch sees"])
    assert not (tmp_path / "o").exists()


def test_a_missing_interpreter(nucleate, tmp_path):
    (tmp_path / "in.toml").write_text(
        "[problem]\nformula = 'CaO'\nmax_atoms = 4\n[run]\npython = '/no/python'\n"
    )
    result = nucleate("predict", "in.toml", "--out", "o")
    assert is_one_sentence_of_error(result, ["python = '/no/python'"])
    assert not Store.exists(tmp_path / "o")


def test_the_input_of_another_command_names_that_command(nucleate, tmp_path):
    (tmp_path / "field.toml").write_text("[field]\nsystem = 'Cu-Au'\n")
    (tmp_path / "run.toml").write_text("[problem]\nformula = 'CuAu'\n")
    words = ["field.toml is of a map", "`nucleate map field.toml`"]
    for command in ("predict", "check"):
        assert is_one_sentence_of_error(nucleate(command, "field.toml"), words)
    words = ["run.toml is of one composition", "`nucleate predict run.toml`"]
    for options in ((), ("--dry-run",)):
        assert is_one_sentence_of_error(nucleate("map", "run.toml", *options), words)


def test_init_and_generate_do_not_overwrite(nucleate, tmp_path):
    for name in ("run.toml", "pool.extxyz"):
        (tmp_path / name).write_text("mine")
    assert is_one_sentence_of_error(nucleate("init"), ["run.toml", "--file"])
    command = ("generate", "CaO", "--max-atoms", "4", "--number", "1")
    assert is_one_sentence_of_error(nucleate(*command), ["pool.extxyz"])
    for name in ("run.toml", "pool.extxyz"):
        assert (tmp_path / name).read_text() == "mine"


def test_a_search_that_draws_nothing_fails_and_names_its_limits(nucleate, tmp_path):
    (tmp_path / "in.toml").write_text(
        "[problem]\nformula = 'CuAu'\nmax_atoms = 2\ncontact_scale = 5\n[search]\nknown = 'off'\n"
        "generators = [{kind = 'symmetric'}]\n[[tier]]\nengine = {kind = 'spp'}\n"
        "[run]\nworkers = 1\n"
    )
    result = nucleate("predict", "in.toml", "--out", "run")
    assert result.status == 1
    assert "contact_scale" in result.out.replace("\n", " ")
    assert result.err.endswith("Error: no structure has an energy.\n")


def test_the_first_failure_is_told_where_all_failed(nucleate):
    words = ("--max-atoms", "2", "--known", "off", "--generator", "symmetric", "--workers", "1")
    emt = ("--tier", "ase=ase.calculators.emt:EMT", "--structures", "2", "--polish", "0")
    result = nucleate("predict", "NaCl", *words, *emt)
    assert result.status == 1
    assert "No EMT-potential for Na" in result.err


def test_a_calculator_in_the_working_folder_is_found(tmp_path, monkeypatch):
    (tmp_path / "own_calculator.py").write_text("from ase.calculators.emt import EMT\n")
    monkeypatch.chdir(tmp_path)
    check_path("calculator", "own_calculator:EMT", "module:Class")
    with pytest.raises(InputError, match="other_calculator is not installed"):
        check_path("calculator", "other_calculator:EMT", "module:Class")
