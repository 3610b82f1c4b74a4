"""Walks of basin hopping: chains, supercells that wait for the next move, known structures."""

from __future__ import annotations

from functools import partial
from math import inf

import numpy as np
import pytest

from nucleate.api import status_of
from nucleate.api.models import inline_executor
from nucleate.crystal.candidate import Candidate, Origin
from nucleate.crystal.composition import Composition
from nucleate.crystal.crystal import Crystal
from nucleate.crystal.distances import neighbour_pairs
from nucleate.crystal.space import SearchSpace
from nucleate.crystal.symmetry import standardised
from nucleate.moves.table import MOVES
from nucleate.report.live import write_live_page
from nucleate.run.notes import NOTES
from nucleate.run.predict import build_search, predict
from nucleate.run.settings import RunSettings
from nucleate.run.store import Store
from nucleate.search.walk import WALK
from nucleate.testing import check_search

from .scripted import BasinHopping, LowestMinima, play, record_of, search

CUAL = SearchSpace.create(Composition.from_formula("CuAl"), max_atoms=16, contact_scale=0.8)
CSCL = Crystal([29, 13], 2.95 * np.eye(3), [[0, 0, 0], [0.5, 0.5, 0.5]])
PAIRS_ONLY = {move.name: 0.0 for move in MOVES} | {"double": 1.0, "swap-two-atoms": 1.0}


class CsCl:
    """CsCl-type CuAl and nothing else."""

    name = "cscl"

    def note(self, origin):
        pass

    def generate(self, *, rng, max_formula_units=None):
        return Candidate(CSCL, Origin(self.name))


def on_lattice(crystal):
    """Return a crystal with its atoms back on the sites of the bcc lattice: a model relaxation."""
    cubic = crystal.positions / (2.95 / 2)
    sites = np.rint(cubic - cubic[0])
    return Crystal.from_positions(crystal.numbers, crystal.cell, sites * (2.95 / 2))


def energy(crystal):
    """Return eV/atom that favours neighbours of the same element."""
    i, j, _, _ = neighbour_pairs(crystal, 2.7)
    return float(0.01 * (crystal.numbers[i] != crystal.numbers[j]).sum() / crystal.n_atoms - 4.0)


@pytest.mark.parametrize("kind", [BasinHopping, LowestMinima])
def test_double_then_swap_leads_to_ordered_superstructures(kind):
    walk = search(CsCl(), space=CUAL, kind=kind, new_fraction=0.0, moves=PAIRS_ONLY, seed=4)
    structures, sizes = set(), set()
    for _ in range(150):
        trial = walk.ask()
        if trial.duplicate_of is not None:
            walk.tell(record_of(trial))
            continue
        crystal = on_lattice(trial.candidate.crystal)
        update = walk.tell(record_of(trial, energy(crystal), crystal=crystal))
        if update.duplicate_of is None:
            n_atoms = (standardised(crystal, 0.05) or crystal).n_atoms
            structures.add((round(energy(crystal), 4), n_atoms))
            sizes.add(n_atoms)
    assert len(structures) >= 8
    assert {4, 8} <= sizes
    assert walk.progress.best.relaxed.enthalpy_per_atom < energy(CSCL) - 0.02


def test_a_supercell_is_not_relaxed_and_is_the_parent_of_the_next_move():
    moves = {move.name: 0.0 for move in MOVES} | {"double": 1.0}
    walk = search(CsCl(), space=CUAL, new_fraction=0.0, moves=moves, seed=1)
    play(walk, -4.0)
    sizes, parent = [], 0
    for _ in range(3):
        trial = walk.ask()
        assert trial.candidate.origin.parents == (parent,)
        parent = trial.number
        assert trial.duplicate_of == 0
        assert trial.candidate.origin.source == "move:double"
        update = walk.tell(record_of(trial))
        assert (update.accepted, update.current) == (True, 0)  # whose enthalpy it has
        assert update.duplicate_of == 0
        sizes.append(trial.candidate.crystal.n_atoms)
    assert sizes == [4, 8, 16]
    assert walk.progress.n_structures == 1


def test_every_walk_has_one_trial_at_a_time():
    walk = search(population=3, walkers=2, temperature=1e6)
    starts = [walk.ask() for _ in range(3)]
    assert walk.ask() is None
    assert walk.waits
    for trial, value in zip(starts, (-1.0, -3.0, -2.0), strict=True):
        walk.tell(record_of(trial, value))
    first, second = walk.ask(), walk.ask()
    assert [trial.candidate.origin.detail[WALK] for trial in (first, second)] == [0, 1]
    assert walk.ask() is None
    update = walk.tell(record_of(first, None))
    assert update.current == starts[1].number  # the first walk began at the lowest start
    update = walk.tell(record_of(second, None))
    assert update.current == starts[2].number
    assert walk.ask().candidate.origin.detail[WALK] == 0


