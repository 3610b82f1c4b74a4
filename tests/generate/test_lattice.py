"""Candidates from grids: the lowest arrangements by trying all of them, and who is declined."""

from __future__ import annotations

from functools import cache, partial
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import spglib
from ase.neighborlist import neighbor_list
from pymatgen.analysis.ewald import EwaldSummation
from tests.exact.systems import plain_orbits

from nucleate.crystal.composition import Composition
from nucleate.crystal.crystal import Crystal
from nucleate.crystal.elements import symbols_of
from nucleate.crystal.space import SearchSpace
from nucleate.crystal.symmetry import standardised
from nucleate.errors import InputError
from nucleate.exact.cells import LIKELY_GROUPS, tasks_of
from nucleate.exact.pair_models import PairModel, ionic_field
from nucleate.exact.survey import GridStructure, grid_structures
from nucleate.generate import lattice
from nucleate.generate.context import GeneratorContext
from nucleate.generate.kinds.lattice import LatticeSettings
from nucleate.generate.lattice import LatticeGenerator

CUTOFF = 6.5
DEPTHS = {("Cu", "Cu"): 0.30, ("Au", "Cu"): 0.36, ("Au", "Au"): 0.28}
SIZES = {("Cu", "Cu"): 2.35, ("Au", "Cu"): 2.45, ("Au", "Au"): 2.55}


def pair_energy(r: np.ndarray, pair: tuple[str, str]) -> np.ndarray:
    """Return a Lennard-Jones energy that ends smoothly, or nothing would ever be relaxed."""
    ratio = (SIZES[pair] / r) ** 6
    return 6.4 * DEPTHS[pair] * (ratio**2 - ratio) * np.clip(1.0 - (r / CUTOFF) ** 2, 0.0, 1.0) ** 3


ALLOY = PairModel.from_functions(
    {pair: partial(pair_energy, pair=pair) for pair in DEPTHS}, cutoff=CUTOFF, name="alloy"
)
SPACE = SearchSpace.create(
    Composition.from_formula("CuAu"),
    max_atoms=4,
    pair_distances={"Cu-Cu": 2.0, "Cu-Au": 2.1, "Au-Au": 2.2},
)


TASKS = [
    task
    for task in tasks_of(SPACE.composition, max_atoms=4, groups=(123,))
    if np.prod(task.shape) in (16, 32) and min(task.parameters[:3]) > 2.5
]
"""Grids of P4/mmm, that of ordered CuAu, small enough to try all arrangements."""


def generator_of(**options: int) -> LatticeGenerator:
    """Return a generator that looks at ``TASKS`` alone."""
    plain = {"grids": 1, "relaxed": 4, "keep": 3, "max_atoms": 2, "leading": 1}
    generator = LatticeGenerator(SPACE, ALLOY, **{**plain, **options})
    generator._tasks = TASKS
    return generator


@pytest.fixture(scope="module")
def whole() -> LatticeGenerator:
    generator = generator_of()
    generator.prepare()
    return generator


def energy_per_atom(crystal: Crystal) -> float:
    """Return the energy by ASE's neighbours and the formula itself."""
    first, second, lengths = neighbor_list("ijd", crystal.to_ase(), CUTOFF)
    symbols = np.array(symbols_of(crystal.numbers))
    total = 0.0
    for pair in DEPTHS:
        ours = (symbols[first] == pair[0]) & (symbols[second] == pair[1])
        share = 0.5 if pair[0] == pair[1] else 1.0
        total += share * float(pair_energy(lengths[ours], pair).sum())
    return total / crystal.n_atoms


all_orbits = cache(plain_orbits)


