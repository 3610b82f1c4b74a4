"""A fitted surrogate: its message, its level of theory, relaxations with it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.surrogate.conftest import loose, made_up, morse

from nucleate.errors import InputError
from nucleate.relax.classical import ClassicalRelaxer
from nucleate.relax.outcome import Failed, FailReason, Relaxed
from nucleate.relax.settings import TierSettings, build_relaxer
from nucleate.surrogate import surrogate as module
from nucleate.surrogate.fit import Fit
from nucleate.surrogate.kinds.surrogate import SurrogateSettings
from nucleate.surrogate.surrogate import Surrogate


@pytest.fixture(scope="module")
def fitted(learned: Fit) -> Surrogate:
    copy = Fit.from_bytes(learned.to_bytes())
    answer = copy.solve()
    assert isinstance(answer, Surrogate)
    return answer


def test_the_message_gives_back_the_same_bits(fitted: Surrogate) -> None:
    message = fitted.to_bytes()
    again = Surrogate.from_bytes(message)
    assert again.to_bytes() == message
    assert len(message) < 12_000
    crystal = loose(np.random.default_rng(1))
    one, other = fitted.evaluate(crystal), again.evaluate(crystal)
    assert one.energy == other.energy
    assert np.array_equal(one.forces, other.forces)
    assert fitted.leverage(crystal) == again.leverage(crystal)
    assert (again.errors, again.level) == (fitted.errors, fitted.level)


def test_its_level_of_theory_is_of_this_fit_alone(fitted: Surrogate) -> None:
    assert fitted.level.model == "surrogate fit 2 of morse"
    assert fitted.level.unit == "eV"
    assert made_up().level != made_up(seed=1).level
    assert made_up().level == made_up().level


def test_damaged_and_strange_messages_are_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    message = made_up().to_bytes()
    for strange in (b"", b"{}", message[:10]):
        with pytest.raises(InputError, match="no surrogate"):
            Surrogate.from_bytes(strange)
    for damaged in (message[:-1], message[:200] + b"x" + message[201:], message + b"0"):
        with pytest.raises(InputError, match="damaged"):
            Surrogate.from_bytes(damaged)
    with pytest.raises(InputError, match="No such file"):
        Surrogate.load(tmp_path / "none")
    monkeypatch.setattr(module, "FORMAT", 2)
    with pytest.raises(InputError, match="has the format 1, and this version reads 2"):
        Surrogate.from_bytes(message)


def test_relaxations_find_the_minima_of_what_was_learned(fitted: Surrogate, tmp_path: Path) -> None:
    path = tmp_path / "surrogate"
    fitted.save(path)
    engine = SurrogateSettings(file=str(path))
    tier = TierSettings(name="fitted", engine=engine, relax_cell=False)
    relaxer = build_relaxer(tier)
    rng = np.random.default_rng(2)
    for key in range(3):
        relaxer.add(key, loose(rng))
    outcomes = [outcome for _, outcome in relaxer.step()]
    for outcome in outcomes:
        assert isinstance(outcome, Relaxed)
        assert outcome.converged
        assert outcome.level == fitted.level
        assert outcome.energy_per_atom == pytest.approx(
            morse(outcome.crystal).energy_per_atom, abs=0.03
        )


def test_an_unphysical_minimum_is_a_failure(fitted: Surrogate) -> None:
    crystal = loose(np.random.default_rng(3))
    energy = fitted.evaluate(crystal).energy
    assert not fitted.is_unphysical(crystal, energy)
    assert fitted.is_unphysical(crystal, energy - 60.0)
    assert fitted.is_unphysical(crystal, np.nan)
    deep = Surrogate(**{**vars_of(fitted), "lowest": fitted.lowest + 10.0})
    relaxer = ClassicalRelaxer(deep.classical(), TierSettings(name="fitted"))
    relaxer.add(0, crystal)
    outcome = relaxer.step()[0][1]
    assert isinstance(outcome, Failed)
    assert outcome.reason is not FailReason.INVALID
    assert "unphysical" in outcome.message or "below" in outcome.message


def vars_of(item: Surrogate) -> dict:
    return {name: getattr(item, name) for name in Surrogate.__dataclass_fields__}


def test_the_tier_names_elements_that_the_fit_lacks(tmp_path: Path) -> None:
    path = tmp_path / "surrogate"
    made_up().save(path)
    engine = SurrogateSettings(file=str(path))
    assert engine.problems(["O", "Ti"]) == []
    assert "not for Fe" in engine.problems(["Fe"])[0]
    assert "No such file" in SurrogateSettings(file="none").problems(["O"])[0]


def test_weights_are_not_written_where_there_is_no_place(tmp_path: Path) -> None:
    for path in (tmp_path / "missing" / "weights", tmp_path):
        with pytest.raises(InputError, match=r"weights = .* Give a file in a folder that exists"):
            made_up().save(path)
