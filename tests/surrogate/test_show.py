"""``nucleate surrogate show``: fits of a run, and a fit as a file that a tier takes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

import nucleate as nc
from nucleate.api.surrogate import fitted_in, learned_in
from nucleate.cli import build_app
from nucleate.errors import InputError

EMT = {"kind": "ase", "calculator": "ase.calculators.emt:EMT"}


def searched(folder: Path, **learning: object) -> Path:
    own = {"name": "surrogate", "first_fit": 15, "explore": 0, **learning}
    tiers = [own] if learning else []
    nc.predict(
        {
            "problem": {"formula": "Cu3Au", "max_atoms": 8},
            "search": {"seed": 3, "known": "off", "generators": [{"kind": "symmetric"}]},
            "stop": {"structures": 30 if learning else 2},
            "final": {"best": 0, "judge": "off"},
            "run": {"workers": 1},
            "tier": [*tiers, {"name": "emt", "engine": EMT}],
        },
        folder=folder,
        display=False,
    )
    return folder


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return searched(tmp_path_factory.mktemp("runs") / "learned", off_below=-1.0)


def show(*arguments: object) -> str:
    result = CliRunner().invoke(build_app(), ["surrogate", "show", *map(str, arguments)])
    if isinstance(result.exception, InputError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


def test_fits_and_their_errors_are_shown(run: Path) -> None:
    learned = learned_in(run)
    text = show(run)
    assert "considered" in text
    assert len(text.splitlines()) >= 2 + len(learned.fits)
    data = json.loads(show(run, "--json"))
    assert [fit["number"] for fit in data["fits"]] == [fit.number for fit in learned.fits]


def test_a_fit_becomes_a_file_that_a_tier_relaxes_with(run: Path, tmp_path: Path) -> None:
    path = tmp_path / "fit"
    show(run, "--weights", path)
    surrogate = fitted_in(run)
    assert path.read_bytes() == surrogate.to_bytes()
    best = nc.open(run).best.crystal
    engine = {"kind": "surrogate", "file": str(path)}
    relaxed = nc.relax(best, model=engine)
    assert relaxed.level == surrogate.level
    first = learned_in(run).fits[0].number
    assert fitted_in(run, first).number == first


def test_what_is_not_there_is_said(run: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"fit = 99: there is none. The fits of .* are: 1"):
        show(run, "--weights", tmp_path / "fit", "--fit", 99)
    with pytest.raises(InputError, match="add --weights FILE"):
        show(run, "--fit", 1)
    plain = searched(tmp_path / "plain")
    with pytest.raises(InputError, match="has learned no surrogate"):
        show(plain)
