"""Hypothesis strategies for crystals in any cell; import as ``from strategies import crystals``."""

from __future__ import annotations

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st
from numpy.typing import NDArray

from nucleate.crystal.cells import cell_from_parameters
from nucleate.crystal.crystal import Crystal
from nucleate.crystal.elements import element

seeds = st.integers(0, 2**32 - 1)


@st.composite
def unimodular(draw: st.DrawFn, *, steps: int = 4) -> NDArray[np.int64]:
    """Integer matrices of determinant 1 or -1: another cell of the same lattice."""
    change = np.eye(3, dtype=np.int64)
    for _ in range(draw(st.integers(0, steps))):
        row, other = draw(st.permutations(range(3)))[:2]
        change[row] += draw(st.sampled_from([-2, -1, 1, 2])) * change[other]
    if draw(st.booleans()):
        change = -change
    return change[draw(st.permutations(range(3)))]


@st.composite
def rotations(draw: st.DrawFn) -> NDArray[np.float64]:
    """Proper rotations, shape (3, 3); rows of a cell turn by ``cell @ rotation``."""
    rotation, _ = np.linalg.qr(np.random.default_rng(draw(seeds)).normal(size=(3, 3)))
    return rotation * np.sign(np.linalg.det(rotation))


@st.composite
def cells(draw: st.DrawFn) -> NDArray[np.float64]:
    """Cells of every family, compact or skewed, of either hand, in any orientation."""
    lengths = [draw(st.floats(2.0, 9.0)) for _ in range(3)]
    family = draw(st.sampled_from(["cubic", "orthorhombic", "hexagonal", "triclinic"]))
    angles = [90.0, 90.0, 90.0]
    if family == "cubic":
        lengths = lengths[:1] * 3
    elif family == "hexagonal":
        lengths[1], angles[2] = lengths[0], 120.0
    elif family == "triclinic":
        angles = [draw(st.floats(25.0, 155.0)) for _ in range(3)]
    try:
        cell = cell_from_parameters(lengths, angles)
    except ValueError:
        assume(False)
    assume(abs(np.linalg.det(cell)) > 2.0)
    return draw(unimodular()) @ cell @ draw(rotations())


@st.composite
def crystals(
    draw: st.DrawFn,
    *,
    min_atoms: int = 1,
    max_atoms: int = 12,
    symbols: tuple[str, ...] = ("O", "Ti", "Ca"),
    wrapped: bool = False,
) -> Crystal:
    """Random crystals: any cell, one atom or more, coordinates inside the cell or far outside."""
    cell = draw(cells())
    n_atoms = draw(st.integers(min_atoms, max_atoms))
    rng = np.random.default_rng(draw(seeds))
    numbers = rng.choice([element(symbol).number for symbol in symbols], size=n_atoms)
    scaled = rng.random((n_atoms, 3))
    if not wrapped and draw(st.booleans()):
        scaled += rng.integers(-3, 4, size=(n_atoms, 3))
    if draw(st.booleans()):
        scaled = np.round(scaled * 4) / 4
    return Crystal(numbers, cell, scaled)


@st.composite
def spread_crystals(draw: st.DrawFn, *, volume_per_atom: float = 14.0, **options: int) -> Crystal:
    """Random crystals of a realistic volume per atom."""
    crystal = draw(crystals(**options))  # type: ignore[arg-type]
    scale = (volume_per_atom / crystal.volume_per_atom) ** (1.0 / 3.0)
    return crystal.replace(cell=crystal.cell * scale)


def in_another_cell(crystal: Crystal, change: NDArray[np.int64]) -> Crystal:
    """Return the same crystal in the cell ``change @ cell`` (determinant 1 or -1)."""
    return crystal.replace(
        cell=change @ crystal.cell, scaled=crystal.scaled @ np.linalg.inv(change)
    )


def supercell(crystal: Crystal, repeats: tuple[int, int, int]) -> Crystal:
    """Return the same crystal in a larger cell."""
    return Crystal.from_ase(crystal.to_ase().repeat(repeats))
