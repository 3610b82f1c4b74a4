"""An error in the code of a component is a sentence that names it; its traceback is in the log."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from textwrap import dedent

import pytest
from ase.build import bulk

import nucleate as nc
from nucleate.run.log import LOG_NAME

PLUGINS = """
    import numpy as np
    import nucleate as nc

    def fail(*_, **__):
        raise KeyError("the table of radii")

    class Bad(nc.Generator):
        name = "bad"
        generate = fail

    class Builds(nc.GeneratorSettings):
        build = fail

    class Draws(nc.GeneratorSettings):
        def build(self, context):
            return Bad()

    class Shear(nc.MoveSettings):
        apply = fail

    class Asks(nc.SearchSettings):
        def build(self, context):
            class Asking(nc.DrawnSearch):
                draw = fail
            return Asking(context)

    class Tells(nc.SearchSettings):
        def build(self, context):
            class Telling(nc.DrawnSearch):
                def draw(self, number, rng):
                    return self.context.generator.generate(rng=rng)
                learn = fail
            return Telling(context)

    class Constant:
        level, elements, cutoff = nc.LevelOfTheory("tests", "1", "x"), frozenset(range(99)), 9.0
        fault = ""

        def evaluate(self, batch):
            if not self.fault:
                fail()
            forces = np.zeros_like(batch.positions)
            forces = forces[:-1] if self.fault == "shape" else forces * np.nan
            return nc.Evaluation(0 * batch.volumes, forces, 0 * batch.cells)

    class Evaluates(nc.Engine):
        fault: str = ""

        def build(self, context):
            made = Constant()
            made.fault = self.fault
            return made

    class Loads(nc.Engine):
        build = fail

    class Refuses(nc.Engine):
        def build(self, context):
            raise nc.InputError("radius = 1 is too small. Give more.")

    class Lacks(nc.Engine):
        def build(self, context):
            raise nc.MissingDependencyError("it needs radii. Install it.")
"""

BASE = """
    [problem]
    formula = "NaCl"
    max_atoms = 4
    [stop]
    structures = 40
    [run]
    workers = 1
"""
SPP = '[[tier]]\nname = "spp"\nengine = {kind = "spp"}\n'

SHEARED = """
[search]
generators = ["symmetric"]
new_fraction = 0.0
population = 2
moves = {"faulty:Shear" = 1e9}
"""
CASES = {
    "build": ('[search]\ngenerators = [{kind = "faulty:Builds"}]\n', SPP,
              "the generator faulty:Builds in .*faulty.py raised KeyError in its build"),
    "generate": ('[search]\ngenerators = [{kind = "faulty:Draws"}]\n', SPP,
                 "the generator bad .faulty:Bad in .*faulty.py. raised KeyError in its generate"),
    "move": (SHEARED, SPP,
             "the move faulty:Shear in .*faulty.py raised KeyError in its apply"),
    "ask": ('[search]\nkind = "faulty:Asks"\ngenerators = ["symmetric"]\n', SPP,
            "the search faulty:Asks.build.<locals>.Asking in .* raised KeyError in its ask"),
    "tell": ('[search]\nkind = "faulty:Tells"\ngenerators = ["symmetric"]\n', SPP,
             "the search faulty:Tells.* raised KeyError in its tell"),
}  # fmt: skip


@pytest.fixture
def faulty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "faulty.py").write_text(dedent(PLUGINS))
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    sys.modules.pop("faulty", None)
    return tmp_path


def _input(folder: Path, search: str, tier: str) -> str:
    path = folder / "run.toml"
    path.write_text(dedent(BASE) + search + tier)
    return str(path)


@pytest.mark.parametrize("case", CASES)
def test_a_run_ends_with_a_sentence(case: str, faulty: Path, cli) -> None:
    search, tier, sentence = CASES[case]
    done = cli("predict", _input(faulty, search, tier), "--out", "run")
    assert done.status == 1
    assert re.search(f"Error: {sentence} at faulty.py, line 6: 'the table of radii'", done.err)
    assert "Traceback" not in done.err
    if case != "build":
        assert "Traceback" in (faulty / "run" / LOG_NAME).read_text()


def test_a_model_fails_its_structures_by_its_name(faulty: Path, cli) -> None:
    tier = '[[tier]]\nname = "mine"\nengine = {kind = "faulty:Evaluates"}\n'
    search = '[search]\ngenerators = ["symmetric"]\n'
    words = ("predict", _input(faulty, search, tier), "--structures", 2, "--out", "run")
    done = cli(*words)
    assert done.status == 1
    failures = [record.failure for record in nc.open("run").records]
    messages = {failure.outcome.message for failure in failures if failure is not None}
    (message,) = messages
    assert message.startswith("the model faulty:Evaluates (faulty:Constant in ")
    assert "raised KeyError in its evaluate at faulty.py, line 6" in message
    logs = (faulty / "run" / "workers").glob("*.log")
    assert any("Traceback" in log.read_text() for log in logs)


@pytest.mark.parametrize(("fault", "words"), [("shape", "forces of shape"), ("nan", "not finite")])
def test_a_model_that_breaks_its_contract_is_named(fault: str, words: str, faulty: Path) -> None:
    from faulty import Evaluates  # type: ignore[import-not-found]

    crystal = nc.Crystal([11, 17], [[3.4, 0, 0], [0, 3.4, 0], [0, 0, 3.4]],
                         [[0, 0, 0], [0.5, 0.5, 0.5]])  # fmt: skip
    outcome = nc.relax(crystal, model=Evaluates(fault=fault))
    assert isinstance(outcome, nc.Failed)
    assert words in outcome.message
    assert "faulty:" in outcome.message


LOADING = {
    "Loads": (1, r"the engine faulty:Loads in .* raised KeyError in its build"),
    "Refuses": (2, r"radius = 1 is too small\. Give more\."),
    "Lacks": (1, r"it needs radii\. Install it\."),
}


@pytest.mark.parametrize(
    ("command", "kind"),
    [*(("predict", kind) for kind in LOADING), ("relax", "Lacks"), ("check", "Loads")],
)
def test_an_engine_that_cannot_be_loaded(command: str, kind: str, faulty: Path, cli) -> None:
    """The exit status is 2 where its input is at fault, else 1, in workers and outside."""
    status, words = LOADING[kind]
    tier = f'[[tier]]\nname = "mine"\nengine = {{kind = "faulty:{kind}"}}\n'
    bulk("NaCl", "rocksalt", a=5.64).write("salt.cif")
    words_of = {
        "predict": ("predict", _input(faulty, "", tier), "--out", "run"),
        "relax": ("relax", "salt.cif", "--tier", f"faulty:{kind}", "--out", "run"),
        "check": ("check", _input(faulty, "", tier)),
    }
    done = cli(*words_of[command])
    assert done.status == status, done.out + done.err
    assert re.search(words, done.out + done.err)
    assert "Traceback" not in done.err
