"""A search that the caller drives, with generators, moves and a model of the caller's own."""

from __future__ import annotations

import numpy as np
import pytest
from ase.calculators.emt import EMT
from tests.api.test_face import Squares

import nucleate as nc
from nucleate.energy.level import LevelOfTheory
from nucleate.energy.model import Evaluation


def shear(parent, context, *, rng):
    """Return the parent, sheared."""
    del context
    strain = np.eye(3)
    strain[0, 1] = rng.uniform(-0.2, 0.2)
    return parent.replace(cell=parent.cell @ strain)


class Springs:
    """A batched model: every atom is bound to the origin of its cell, and the volume to 20 Å³."""

    level = LevelOfTheory("tests", "1", "springs")
    elements = frozenset(range(1, 100))
    cutoff = 9.0
    composition_energies = None
    batch_atoms = 100

    def evaluate(self, batch):
        sizes = np.diff(batch.start)
        gap = batch.volumes / sizes - 20.0
        stresses = (0.02 * gap)[:, None, None] * np.eye(3)
        return Evaluation(0.01 * gap**2 * sizes, np.zeros_like(batch.positions), stresses)


def test_ask_and_tell_with_everything_of_the_users_own() -> None:
    search = nc.BasinHopping(
        "NaCl",
        generators=[nc.Symmetric(), Squares()],
        moves=[*nc.FUSE_MOVES, shear],
        max_atoms=4,
        population=3,
        new_fraction=0.1,
        seed=2,
    )
    sources = set()
    for _ in range(30):
        trial = search.ask()
        sources.add(trial.candidate.origin.source)
        search.tell(trial, nc.relax(trial, model=Springs()))
    assert search.progress.n_structures == 30
    assert search.best is not None
    assert search.best.crystal.volume_per_atom == pytest.approx(20.0, abs=1.0)
    assert {"squares", "symmetric"} & sources
    assert any(source.startswith("move:") for source in sources)
    assert search.stop_reason() is None
    assert "30 structures" in repr(search)


def test_only_the_moves_that_were_given() -> None:
    search = nc.BasinHopping("NaCl", generators=Squares(), moves=[shear], population=2,
                             new_fraction=0.0, max_atoms=4)  # fmt: skip
    sources = []
    for _ in range(8):
        trial = search.ask()
        sources.append(trial.candidate.origin.source)
        search.tell(trial, nc.relax(trial, model=Springs(), single_point=True))
    assert sources[:2] == ["squares", "squares"]
    assert set(sources[2:]) == {"move:shear"}


@pytest.mark.parametrize("kind", [nc.BasinHopping, nc.LowestMinima])
def test_candidates_follow_from_seed_and_outcomes(kind) -> None:
    def trials(seed: int) -> list:
        search = kind("Cu3Au", generators=["symmetric"], max_atoms=4, population=2, seed=seed)
        found = []
        for _ in range(6):
            trial = search.ask()
            found.append(trial.candidate.crystal)
            search.tell(trial, nc.relax(trial, model=EMT(), max_steps=5))
        return found

    first = trials(1)
    assert first == trials(1)
    assert first != trials(2)


def test_several_trials_in_flight_and_failures() -> None:
    search = nc.LowestMinima("Cu3Au", generators=["symmetric"], max_atoms=4, structures=4)
    trials = [search.ask() for _ in range(4)]
    outcomes = nc.relax(trials, model=EMT(), max_steps=3)
    failed = nc.Failed(nc.FailReason.TIMEOUT, "too slow")
    for trial, outcome in zip(trials, [failed, *outcomes[1:]], strict=True):
        search.tell(trial, outcome)
    assert search.progress.n_structures == 4
    assert search.stop_reason() == "4 structures were relaxed"


