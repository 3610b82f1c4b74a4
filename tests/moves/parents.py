"""Parents for the tests of the moves: crystals of several compositions in any cell."""

from __future__ import annotations

from functools import cache

import numpy as np
from ase.neighborlist import neighbor_list
from hypothesis import strategies as st

from nucleate.crystal.composition import Composition
from nucleate.crystal.crystal import Crystal
from nucleate.crystal.space import SearchSpace
from nucleate.generate.blocks import BlocksGenerator
from nucleate.moves.move import MoveContext

FORMULAS = ("Ca3Ti2O7", "CoAs2", "Mn", "YWB4", "Li3Si3O5Cl5", "NaCl")


@cache
def context_of(formula: str, **options: float) -> MoveContext:
    space = SearchSpace.create(Composition.from_formula(formula), max_atoms=50)
    generator = BlocksGenerator(space)
    return MoveContext(
        space,
        lambda units, rng: generator.generate(rng=rng, max_formula_units=units),
        **options,  # type: ignore[arg-type]
    )


def skewed(crystal: Crystal, rng: np.random.Generator) -> Crystal:
    """Return the same crystal in another, oblique cell, rotated and with unwrapped atoms."""
    change = np.eye(3, dtype=int)
    for _ in range(int(rng.integers(0, 4))):
        row, other = rng.permutation(3)[:2]
        change[row] += int(rng.choice([-1, 1])) * change[other]
    rotation, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    scaled = crystal.scaled @ np.linalg.inv(change) + rng.integers(-2, 3, crystal.scaled.shape)
    return Crystal(crystal.numbers, change @ crystal.cell @ rotation, scaled)


@st.composite
def parents(draw: st.DrawFn) -> tuple[Crystal, MoveContext]:
    context = context_of(draw(st.sampled_from(FORMULAS)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    candidate = context.fresh(draw(st.none() | st.integers(1, 3)), rng)
    assert candidate is not None
    strained = candidate.crystal.cell @ (np.eye(3) + rng.uniform(-0.05, 0.05, (3, 3)))
    return skewed(candidate.crystal.replace(cell=strained), rng), context


def closest_over_limit(crystal: Crystal, limits: np.ndarray) -> float:
    """Return the least ratio of a distance to its limit, all images included, by ASE."""
    i, j, distances = neighbor_list("ijd", crystal.to_ase(), 1.01 * float(limits.max()))
    if distances.size == 0:
        return np.inf
    return float((distances / limits[crystal.numbers[i], crystal.numbers[j]]).min())