def lowest_by_trying_all(task) -> float:
    """Return the lowest energy per atom of all arrangements of a grid, inf if there is none."""
    orbits = [sorted(orbit) for orbit in all_orbits(task.space_group, task.shape)]
    atoms = task.formula_units
    chosen = [
        rows
        for number in range(1, len(orbits) + 1)
        for rows in combinations(range(len(orbits)), number)
        if sum(len(orbits[row]) for row in rows) == atoms
    ]
    best = np.inf
    for copper in chosen:
        for gold in chosen:
            if set(copper) & set(gold):
                continue
            points = [p for rows in (copper, gold) for row in rows for p in orbits[row]]
            numbers = np.repeat([29, 79], atoms)
            grid = task.grid()
            crystal = Crystal(numbers, grid.cell, grid.scaled(np.array(points)))
            if SPACE.contact_rejection(numbers, grid.cell, crystal.scaled) is None:
                best = min(best, energy_per_atom(crystal))
    return best


def test_the_lowest_grid_is_that_found_by_trying_all_arrangements_of_all_grids() -> None:
    generator = generator_of(relaxed=1, keep=1)
    (member,) = generator.members
    assert member.detail["grid_rank"] == member.detail["grid_rank_proven"] == 1
    lowest = min(lowest_by_trying_all(task) for task in TASKS)
    assert member.detail["grid_energy"] == pytest.approx(lowest, abs=1e-4)
    assert member.detail["lattice_energy"] < member.detail["grid_energy"]


def test_as_many_grids_and_arrangements_are_relaxed_as_asked_for(monkeypatch) -> None:
    found: list[GridStructure] = []

    def noted(*args, **options):
        found.extend(grid_structures(*args, **options))
        return found

    monkeypatch.setattr(lattice, "grid_structures", noted)
    for relaxed, keep in ((1, 1), (1, 3), (3, 2)):
        found.clear()
        generator_of(relaxed=relaxed, keep=keep).prepare()
        assert len({structure.task.name for structure in found}) == relaxed
        for name in {structure.task.name for structure in found}:
            own = sorted((s.rank, s.grid_energy) for s in found if s.task.name == name)
            assert [rank for rank, _ in own] == list(range(1, keep + 1))
            assert [energy for _, energy in own] == sorted(energy for _, energy in own)


def test_ordered_copper_and_gold_is_found_among_the_lowest(whole: LatticeGenerator) -> None:
    groups = {}
    for member in whole.members:
        cell = (member.crystal.cell, member.crystal.scaled, member.crystal.numbers)
        groups[spglib.get_symmetry_dataset(cell, symprec=0.02).number] = member.crystal.n_atoms
    assert groups.get(123) == 2


def test_candidates_are_minima_of_the_model_in_order_of_energy(whole: LatticeGenerator) -> None:
    members = whole.members
    assert members
    energies = [member.detail["lattice_energy"] for member in members]
    assert energies == sorted(energies)
    for member in members:
        assert SPACE.rejection(member.crystal) is None
        assert member.crystal.n_atoms <= 4
        assert member.detail["grid_space_group"] in LIKELY_GROUPS
        found = energy_per_atom(member.crystal)
        assert found == pytest.approx(member.detail["lattice_energy"], abs=1e-3)
        for strain in (0.985, 1.015):
            cell = member.crystal.cell * strain
            assert energy_per_atom(member.crystal.replace(cell=cell)) > found
        primitive = standardised(member.crystal, 0.05)
        assert primitive is not None
        assert primitive.n_atoms == member.crystal.n_atoms


def test_draws_need_no_random_numbers_and_end(whole: LatticeGenerator) -> None:
    for source, seed in ((generator_of(), 0), (whole, 99)):
        drawn: list[Crystal] = []
        while (candidate := source.generate(rng=np.random.default_rng(seed))) is not None:
            assert candidate.origin.source == "lattice"
            assert source.leads == (not drawn)
            drawn.append(candidate.crystal)
            source.note(candidate.origin)
        assert drawn == [member.crystal for member in whole.members]
        assert not source.leads