def test_bad_input() -> None:
    with pytest.raises(nc.InputError, match="moves: 3 is not a move"):
        nc.BasinHopping("Cu", moves=[3])
    with pytest.raises(nc.InputError, match="given twice"):
        nc.BasinHopping("Cu", moves=["double", "double"])
    with pytest.raises(nc.InputError, match="leaves no move"):
        nc.BasinHopping("Cu", moves=[])
    with pytest.raises(nc.InputError, match="Did you mean 'double'"):
        nc.BasinHopping("Cu", moves=["dubble"])
    with pytest.raises(nc.InputError, match="temprature"):
        nc.BasinHopping("Cu", temprature=0.1)
    search = nc.BasinHopping("Cu", generators=["blocks"], max_atoms=2)
    trial = search.ask()
    with pytest.raises(nc.InputError, match="outcome is missing"):
        search.tell(trial)
    with pytest.raises(nc.InputError, match="outcome is a list"):
        search.tell(trial, [])
    from ase.build import bulk

    with pytest.raises(nc.InputError, match="is of Al, and trial 0"):
        search.tell(trial, nc.relax(bulk("Al"), model=EMT()))


def test_predict_with_a_python_object_as_model(tmp_path) -> None:
    run = nc.predict("Cu3Au", folder=tmp_path / "run", max_atoms=4, model=EMT(), structures=4)
    assert run.stop_reason == "4 structures were relaxed"
    assert run.settings.tier[0].name == "EMT"
    atoms = run.best.to_ase()
    again = atoms.copy()
    again.calc = EMT()
    assert atoms.get_potential_energy() == pytest.approx(again.get_potential_energy())
    with pytest.raises(nc.InputError, match="Give it again"):
        run.continue_(structures=6)
    run.continue_(structures=6, model=EMT())
    assert len([record for record in run.records if record.outcomes]) == 6


def test_predict_with_a_search_by_name_and_by_settings() -> None:
    options = {"max_atoms": 4, "model": EMT(), "structures": 3}
    run = nc.predict("Cu", search="basin-hopping", **options)
    assert run.settings.search.kind == "basin-hopping"
    run = nc.predict("Cu", search={"kind": "basin-hopping", "temperature": 0.1}, seed=4, **options)
    assert run.settings.search.temperature == 0.1
    assert run.settings.seed == 4
    with pytest.raises(nc.InputError, match="search is a int"):
        nc.predict("Cu", search=3)


def test_predict_with_generators_and_moves_of_the_users_own(tmp_path) -> None:
    options = {
        "max_atoms": 4,
        "model": Springs(),
        "generators": [Squares()],
        "search": {"kind": "lowest-minima", "population": 2, "new_fraction": 0.0},
    }
    folder = tmp_path / "run"
    run = nc.predict("NaCl", folder=folder, moves=[shear], structures=16, **options)
    sources = [record.candidate.origin.source for record in run.records]
    assert sources[0] == "squares"
    assert "move:shear" in sources
    with pytest.raises(nc.InputError, match=r"search\.moves\.names\.0: shear"):
        nc.predict("NaCl", folder=folder, structures=20, **options)
    with pytest.raises(nc.InputError, match=r"generators: the Python object .*Squares"):
        run.continue_(structures=20, model=Springs(), moves=[shear])
    nc.predict("NaCl", folder=folder, moves=[shear], structures=20, **options)
    assert len([record for record in run.records if record.outcomes]) == 20


def test_weights_of_moves(tmp_path) -> None:
    run = nc.predict("Cu", max_atoms=2, model=EMT(), structures=2, moves={"double": 3.0})
    assert run.settings.search.moves == {"double": 3.0}


@pytest.mark.parametrize("kind", [nc.Evolution, nc.RandomSearch, nc.Swarm])
def test_the_other_searches_are_driven_alike_and_have_no_moves(kind):
    search = kind("NaCl", max_atoms=4, seed=1)
    trials = [search.ask() for _ in range(3)]
    assert [trial.number for trial in trials] == [0, 1, 2]
    with pytest.raises(nc.InputError, match="moves"):
        kind("NaCl", max_atoms=4, moves=["double"])
    with pytest.raises(nc.InputError, match="moves"):
        kind("NaCl", max_atoms=4, moves={"double": 1.0})


def test_a_walk_with_a_trial_in_flight_says_what_it_waits_for():
    search = nc.BasinHopping("NaCl", max_atoms=4, population=1, walkers=1, known="off")
    search.ask()
    with pytest.raises(nc.InputError, match="waits for the outcomes"):
        search.ask()
