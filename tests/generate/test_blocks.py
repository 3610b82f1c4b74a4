from __future__ import annotations

from itertools import combinations, pairwise

import numpy as np
import pytest

from nucleate.blocks.lattices import LATTICES, Shape
from nucleate.crystal.composition import Composition
from nucleate.crystal.space import SearchSpace
from nucleate.generate.blocks import SITES_PER_MODULE, BlocksGenerator, stacked_sites

FORMULAS = (
    "Ca3Ti2O7", "CoAs2", "Cu7S4", "Mn", "Pb5As3O12Cl", "Si6Al6B3Fe3NaO30F", "WCl2", "YWB4",
    "Li2Sn2S3Cl4", "Li3Si3O5Cl5", "Li4OBrCl",
)  # fmt: skip


def space_of(formula: str, **options) -> SearchSpace:
    return SearchSpace.create(Composition.from_formula(formula), max_atoms=50, **options)


@pytest.mark.parametrize("formula", FORMULAS)
def test_every_composition_is_served(formula: str) -> None:
    space = space_of(formula)
    generator = BlocksGenerator(space)
    rng = np.random.default_rng(1)
    attempts = [generator.attempt(int(rng.choice(space.formula_units)), rng=rng) for _ in range(60)]
    crystals = [candidate.crystal for candidate in attempts if candidate is not None]
    assert len(crystals) >= 30
    assert all(space.rejection(crystal) is None for crystal in crystals)
    volumes = [crystal.volume_per_atom for crystal in crystals]
    assert np.mean(volumes) == pytest.approx(space.composition.volume_per_atom, rel=0.25)


def test_formula_units_are_drawn_evenly_and_within_the_limit() -> None:
    generator = BlocksGenerator(space_of("Ca3Ti2O7"))
    rng = np.random.default_rng(2)
    drawn = [
        candidate.origin.detail["formula_units"]
        for candidate in (generator.generate(rng=rng) for _ in range(200))
        if candidate is not None
    ]
    assert set(drawn) == {1, 2, 3, 4}
    assert min(np.bincount(drawn)[1:]) > 25
    for _ in range(20):
        candidate = generator.generate(rng=rng, max_formula_units=2)
        assert candidate is not None
        assert candidate.crystal.n_atoms in (12, 24)
    only_large = BlocksGenerator(space_of("Ca3Ti2O7", formula_units=[3, 4]))
    assert only_large.generate(rng=rng, max_formula_units=2) is None


def test_the_origin_tells_what_was_drawn() -> None:
    candidate = BlocksGenerator(space_of("YWB4")).generate(rng=np.random.default_rng(0))
    assert candidate is not None
    origin = candidate.origin
    assert origin.source == "blocks"
    assert origin.detail["lattice"] in {lattice.name for lattice in LATTICES}
    assert len(str(origin.detail["grid"]).split("x")) == 3
    assert origin.detail["formula_units"] == candidate.crystal.n_atoms // 6


def test_the_same_seed_gives_the_same_crystals() -> None:
    first, second = (
        [BlocksGenerator(space_of("Ca3Ti2O7")).generate(rng=rng) for _ in range(5)]
        for rng in (np.random.default_rng(7), np.random.default_rng(7))
    )
    for one, other in zip(first, second, strict=True):
        assert one is not None
        assert other is not None
        assert one.crystal.to_dict() == other.crystal.to_dict()
        assert one.origin == other.origin


def occupied_sites(candidate, shape: Shape) -> list[tuple[int, ...]]:
    """Return the motif of every filled sub-module of an unrattled, right-angled structure."""
    shift = [[0, 0], [0.5, 0.5]]
    found: dict[tuple[int, ...], list[int]] = {}
    for s in candidate.crystal.scaled:
        layer = int(np.rint(s[2] * shape.grid[2] - 0.5))
        place = s[:2] * shape.grid[:2] - shift[layer % 2]
        half = np.rint(2 * place).astype(int)
        assert np.allclose(half / 2, place, atol=1e-6)
        corner = half // 2 % np.array(shape.grid[:2])
        site = {(0, 0): 0, (1, 0): 1, (1, 1): 2, (0, 1): 3}[tuple((half % 2).tolist())]
        found.setdefault((*corner.tolist(), layer), []).append(site)
    return [tuple(sorted(sites)) for sites in found.values()]