def test_sizes_are_those_of_the_space_and_of_the_setting() -> None:
    generator = generator_of(relaxed=12)
    generator._tasks = [task for task in TASKS if task.formula_units == 1]
    assert generator.members
    assert all(member.crystal.n_atoms == 2 for member in generator.members)
    rng = np.random.default_rng(0)
    assert generator.generate(rng=rng, max_formula_units=0) is None
    with pytest.raises(InputError, match="max_atoms = 1 is smaller than one formula unit of CuAu"):
        generator_of(max_atoms=1)


def test_progress_is_reported_to_its_end() -> None:
    shown: list[tuple[str, int, int]] = []
    generator = LatticeGenerator(
        SPACE, ALLOY, grids=6, relaxed=2, keep=1, max_atoms=2, leading=0,
        report=lambda *args: shown.append(args),
    )  # fmt: skip
    assert shown == [], "nothing is done before it is asked for"
    generator.prepare()
    grids = [row[1:] for row in shown if row[0] == "grids"]
    assert grids == [(k, 6) for k in range(1, 7)]
    assert [row[1] for row in shown if row[0] == "relaxed"] in ([1], [1, 2])
    assert not generator.leads


def context(formula: str, told: list[str], **options) -> GeneratorContext:
    states = options.pop("states", None)
    composition = Composition.from_formula(formula, states)
    space = SearchSpace.create(composition, max_atoms=composition.n_atoms)
    return GeneratorContext(space, warn=told.append)


@pytest.mark.parametrize(
    ("formula", "states", "words"),
    [
        ("CuAl2", None, "CuAl2 has no oxidation states that add up to 0"),
        ("Fe3O4", {"Fe": [2, 3, 3], "O": -2}, "Fe3O4 has mixed valence"),
    ],
)
def test_who_has_no_whole_charges_is_declined_with_a_remedy(formula, states, words) -> None:
    told: list[str] = []
    assert LatticeSettings().build(context(formula, told, states=states)) is None
    (message,) = told
    assert words in message
    assert "give force_field" in message
    assert message.endswith("The other generators serve alone.")


FIELD = """
name = "fluorides"
[charges]
Mg = 2.0
F = -1.0
[[buckingham]]
pair = ["Mg", "F"]
A_eV = 1500.0
rho_A = 0.28
[[buckingham]]
pair = ["F", "F"]
A_eV = 1100.0
rho_A = 0.27
"""


def test_a_force_field_of_ones_own_is_used_and_must_fit(tmp_path: Path) -> None:
    (tmp_path / "field.toml").write_text(FIELD)
    settings = LatticeSettings(
        force_field=str(tmp_path / "field.toml"), grids=8, relaxed=1, keep=1, max_atoms=3
    )
    generator = settings.build(context("MgF2", []))
    assert generator is not None
    assert {member.detail["model"] for member in generator.members} <= {"fluorides"}
    with pytest.raises(InputError, match="add up to"):
        settings.build(context("MgF", [], states={"Mg": 1, "F": -1}))
    with pytest.raises(InputError, match="there is no such file"):
        LatticeSettings(force_field=str(tmp_path / "none.toml")).build(context("MgF2", []))


@pytest.mark.parametrize(("formula", "a"), [("NaCl", 5.64), ("MgO", 4.21), ("CaO", 4.81)])
def test_formal_charges_are_those_of_an_ewald_sum(formula: str, a: float) -> None:
    """Without the repulsion, the default model is the electrostatic energy of formal charges."""
    from ase.build import bulk

    composition = Composition.from_formula(formula)
    crystal = Crystal.from_ase(bulk(formula, "rocksalt", a=a))
    field = ionic_field(composition)
    states = composition.oxidation_states
    assert states is not None
    assert dict(field.charges) == pytest.approx(dict(states))
    structure = crystal.to_pymatgen()
    structure.add_oxidation_state_by_element({str(k): v for k, v in states.items()})
    expected = EwaldSummation(structure).total_energy
    nothing = {tuple(sorted(states)): np.zeros(3)}
    bare = PairModel(nothing, dict(states)).model(composition.numbers(1).tolist())
    assert bare.evaluate(crystal).energy == pytest.approx(expected, rel=1e-4)
