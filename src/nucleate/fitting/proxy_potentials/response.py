"""Rows of a linear fit that makes known crystals stay where they are.

To first order a crystal moves by ``-H^-1 g`` when it is relaxed: g the gradient left at its known
geometry, H the second derivatives in the present potentials. Both are linear in the coefficients,
so a change of the coefficients is sought that takes away g where H is soft, stiffens the softest of
the modes that move, and leaves the rest of the response as it was. A Gauss-Newton step on the
distance between known and relaxed crystals; the derivation takes one or more of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nucleate.fitting.proxy_potentials.features import rows_of
from nucleate.fitting.proxy_potentials.system import Geometry, System
from nucleate.potentials.basis import context_of, pair_index
from nucleate.potentials.kernels import energy_sum, neighbours

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from nucleate.crystal.crystal import Crystal
    from nucleate.fitting.proxy_potentials.structures import Sample
    from nucleate.potentials.model import EnergyModel
    from nucleate.potentials.spp import SppLibrary

_VOIGT = ([0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1])
_VOIGT_NORM = np.array([1.0, 1.0, 1.0, 2**0.5, 2**0.5, 2**0.5])
_STEP = 0.02  # Å, of finite differences
PER_ANGSTROM = 10.0


@dataclass(frozen=True, slots=True)
class ResponseWeights:
    """What the fit is asked for, in units where the typical spring of an atom is 10 per Å^2.

    Attributes
    ----------
    floor : float
        Added to every eigenvalue of H before it is inverted.
    keep : float
        Weight of a change of the harmonic forces at random displacements.
    modes : int
        How many of the modes that move most are stiffened.
    stiff : float
        The spring these modes are to have.
    usual_move : float
        Å; crystals that move further count less.
    """

    floor: float = 1.0
    keep: float = 0.3
    modes: int = 6
    stiff: float = 8.0
    usual_move: float = 0.4


def build_response(
    samples: Sequence[Sample],
    library: SppLibrary,
    geometry: Geometry,
    weights: ResponseWeights,
    *,
    rng: np.random.Generator,
    progress: Callable[[int, int], None] | None = None,
) -> System:
    """Return the rows of every structure, in units of 0.1 Å.

    Parameters
    ----------
    samples
        Known crystals.
    library
        The present potentials, in units where the typical spring of an atom is 10 per Å^2.
    geometry
        Elements, d0 and basis of that library.
    weights
        See :class:`ResponseWeights`.
    rng
        Draws the displacements at which the response is kept.
    progress
        Called with (done, total).
    """
    return System.of(
        samples, lambda crystal: _block(crystal, library, geometry, weights, rng), progress=progress
    )


def gradient_and_hessian(
    model: EnergyModel, pos: NDArray[np.float64], cell: NDArray[np.float64],
    kinds: NDArray[np.int64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:  # fmt: skip
    """Return the gradient (3n + 6,) and second derivatives in positions and strain.

    The last six variables are the strains xx, yy, zz, yz, xz, xy (times sqrt 2 for the last
    three) times the length ``1.6 sqrt(n)`` Å, so that all have the unit of a displacement.
    """
    n = len(pos)
    length = 1.6 * n**0.5
    listed = neighbours(pos, cell, model.tables.cutoff + 0.3)
    forces, virial = np.zeros_like(pos), np.zeros((3, 3))

    def gradient(move: NDArray[np.float64]) -> NDArray[np.float64]:
        shift, strain = _unpacked(move, length)
        energy_sum((pos + shift) @ strain, cell @ strain, kinds, *listed, model.tables,
                   forces, virial)  # fmt: skip
        return np.concatenate([-forces.ravel(), virial[_VOIGT] * _VOIGT_NORM / length])

    steps = _STEP * np.eye(3 * n + 6)
    hessian = np.array([(gradient(s) - gradient(-s)) / (2.0 * _STEP) for s in steps])
    return gradient(np.zeros(3 * n + 6)), 0.5 * (hessian + hessian.T)


def _unpacked(
    move: NDArray[np.float64], length: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    strain = np.eye(3)
    half = move[-6:] / length / _VOIGT_NORM
    for a, b, value in zip(*_VOIGT, half, strict=True):
        strain[a, b] += value
        if a != b:
            strain[b, a] += value
    return move[:-6].reshape(-1, 3), strain


@dataclass(frozen=True, slots=True, eq=False)
class GradientFeatures:
    """Energy and gradient of one crystal as functions of the coefficients."""

    pos: NDArray[np.float64]
    cell: NDArray[np.float64]
    kinds: NDArray[np.int64]
    block: NDArray[np.int64]
    contact: NDArray[np.float64]
    columns: NDArray[np.int64]
    geometry: Geometry

    @classmethod
    def create(
        cls, pos: NDArray[np.float64], cell: NDArray[np.float64], kinds: NDArray[np.int64],
        elements: Sequence[int], geometry: Geometry,
    ) -> GradientFeatures:  # fmt: skip
        """Return the features of a crystal; ``kinds`` are places in ``elements``."""
        where = [geometry.elements.index(z) for z in elements]
        context, m, size = context_of(np.array(elements)), len(where), geometry.basis.size
        rows = np.array([[pair_index(a, b, len(geometry.elements)) for b in where] for a in where])
        upper = np.triu_indices(m)
        block = np.zeros((m, m), dtype=np.int64)
        block[upper] = np.arange(len(upper[0]))
        block = np.maximum(block, block.T)
        first = (context * geometry.n_pairs + rows[upper]) * size
        columns = (first[:, None] + np.arange(size)).ravel()
        return cls(pos, cell, kinds, block, geometry.contact[context][rows], columns, geometry)

    def energy(
        self, pos: NDArray[np.float64] | None = None, cell: NDArray[np.float64] | None = None
    ) -> NDArray[np.float64]:
        """Return the energies of unit coefficients (columns,), here or at another geometry."""
        return self._rows(self.pos if pos is None else pos, self.cell if cell is None else cell)[-1]

    def gradient(self, move: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the gradient of unit coefficients (3n + 6, columns) after a move."""
        n = len(self.pos)
        length = 1.6 * n**0.5
        shift, strain = _unpacked(move, length)
        rows = self._rows((self.pos + shift) @ strain, self.cell @ strain)
        virial = rows[3 * n : 3 * n + 6] * (_VOIGT_NORM / length)[:, None]
        return np.concatenate([-rows[: 3 * n], virial])

    def _rows(self, pos: NDArray[np.float64], cell: NDArray[np.float64]) -> NDArray[np.float64]:
        basis = self.geometry.basis
        rows, _ = rows_of(
            pos, cell, self.kinds, self.block, self.contact,
            basis.start, basis.spacing, basis.size, basis.taper_start, basis.cutoff,
            basis.wall_height, basis.wall_steepness, len(self.columns) // basis.size,
        )  # fmt: skip
        return rows


