"""Stacked nets are the close packings and centred lattices that textbooks give them."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import spglib
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.strategies import seeds

from nucleate.blocks.lattices import LATTICES, Shape, draw_shape
from nucleate.blocks.motifs import SITES
from nucleate.crystal.composition import Composition
from nucleate.crystal.space import SearchSpace
from nucleate.generate.blocks import (
    ATOMS_PER_MODULE,
    ATTEMPTS_AT_ONE_SIZE,
    SITES_PER_MODULE,
    SIZES_TRIED,
    VOLUME_SPREAD,
    BlocksGenerator,
    stacked_sites,
)

SQUARE, HEXAGONAL = (90.0, 90.0, 90.0), (90.0, 90.0, 120.0)
OPEN = dict.fromkeys(("Sr-Sr", "Sr-Ti", "Sr-O", "Ti-Ti", "Ti-O", "O-O"), 0.4)


def perovskite(**options) -> SearchSpace:
    return SearchSpace.create(Composition.from_formula("SrTiO3"), **options)


def net(shape: Shape, edges: tuple[float, float, float], seed: int = 0) -> tuple:
    """Return cell, coordinates and numbers of the origin sites of all sub-modules."""
    origins = stacked_sites(shape, rng=np.random.default_rng(seed))[::SITES_PER_MODULE]
    cell = shape.cell(20.0 * len(origins), np.array(edges) * shape.grid)
    return cell, origins, [1] * len(origins)


@pytest.mark.parametrize(
    ("shape", "edges", "group", "atoms"),
    [
        (Shape("cubic", (1, 1, 2), SQUARE), (1.0, 1.0, 0.5), 229, 1),
        (Shape("tetragonal", (1, 1, 2), SQUARE), (1.0, 1.0, 0.8), 139, 1),
        (Shape("tetragonal", (2, 2, 4), SQUARE), (1.0, 1.0, 0.8), 139, 1),
        (Shape("tetragonal", (1, 1, 2), SQUARE), (1.0, 1.0, 0.5**0.5), 225, 1),
        (Shape("orthorhombic", (1, 2, 2), SQUARE), (1.0, 1.2, 0.8), 71, 1),
        (Shape("monoclinic", (1, 1, 2), (90.0, 105.0, 90.0)), (1.0, 1.2, 0.8), 12, 1),
        (Shape("hexagonal", (1, 1, 2), HEXAGONAL), (1.0, 1.0, 0.9), 194, 2),
        (Shape("hexagonal", (2, 2, 2), HEXAGONAL), (1.0, 1.0, 0.9), 194, 2),
        (Shape("hexagonal", (1, 1, 3), HEXAGONAL), (1.0, 1.0, 0.9), 166, 1),
        (Shape("hexagonal", (1, 1, 3), HEXAGONAL), (1.0, 1.0, (2 / 3) ** 0.5), 225, 1),
    ],
)
def test_nets_of_one_element_are_the_packings_of_textbooks(shape, edges, group, atoms) -> None:
    cell = net(shape, edges)
    assert spglib.get_symmetry_dataset(cell, symprec=1e-4).number == group
    assert len(spglib.find_primitive(cell, symprec=1e-4)[2]) == atoms


def test_four_hexagonal_layers_are_stacked_in_every_closed_way() -> None:
    """ABAB, ABAC, ABCB and their mirror images: no two neighbours alike, first and last neither."""
    shape = Shape("hexagonal", (1, 1, 4), HEXAGONAL)
    seen = set()
    for seed in range(60):
        _, origins, _ = net(shape, (1.0, 1.0, 0.9), seed)
        assert origins[:, 2] == pytest.approx((np.arange(4) + 0.5) / 4)
        seen.add("".join("ABC"[round(3 * x) % 3] for x in origins[:, 0]))
    closed = {"A" + "".join(rest) for rest in product("ABC", repeat=3)}
    closed = {
        text for text in closed if all(a != b for a, b in zip(text, text[1:] + "A", strict=True))
    }
    assert seen == closed


@settings(max_examples=60)
@given(st.sampled_from(LATTICES), st.integers(2, 12), seeds)
def test_sites_are_distinct_and_four_to_a_sub_module(lattice, modules: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    for grid in lattice.grids(modules):
        angles = lattice.angles_of(grid)
        shape = Shape(lattice.name, grid, angles[rng.integers(len(angles))])
        sites = stacked_sites(shape, rng=rng)
        assert sites.shape == (4 * modules, 3)
        assert ((sites >= 0.0) & (sites < 1.0)).all()
        gaps = sites[:, None] - sites[None]
        gaps -= np.rint(gaps)
        same = (np.abs(gaps) < 1e-9).all(axis=2)
        assert same.sum() == len(sites), "each site coincides with itself alone"
        corners = sites.reshape(-1, 4, 3)
        wrong = corners - corners[:, :1] - (SITES - SITES[0]) / grid
        np.testing.assert_allclose(wrong, np.rint(wrong), atol=1e-9)


@settings(max_examples=60)
@given(st.integers(1, 60), seeds)
def test_drawn_shapes_hold_the_atoms_and_have_the_volume(n_atoms: int, seed: int) -> None:
    fewest, most = ATOMS_PER_MODULE
    sizes = range(int(np.ceil(n_atoms / most)), max(int(n_atoms / fewest), 2) + 1)
    shape = draw_shape(sizes, rng=np.random.default_rng(seed))
    assert shape is not None
    assert np.prod(shape.grid) in sizes
    assert 4 * np.prod(shape.grid) >= n_atoms
    cell = shape.cell(123.0)
    assert np.linalg.det(cell) == pytest.approx(123.0)
    steps = np.linalg.norm(cell, axis=1) / shape.grid
    assert steps / steps[0] == pytest.approx([1.0, 1.0, 0.5])


def test_volumes_fill_the_spread_and_no_more() -> None:
    generator = BlocksGenerator(perovskite(max_atoms=10))
    expected = generator.space.composition.volume_per_atom
    rng = np.random.default_rng(0)
    drawn = (generator.attempt(2, rng=rng) for _ in range(150))
    ratios = np.array([c.crystal.volume_per_atom / expected for c in drawn if c is not None])
    assert ratios.size > 60
    assert VOLUME_SPREAD[0] <= ratios.min() < VOLUME_SPREAD[0] + 0.05
    assert VOLUME_SPREAD[1] - 0.05 < ratios.max() <= VOLUME_SPREAD[1]


def test_the_stretch_is_the_edge_of_a_sub_module_over_its_size() -> None:
    generator = BlocksGenerator(perovskite(max_atoms=20))
    for seed in range(12):
        candidate = generator.generate(rng=np.random.default_rng(seed))
        assert candidate is not None
        detail = candidate.origin.detail
        grid = [int(n) for n in str(detail["grid"]).split("x")]
        edge = candidate.crystal.lengths[0] / grid[0]
        assert detail["stretch"] == pytest.approx(edge / 2 / mean_radius(generator), abs=1e-3)
        assert candidate.crystal.n_atoms / np.prod(grid) <= 4.0


def mean_radius(generator: BlocksGenerator) -> float:
    """Return twice the mean atomic radius in Å, half of a sub-module without given charges."""
    from nucleate.crystal.elements import element

    counts = generator.space.composition.counts
    total = sum(element(symbol).atomic_radius * count for symbol, count in counts.items())
    return 2.0 * total / sum(counts.values())


def test_atoms_are_rattled_by_what_is_asked_for_and_by_nothing_else() -> None:
    space = perovskite(max_atoms=20, pair_distances=OPEN)
    moves: list[np.ndarray] = []
    for seed in range(40):
        flat, moved = (
            BlocksGenerator(space, rattle=size).generate(rng=np.random.default_rng(seed))
            for size in (0.0, 0.1)
        )
        assert flat is not None
        assert moved is not None
        assert flat.origin == moved.origin
        np.testing.assert_array_equal(flat.crystal.cell, moved.crystal.cell)
        gap = moved.crystal.scaled - flat.crystal.scaled
        moves.append((gap - np.rint(gap)) @ flat.crystal.cell)
        heights = flat.crystal.scaled[:, 2] * int(str(flat.origin.detail["grid"]).split("x")[2])
        np.testing.assert_allclose(heights % 1.0, 0.5, atol=1e-9)
    spread = np.concatenate(moves)
    assert spread.std(axis=0) == pytest.approx(0.1, rel=0.15)
    assert np.abs(spread.mean(axis=0)).max() < 0.02


def elements_on_origins(space: SearchSpace) -> set[int]:
    """Return the elements that are seen on the origin sites of unrattled cubic stackings."""
    generator = BlocksGenerator(space, rattle=0.0)
    found: set[int] = set()
    for seed in range(60):
        candidate = generator.generate(rng=np.random.default_rng(seed))
        assert candidate is not None
        if candidate.origin.detail["lattice"] == "cubic":
            grid = [int(n) for n in str(candidate.origin.detail["grid"]).split("x")]
            layer = np.rint(candidate.crystal.scaled[:, 2] * grid[2] - 0.5)
            corner = candidate.crystal.scaled[:, :2] * grid[:2] - 0.5 * (layer[:, None] % 2)
            on_origin = np.abs(corner - np.rint(corner)).max(axis=1) < 1e-9
            found |= set(candidate.crystal.numbers[on_origin].tolist())
    return found


def test_charges_decide_which_elements_take_the_origins() -> None:
    metals = {"Fe-Fe": 0.4, "Fe-Ni": 0.4, "Ni-Ni": 0.4}
    alloy = SearchSpace.create(
        Composition.from_formula("FeNi"), formula_units=[4], pair_distances=metals
    )
    assert alloy.composition.oxidation_states is None
    assert elements_on_origins(alloy) == {26, 28}
    salt = SearchSpace.create(
        Composition.from_formula("NaCl"),
        formula_units=[2],
        pair_distances={"Na-Na": 0.4, "Na-Cl": 0.4, "Cl-Cl": 0.4},
    )
    assert elements_on_origins(salt) == {11}, "the two cations have both origins"


def test_a_draw_gives_up_after_its_attempts(monkeypatch: pytest.MonkeyPatch) -> None:
    space = perovskite(max_atoms=10, pair_distances={"Ti-O": 9.0})
    generator = BlocksGenerator(space)
    tried: list[int] = []
    whole = generator.attempt
    monkeypatch.setattr(
        generator, "attempt", lambda units, *, rng: tried.append(units) or whole(units, rng=rng)
    )
    assert generator.generate(rng=np.random.default_rng(3)) is None
    assert len(tried) == SIZES_TRIED * ATTEMPTS_AT_ONE_SIZE
    assert all(len(set(tried[k : k + 50])) == 1 for k in range(0, len(tried), 50))
    tried.clear()
    assert generator.generate(rng=np.random.default_rng(3), max_formula_units=1) is None
    assert set(tried) == {1}
