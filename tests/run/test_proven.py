"""A run ends when its best structure is as low as everything that proven grids offer."""

from __future__ import annotations

import json
import signal
import time

import numpy as np
import pytest
from tests.exact.systems import OXIDE
from tests.exact.test_command import FIELD
from tests.run.test_kills import start
from tests.search.test_target import FCC, record

import nucleate as nc
from nucleate.api.prove import check_certificate
from nucleate.crystal.composition import Composition
from nucleate.crystal.crystal import Crystal
from nucleate.errors import InputError
from nucleate.exact.cells import Task
from nucleate.exact.options import SessionOptions
from nucleate.exact.relaxing import record as record_of
from nucleate.exact.session import prove_session
from nucleate.run.proving import _is_allowed
from nucleate.run.settings import RunSettings
from nucleate.search.proven import Proven

SEARCH = """\
[problem]
formula = "SrTiO3"
max_atoms = 5
[search]
seed = 1
known = "off"
generators = [{ kind = "symmetric" }]
[stop]
proven = true
proven_grids = 10
structures = 60
[[tier]]
name = "oxides"
engine = { kind = "force-field", file = "ff.toml" }
[final]
best = 0
[run]
workers = 1
"""
CUBIC = (3.9,) * 3 + (90.0,) * 3
WORDS = ("predict", "run.toml", "--out", "run")


@pytest.fixture
def place(tmp_path):
    (tmp_path / "ff.toml").write_text(FIELD)
    (tmp_path / "run.toml").write_text(SEARCH)
    return tmp_path


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """The proof of the perovskite on its grid, and its file."""
    folder = tmp_path_factory.mktemp("proof")
    options = SessionOptions(OXIDE, folder, cell=CUBIC, groups=(221,), grid=(4, 4, 4))
    found = prove_session(Composition.from_formula("SrTiO3"), options).certificate
    return found, folder / "certificate.json"


def lines_of(folder):
    path = folder / "run" / "proofs" / "scan.jsonl"
    return path.read_text().splitlines() if path.exists() else []


@pytest.mark.slow
def test_a_killed_proof_continues_and_ends_the_search(place):
    process = start(WORDS, place)
    while process.poll() is None and len(lines_of(place)) < 20:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    before = [json.loads(line) for line in lines_of(place)[:-1]]
    assert any("proof" in line for line in before)
    process = start(WORDS, place)
    _, error = process.communicate(timeout=280)
    assert process.returncode == 0, error.decode()
    after = [json.loads(line) for line in lines_of(place)]
    assert after[: len(before)] == before
    assert len({line["proof"] for line in after if "proof" in line}) == 10
    run = nc.open(place / "run")
    facts = run.status()
    assert facts["stop_reason"] == "nothing lower is possible on the proven grids"
    assert facts["structures"] < 60
    assert facts["proven"].startswith("Proven: no arrangement on")
    assert "none relaxes below -31.71671; the best structure has -31.71671" in facts["proven"]
    assert "The proofs are about 10 grids with" in facts["proven"]
    assert "proofs/certificate.json" in facts["proven"]
    verdicts = list(check_certificate(place / "run" / "proofs" / "certificate.json"))
    assert len(verdicts) == 10
    assert all(verdict.accepted for verdict in verdicts)


def told(proven, *energies):
    for number, energy in enumerate(energies):
        proven.note(record(number, FCC, energy))
    return proven


def test_the_rule_holds_at_the_lowest_relaxed_arrangement(certificate):
    proven = Proven(certificate[0], "emt", "c.json")
    assert not proven.holds
    assert "no structure was relaxed" in proven.in_words()
    told(proven, -31.7)
    assert not proven.holds
    assert "Not proven: an arrangement relaxes to -31.71671 eV/atom." in proven.in_words()
    told(proven, -31.71571)
    assert proven.holds


def test_energies_of_other_tiers_do_not_count(certificate):
    assert not told(Proven(certificate[0], "chgnet", "c.json"), -40.0).holds


def test_for_other_models_it_is_advice(certificate):
    best = certificate[0].proofs[0].found[0].relaxed

    def relax(crystal, *, rng):
        return record_of(Crystal(np.array([29]), crystal.cell, crystal.scaled), -31.8, True, "x")

    proven = told(Proven(certificate[0], "emt", "c.json", relax), -31.9)
    assert not proven.holds
    words = proven.in_words()
    assert words.startswith("Advice only, as the tier 'emt' is not the model of the proofs (")
    assert "relaxed with that model, the best structure is proven" in words
    failed = told(Proven(certificate[0], "emt", "c.json", lambda *_, **__: None), -31.9)
    assert "could not be relaxed" in failed.in_words()
    assert best.space_group == "Pm-3m (221)"


def predicted(place, **changes):
    options = {"model": str(place / "ff.toml"), "structures": 3, "polish": 0, "workers": 1}
    return nc.predict(
        "SrTiO3", folder=place / changes.pop("out", "out"), max_atoms=5, known="off",
        generators=["symmetric"], display=False, **{**options, **changes},
    )  # fmt: skip


def test_a_certificate_is_read_and_must_suit(place, certificate, tmp_path):
    facts = predicted(place, proven=certificate[1], structures=40).status()
    assert "about 1 grid with 0.97 to 0.97 Å" in facts["proven"]
    assert str(certificate[1]) in facts["proven"]
    (place / "other.toml").write_text(FIELD.replace("0.261", "0.26"))
    with pytest.raises(InputError, match=r"stop\.proven = .* was made with another model"):
        predicted(place, proven=certificate[1], model=str(place / "other.toml"), out="b")
    text = certificate[1].read_text().replace('"formula":"SrTiO3"', '"formula":"CaTiO3"')
    (tmp_path / "other.json").write_text(text)
    with pytest.raises(InputError, match="certificate of CaTiO3, not SrTiO3"):
        predicted(place, proven=tmp_path / "other.json", out="c")
    with pytest.raises(InputError, match="cannot be read"):
        predicted(place, proven=tmp_path / "none.json", out="d")


def test_only_grids_of_the_search_are_proven():
    problem = {"formula": "SrTiO3", "formula_units": [2], "space_groups": [1, 139, 221]}
    space = RunSettings.from_dict({"problem": problem}).problem.space()
    allowed = {
        (group, units): _is_allowed(Task(units, group, (4.0,) * 3 + (90.0,) * 3, (4, 4, 4)), space)
        for group in (221, 139)
        for units in (1, 2, 3, 4, 8)
    }
    assert [units for (group, units), yes in allowed.items() if yes and group == 221] == [1, 2]
    assert [units for (group, units), yes in allowed.items() if yes and group == 139] == [1, 2, 4]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"problem": {"formula": "SrTiO3", "pressure_gpa": 5.0}},
            "stop.proven has no effect where",
        ),
        ({"stop": {"proven_grids": 10}}, "stop.proven_grids has no effect without"),
        ({"stop": {"proven": True, "proven_grids": 0}}, "stop.proven_grids"),
    ],
)
def test_what_cannot_be_kept_is_refused(changes, message):
    data = {"problem": {"formula": "SrTiO3"}, "stop": {"proven": True}, **changes}
    with pytest.raises(InputError, match=message):
        RunSettings.from_dict(data)


def test_without_any_model_for_proofs_it_is_refused(tmp_path):
    from ase.calculators.emt import EMT

    with pytest.raises(InputError, match=r"stop\.proven: no model for proofs"):
        nc.predict("CuNi", folder=tmp_path / "o", model=EMT(), proven=True, known="off",
                   structures=2, max_atoms=4, polish=0, display=False)  # fmt: skip