def test_walks_do_not_know_each_other():
    walk = search(population=1, walkers=2, temperature=1e-6)
    play(walk, -1.0)
    first, second = walk.ask(), walk.ask()
    assert walk.tell(record_of(first, -2.0)).accepted
    assert walk.tell(record_of(second, -1.5)).accepted  # below -1, where the second stands


def test_a_known_start_is_judged_by_the_enthalpy_that_it_has():
    class Two:
        name = "two"
        shapes = (CSCL, Crystal([29, 13], np.diag([2.6, 2.6, 3.9]), [[0, 0, 0], [0.5, 0.5, 0.5]]))
        drawn = 0

        def note(self, origin):
            pass

        def generate(self, *, rng, max_formula_units=None):
            self.drawn += 1
            return Candidate(self.shapes[self.drawn % 2], Origin(self.name))

    walk = search(Two(), space=CUAL, population=2, new_fraction=1.0, temperature=1e6)
    low, high = walk.ask(), walk.ask()
    walk.tell(record_of(low, -2.0))
    walk.tell(record_of(high, -1.0))
    level, steps = low.number, set()
    for _ in range(4):
        trial = walk.ask()
        update = walk.tell(record_of(trial))
        assert update.accepted == (trial.duplicate_of != level)  # up by chance 1, down always
        if update.accepted:
            level = trial.duplicate_of
            steps.add(level)
        assert walk.progress.n_structures == 2
    assert steps == {low.number, high.number}
    assert walk.progress.n_repeats == 4


def test_a_walk_without_a_start_takes_the_first_structure_that_has_an_energy():
    walk = search(population=2)
    failed = play(walk, None, None)
    assert [update.current for update in failed] == [None, None]
    assert play(walk, -1.0)[0].accepted


@pytest.mark.parametrize("walkers", [1, 3])
def test_the_search_keeps_its_contract(walkers):
    settings = BasinHopping(population=4, walkers=walkers, known="off")
    check_search(settings, "CaTiO3", trials=30)


def settings_of(**values):
    return RunSettings.from_dict(
        {"problem": {"formula": "MgO"}, "search": {"known": "off", **values}}
    )


def test_the_workers_and_the_walks_are_compared_in_words():
    walk = build_search(settings_of(kind="basin-hopping", walkers=12))
    (line,) = walk.notes(8)
    assert line.startswith("search.walkers = 12: the workers relax 8 structures at a time")
    assert line.endswith("Lower it to 8, or give more workers.")
    (line,) = walk.notes(16)
    assert "could relax 16 structures at a time" in line
    assert "Raise it to 16" in line
    assert walk.notes(12) == []
    default = build_search(settings_of(kind="basin-hopping"))
    assert default.notes(4) == default.notes(16) == []  # the user has set nothing


def test_more_walks_than_starts_are_spoken_of():
    walk = build_search(settings_of(kind="basin-hopping", population=3))
    (line,) = walk.notes(4)
    assert line.startswith("search.walkers = 8 is more than search.population = 3: several walks")


def test_what_is_said_at_the_start_is_in_status_page_and_log(tmp_path):
    data = {
        "problem": {"formula": "MgO", "max_atoms": 4},
        "search": {"kind": "basin-hopping", "known": "off", "population": 2, "walkers": 3},
        "stop": {"structures": 4},
        "tier": [{"engine": {"kind": "spp"}, "max_steps": 10}],
        "final": {"best": 0},
    }
    for structures in (4, 6):  # continued: the same notes are kept once
        data["stop"] = {"structures": structures}
        executor = partial(inline_executor, pressure_gpa=0.0)
        predict(RunSettings.from_dict(data), tmp_path, executor=executor)
    (line, *_) = status_of(tmp_path)["notes"]
    assert "search.population = 2" in line
    assert "search.population = 2" in write_live_page(tmp_path).read_text(encoding="utf-8")
    assert "search.population = 2" in (tmp_path / "nucleate.log").read_text(encoding="utf-8")
    with Store.read(tmp_path) as store:
        assert len(list(store.events(NOTES))) == 1


@pytest.mark.parametrize("value", [0, -1, 1.5, inf, "many"])
def test_numbers_of_walks_that_are_none_are_refused(value):
    with pytest.raises(Exception, match="walkers"):
        settings_of(kind="basin-hopping", walkers=value)


def test_the_number_of_walks_is_refused_by_other_searches():
    with pytest.raises(Exception, match="walkers"):
        settings_of(kind="lowest-minima", walkers=2)
