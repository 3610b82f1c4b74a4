"""Checks and runs name the component that breaks its contract."""

from __future__ import annotations

import numpy as np
import pytest

import nucleate as nc
from nucleate.energy.engine import EngineContext
from nucleate.testing import check_generator, check_model, check_move, check_search

SALT = [[0.0, 0.0, 0.0], [0.5, 0.5, 0.5]]


def salt(numbers=(11, 17), edge=3.4, scaled=SALT):
    return nc.Candidate(nc.Crystal(numbers, np.eye(3) * edge, scaled), nc.Origin("broken"))


class Broken:
    """A generator that returns what it is told to."""

    name = "broken"

    def __init__(self, made) -> None:
        self.made = made

    def generate(self, *, rng, max_formula_units=None):
        return self.made() if callable(self.made) else self.made


BAD_CANDIDATES = {
    "composition": (
        salt(numbers=(11, 11)),
        "the generator broken .*returned Na, which is not NaCl",
    ),
    "not finite": (salt(edge=np.nan), "the generator broken .*returned a crystal whose cell"),
    "no candidate": (salt().crystal, "the generator broken .*returned .* no Candidate"),
    "too large": (
        salt((11, 17) * 8, 9.0, np.random.default_rng(0).random((16, 3))),
        "the generator broken .*returned a crystal of 16 atoms, more than max_atoms = 4",
    ),
}


@pytest.mark.parametrize("case", BAD_CANDIDATES)
def test_generators(case: str) -> None:
    made, message = BAD_CANDIDATES[case]
    with pytest.raises(nc.ContractError, match=message):
        nc.generate("NaCl", Broken(made), n=1, max_atoms=4)
    with pytest.raises(nc.ContractError, match=message):
        check_generator(lambda _: Broken(made), "NaCl", max_atoms=4)


def test_a_generator_with_random_numbers_of_its_own() -> None:
    def made():
        return salt(edge=np.random.uniform(3.2, 3.6))  # noqa: NPY002

    with pytest.raises(nc.ContractError, match="other candidates for the same random numbers"):
        check_generator(lambda _: Broken(made), "NaCl", max_atoms=4)


def transmute(parent, context, *, rng):
    return parent.replace(numbers=[11] * parent.n_atoms)


def lose(parent, context, *, rng):
    return nc.Crystal(parent.numbers[:1], parent.cell, parent.scaled[:1])


def blow_up(parent, context, *, rng):
    return parent.replace(cell=parent.cell * np.inf)


def arrays(parent, context, *, rng):
    return parent.scaled


def vandalise(parent, context, *, rng):
    parent.scaled.setflags(write=True)
    parent.scaled[0] += 0.1
    return parent


def wander(parent, context, *, rng):
    return parent.replace(scaled=parent.scaled + np.random.normal(size=3))  # noqa: NPY002


@pytest.mark.parametrize(
    ("move", "message"),
    [
        (transmute, "the move transmute .*returned Na, which is not NaCl"),
        (lose, "the move lose .*returned .*, which is not NaCl"),
        (blow_up, "the move blow_up .*returned a crystal whose cell or coordinates are not finite"),
        (arrays, "(?s)the move arrays .*returned .* no Child, Crystal or None"),
        (vandalise, "vandalise changes its parent"),
        (wander, "wander makes other children of the same random numbers"),
    ],
)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_moves(move, message: str) -> None:
    with pytest.raises(nc.ContractError, match=message):
        check_move(move, "NaCl", max_atoms=8)


@pytest.mark.parametrize("move", [transmute, lose, arrays])
def test_moves_in_a_run(move) -> None:
    options = {"population": 2, "new_fraction": 0.0, "max_atoms": 4, "generators": "symmetric"}
    search = nc.BasinHopping("NaCl", moves=[move], **options)

    def play() -> None:
        for _ in range(20):
            trial = search.ask()
            search.tell(trial, nc.relax(trial, model="spp", single_point=True))

    with pytest.raises(nc.ContractError, match=f"the move {move.__name__} .*returned"):
        play()


class Springs:
    """Atoms bound to the origin of the cell's corner, as a wrong model may be."""

    level = nc.LevelOfTheory("tests", "1", "springs")
    elements = frozenset(range(1, 100))
    cutoff = 9.0

    def __init__(self, fault: str = "") -> None:
        self.fault = fault

    def evaluate(self, batch):
        sizes = np.diff(batch.start)
        gap = batch.volumes / sizes - 20.0
        energies = 0.01 * gap**2 * sizes
        forces = np.zeros_like(batch.positions)
        stresses = (0.02 * gap)[:, None, None] * np.eye(3)
        if self.fault == "batch":
            energies = energies + len(sizes)
        if self.fault == "forces":
            forces = forces + 0.5
        if self.fault == "sign":
            stresses = -stresses
        if self.fault == "nan":
            forces = forces + np.nan
        if self.fault == "shape":
            forces = forces[:-1]
        if self.fault == "missing":
            return nc.Evaluation(energies, forces, None)
        return nc.Evaluation(energies, forces, stresses)


def test_a_model_that_keeps_its_contract() -> None:
    check_model(Springs())


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("batch", "another energy"),
        ("forces", "forces that are not minus the derivative"),
        ("sign", "stress that is not the derivative"),
        ("nan", "not finite"),
        ("shape", "forces of shape"),
        ("missing", "no stresses"),
    ],
)
def test_models(fault: str, message: str) -> None:
    with pytest.raises(nc.ContractError, match=message):
        check_model(Springs(fault))


@pytest.mark.parametrize("fault", ["nan", "shape", "missing"])
def test_models_in_a_relaxation(fault: str) -> None:
    outcome = nc.relax(salt().crystal, model=Springs(fault))
    assert isinstance(outcome, nc.Failed)
    assert outcome.message


class Forgetful(nc.DrawnSearch):
    """It counts what it asked for and forgets it when it is restored."""

    asked = 0

    def draw(self, number, rng):
        self.asked += 1
        return self.context.generator.generate(rng=np.random.default_rng(self.asked))


class Stubborn(nc.DrawnSearch):
    """It asks for the wrong composition."""

    def draw(self, number, rng):
        return salt((11, 11), 3.0 + rng.random())


class ForgetfulSettings(nc.SearchSettings):
    def build(self, context):
        return Forgetful(context)


class StubbornSettings(nc.SearchSettings):
    def build(self, context):
        return Stubborn(context)


def test_searches() -> None:
    with pytest.raises(nc.ContractError, match="continues otherwise after an interruption"):
        check_search(ForgetfulSettings)
    with pytest.raises(nc.ContractError, match=r"Stubborn .*asked for .* is Na, not NaCl"):
        check_search(StubbornSettings, "NaCl", max_atoms=4)


def test_the_default_of_an_engine_is_itself() -> None:
    assert nc.Engine().build(EngineContext()).kind.endswith(":Engine")