def test_sub_modules_hold_one_of_the_eight_motifs() -> None:
    loose = dict.fromkeys(("Ca-Ca", "Ca-Ti", "Ca-O", "Ti-Ti", "Ti-O", "O-O"), 0.5)
    generator = BlocksGenerator(space_of("Ca3Ti2O7", pair_distances=loose), rattle=0.0)
    rng = np.random.default_rng(3)
    seen = set()
    for _ in range(80):
        candidate = generator.generate(rng=rng)
        assert candidate is not None
        name, grid = candidate.origin.detail["lattice"], candidate.origin.detail["grid"]
        if name in ("cubic", "tetragonal", "orthorhombic"):
            na, nb, nc = map(int, str(grid).split("x"))
            motifs = occupied_sites(candidate, Shape(str(name), (na, nb, nc), (90, 90, 90)))
            seen |= set(motifs)
    assert seen == {
        (0, *others) for number in range(4) for others in combinations((1, 2, 3), number)
    }


def test_cations_take_the_origin_sites() -> None:
    loose = dict.fromkeys(("Sr-Sr", "Sr-Ti", "Sr-O", "Ti-Ti", "Ti-O", "O-O"), 0.5)
    space = SearchSpace.create(
        Composition.from_formula("SrTiO3"), max_atoms=5, pair_distances=loose
    )
    generator = BlocksGenerator(space, rattle=0.0)
    rng = np.random.default_rng(4)
    perovskites = 0
    for _ in range(400):
        candidate = generator.generate(rng=rng)
        assert candidate is not None
        if candidate.origin.detail["lattice"] == "cubic":
            crystal = candidate.crystal
            cations = crystal.scaled[crystal.numbers > 8] * [2, 2, 2]
            assert np.allclose(cations[:, :2] % 1, 0)
            gaps = crystal.scaled[crystal.numbers == 8] - crystal.scaled[crystal.numbers == 22]
            perovskites += sorted(np.abs(gaps).sum(axis=1).round(3) % 1) == [0.5, 0.5, 0.5]
    assert perovskites >= 1


def test_layers_are_half_a_sub_module_apart_and_shifted() -> None:
    shape = Shape("tetragonal", (2, 2, 4), (90.0, 90.0, 90.0))
    sites = stacked_sites(shape, rng=np.random.default_rng(0))
    assert sites.shape == (16 * SITES_PER_MODULE, 3)
    heights = np.unique(sites[:, 2].round(12))
    assert all(b - a == pytest.approx(0.25) for a, b in pairwise(heights))
    origins = sites[::SITES_PER_MODULE]
    lower, upper = origins[:4], origins[4:8]
    np.testing.assert_allclose((upper - lower)[:, :2] % 1, 0.25)


def test_crowded_limits_are_met_by_pushing_atoms_apart() -> None:
    tight = {"O-O": 2.2, "Ca-Ca": 2.9, "Ti-Ti": 2.5, "Ca-Ti": 2.7, "Ca-O": 2.0, "Ti-O": 1.6}
    space = space_of("Ca3Ti2O7", pair_distances=tight)
    generator = BlocksGenerator(space)
    rng = np.random.default_rng(5)
    attempts = [generator.attempt(4, rng=rng) for _ in range(50)]
    assert sum(candidate is not None for candidate in attempts) >= 25


def test_impossible_limits_end_in_none() -> None:
    space = space_of("Mn", pair_distances={"Mn-Mn": 3.6}, formula_units=[2])
    assert BlocksGenerator(space).generate(rng=np.random.default_rng(0)) is None
