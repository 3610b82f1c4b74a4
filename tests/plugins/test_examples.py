"""The example plug-ins, as an outsider uses them: from an input file and from Python."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

import nucleate as nc
from nucleate.run.store import Store
from nucleate.testing import check_generator, check_model, check_move, check_search

FOLDER = Path(__file__).resolve().parents[2] / "examples" / "plugins"
EXAMPLES = sorted(FOLDER.glob("*.py"))

INPUT = """
[problem]
formula = "Cu3Au"
max_atoms = 8
[search]
{search}
generators = [{{kind = "generator:Grid", spacing = 2.9}}]
population = 3
[stop]
structures = 12
[final]
best = 1
[[tier]]
name = "soft"
slots = 1
engine = {{kind = "model:Soft"}}
[run]
workers = 1
"""

MOVING = 'kind = "lowest-minima"\nnew_fraction = 0.2\nmoves = {double = 0.0, "move:Shear" = 20.0}'
RATTLING = 'kind = "search:Rattling"\nscale = 0.05'


@pytest.fixture
def plugins(monkeypatch: pytest.MonkeyPatch):
    """Return the four modules."""
    monkeypatch.syspath_prepend(str(FOLDER))
    names = [path.stem for path in EXAMPLES]
    for name in names:
        sys.modules.pop(name, None)
    yield {name: __import__(name) for name in names}
    for name in names:
        sys.modules.pop(name, None)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_they_are_short_and_use_public_names_only(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 25
    assert "import nucleate as nc\n" in text
    assert not re.search(r"nucleate\.|from nucleate", text)
    names = set(re.findall(r"\bnc\.(\w+)", text))
    assert names <= set(nc.__all__)


@pytest.mark.parametrize("search", [MOVING, RATTLING], ids=["move", "search"])
@pytest.mark.usefixtures("plugins")
def test_from_an_input_file(search: str, tmp_path: Path, cli) -> None:
    (tmp_path / "run.toml").write_text(INPUT.format(search=search), encoding="utf-8")
    done = cli("predict", "run.toml", "--out", "run")
    assert done.status == 0, done.err
    with Store.read(tmp_path / "run") as store:
        records = [record for record, _ in store.records()]
    assert sum(bool(record.outcomes) for record in records) == 12
    assert sum(record.relaxed is not None for record in records) >= 6
    sources = {record.candidate.origin.source for record in records}
    assert "grid" in sources
    assert sources & ({"move:shear"} if search == MOVING else {"rattle"})


def test_from_python(plugins) -> None:
    run = nc.predict(
        "Cu3Au",
        max_atoms=8,
        generators=[plugins["generator"].Grid(spacing=2.9)],
        search=plugins["search"].Rattling(population=3),
        model=plugins["model"].Soft(),
        structures=6,
        workers=1,
        display=False,
    )
    assert run.best.crystal.reduced_formula == "AuCu3"
    run = nc.predict(
        "Cu3Au",
        max_atoms=8,
        generators=["generator:Grid"],
        search={"kind": "basin-hopping", "population": 3, "new_fraction": 0.0},
        moves=[plugins["move"].Shear(largest=0.2)],
        model=plugins["model"].SoftSpheres(),
        structures=6,
        display=False,
    )
    assert len(run.structures) >= 1


def test_they_keep_their_contracts(plugins) -> None:
    space = {"formula": "Cu3Au", "max_atoms": 8}
    check_generator(plugins["generator"].Grid, **space)
    check_move(plugins["move"].Shear, **space)
    check_model(plugins["model"].Soft, **space)
    check_search(plugins["search"].Rattling, **space)