def _block(
    crystal: Crystal,
    library: SppLibrary,
    geometry: Geometry,
    weights: ResponseWeights,
    rng: np.random.Generator,
) -> tuple[NDArray, NDArray, NDArray]:
    model = library.model(crystal.numbers)
    kinds = model.kinds(crystal.numbers)
    order = np.argsort(kinds, kind="stable")
    n, cell, kinds = crystal.n_atoms, np.array(crystal.cell), kinds[order]
    pos = crystal.scaled[order] @ cell
    gradient, hessian = gradient_and_hessian(model, pos, cell, kinds)
    springs, modes = np.linalg.eigh(hessian)
    soft = 1.0 / (np.abs(springs) + weights.floor)
    response = (modes * soft) @ modes.T
    move = response @ gradient
    furthest = np.linalg.norm(move[:-6].reshape(n, 3), axis=1).max()
    counted = (1.0 + (furthest / weights.usual_move) ** 2) ** -0.5

    features = GradientFeatures.create(pos, cell, kinds, model.elements, geometry)
    rest = features.gradient(np.zeros(3 * n + 6))
    size, random = _random_move(n, rng)
    change = features.gradient(random) - rest
    parts = [counted * (response @ rest), weights.keep / (PER_ANGSTROM * size) * change]
    targets = [-counted * move, np.zeros(3 * n + 6)]
    amplitude = np.abs(modes.T @ gradient) * soft
    for k in np.argsort(-amplitude)[: weights.modes]:
        if springs[k] < weights.stiff and amplitude[k] > 0.01:
            step = 1.5 * _STEP * modes[:, k]
            spring = modes[:, k] @ (features.gradient(step) - features.gradient(-step))
            weight = counted * amplitude[k] * soft[k]
            parts.append(weight * spring[None] / (3.0 * _STEP))
            targets.append(np.array([weight * (weights.stiff - springs[k])]))
    used = np.abs(rest).max(axis=0) + np.abs(change).max(axis=0) > 1e-9
    rows = PER_ANGSTROM * np.concatenate(parts)[:, used]
    return rows, PER_ANGSTROM * np.concatenate(targets), features.columns[used]


def _random_move(n: int, rng: np.random.Generator) -> tuple[float, NDArray[np.float64]]:
    size = rng.uniform(0.05, 0.15)
    shift = size * rng.normal(size=(n, 3))
    strain = 0.15 * size * rng.normal(size=6) * 1.6 * n**0.5
    return size, np.concatenate([(shift - shift.mean(axis=0)).ravel(), strain])
