from __future__ import annotations

import numpy as np
import pytest

from nucleate.crystal.crystal import Crystal
from nucleate.surrogate.descriptors import Layout
from nucleate.surrogate.fit import Fit
from nucleate.surrogate.frames import Frame, compressed
from nucleate.surrogate.surrogate import Surrogate
from nucleate.units import GPA_PER_EV_A3

ELEMENTS = (8, 20, 22)


def made_up(elements: tuple[int, ...] = ELEMENTS, seed: int = 0) -> Surrogate:
    """A surrogate of random weights."""
    layout = Layout(elements)
    weights = np.random.default_rng(seed).normal(0.0, 0.1, layout.n_columns)
    weights[layout.three_body :] *= 0.05
    return Surrogate(
        elements=layout.elements, weights=weights,
        walls=np.full((layout.n_elements,) * 2, 1.6), lowest=-1.0,
        spread=np.ones((2, layout.n_columns), np.float16), number=3, tier="chgnet",
        n_frames=100, n_groups=10,
    )  # fmt: skip


def morse(crystal: Crystal) -> Frame:
    """Evaluation by a Morse potential that ends smoothly at 5 Å: what a fit must find again."""
    from nucleate.crystal.periodic import neighbour_list

    pairs, r = neighbour_list(np.array(crystal.cell), np.array(crystal.scaled), 5.0)
    gaps = crystal.scaled[pairs[:, 1]] + pairs[:, 2:] - crystal.scaled[pairs[:, 0]]
    vectors = gaps @ crystal.cell
    grown = np.exp(-1.5 * (r - 2.7))
    end, slope_end = (1.0 - (r / 5.0) ** 2) ** 3, -6.0 * r / 25.0 * (1.0 - (r / 5.0) ** 2) ** 2
    energy, slope = grown**2 - 2.0 * grown, -3.0 * grown**2 + 3.0 * grown
    slope = slope * end + energy * slope_end
    by_vector = 0.5 * (slope / r)[:, None] * vectors
    forces = np.zeros((crystal.n_atoms, 3))
    np.add.at(forces, pairs[:, 0], by_vector)
    np.add.at(forces, pairs[:, 1], -by_vector)
    stress = by_vector.T @ vectors / crystal.volume * GPA_PER_EV_A3
    return Frame(crystal, 0.5 * float((energy * end).sum()) - 2.0 * crystal.n_atoms, forces, stress)


def loose(
    rng: np.random.Generator, numbers: tuple[int, ...] = (27, 33, 33, 27, 33, 33, 27, 33)
) -> Crystal:
    """Atoms on a distorted grid."""
    side = np.array([2, 2, 2])
    grid = np.indices(side).reshape(3, -1).T[: len(numbers)] / side
    cell = np.diag(side * 2.4) * rng.uniform(0.85, 1.1) + rng.normal(0.0, 0.2, (3, 3))
    return Crystal(np.array(numbers), cell, grid + rng.normal(0.0, 0.03, grid.shape))


def group(rng: np.random.Generator, size: int = 6) -> list[Frame]:
    """Frames of a relaxation in a fixed cell, and a compressed one."""
    frame = morse(loose(rng))
    frames = [frame]
    for _ in range(size - 1):
        for _ in range(5):
            steps = frame.forces_ev_per_ang * min(0.02, 0.1 / frame.max_force)
            scaled = frame.crystal.scaled + steps @ np.linalg.inv(frame.crystal.cell)
            frame = morse(frame.crystal.replace(scaled=scaled))
        frames.append(frame)
    return [*frames, morse(compressed(frames[0].crystal, rng=rng))]


@pytest.fixture(scope="session")
def learned() -> Fit:
    """A fit that has learned a pair potential of cobalt and arsenic, and was solved once."""
    fit, rng = Fit((27, 33), tier="morse"), np.random.default_rng(0)
    for _ in range(30):
        fit.add(group(rng))
    assert isinstance(fit.solve(), Surrogate)
    return fit
