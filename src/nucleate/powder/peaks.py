"""Bragg reflections of a crystal.

Structure factors of neutral atoms with the form factors of the International Tables for
Crystallography C (1992), Table 6.1.1.4, one isotropic displacement parameter for all atoms and the
Lorentz-polarisation factor of a Bragg-Brentano diffractometer without a monochromator. Anomalous
scattering, absorption, preferred orientation and the thermal motion of single atoms are left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nucleate.crystal.elements import element
from nucleate.errors import InputError
from nucleate.signals import held_back

with held_back():
    import gemmi

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nucleate.crystal.crystal import Crystal

B_ISO = 0.5
"""Displacement parameter B of every atom in Å², usual for an inorganic solid at 300 K."""

SAME_SPACING = 1e-7
"""Reflections whose 1/d² differ by less, relatively, are one line of the powder pattern."""

MOST_REFLECTIONS = 2_000_000
"""Above this number the cell is too large for the angles asked for."""

_CHUNK = 2_000_000
"""Products of reflections and atoms that are held at once."""


@dataclass(frozen=True, slots=True)
class Lines:
    """The lines of a powder pattern before any instrument.

    Attributes
    ----------
    spacing : ndarray, shape (n_lines,)
        Lattice spacing d in Å, largest first.
    intensity : ndarray, shape (n_lines,)
        Sum of |F|² over the reflections of the line and their Friedel mates, per Å⁶ of the cell's
        volume squared, without Lorentz-polarisation factor.
    indices : ndarray of int, shape (n_lines, 3)
        Miller indices of one reflection of each line, in the axes of the crystal given.
    """

    spacing: NDArray[np.float64]
    intensity: NDArray[np.float64]
    indices: NDArray[np.int64]


def lines_of(crystal: Crystal, shortest: float, longest: float, *, b_iso: float = B_ISO) -> Lines:
    """Return the lines with a lattice spacing between two bounds.

    Parameters
    ----------
    crystal
        Any setting, primitive or conventional.
    shortest, longest
        Bounds of the lattice spacing in Å.
    b_iso
        Displacement parameter B in Å².

    Raises
    ------
    InputError
        If an element has no form factor (beyond Cf), or the cell has millions of reflections in
        the range.
    """
    indices, square = _reflections(crystal, shortest, longest)
    strength = _squared_structure_factors(crystal, indices, square, b_iso) / crystal.volume**2
    order = np.argsort(square, kind="stable")
    square, strength, indices = square[order], strength[order], indices[order]
    if not len(square):
        return Lines(np.empty(0), np.empty(0), np.empty((0, 3), dtype=np.int64))
    starts = np.flatnonzero(np.diff(square, prepend=-1.0) > SAME_SPACING * square)
    return Lines(
        1.0 / np.sqrt(square[starts]), 2.0 * np.add.reduceat(strength, starts), indices[starts]
    )


def lorentz_polarisation(theta: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (1 + cos² 2θ) / (sin² θ cos θ) for Bragg angles θ in radians."""
    return (1.0 + np.cos(2.0 * theta) ** 2) / (np.sin(theta) ** 2 * np.cos(theta))


def _reflections(
    crystal: Crystal, shortest: float, longest: float
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return one of each pair of Friedel mates with its 1/d² in Å⁻²."""
    reach = np.floor(crystal.lengths / shortest).astype(int)
    count = np.prod(2.0 * reach + 1.0)
    if count > 16 * MOST_REFLECTIONS:
        raise InputError(
            f"A cell of {crystal.volume:.0f} Å³ has about {count:.0g} reflections with spacings "
            f"above {shortest:.2f} Å. Reduce the cell or the largest angle."
        )
    axes = [np.arange(-n, n + 1) for n in reach]
    axes[0] = axes[0][reach[0] :]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    grid = grid[_is_first_mate(grid)]
    reciprocal = np.linalg.inv(crystal.cell).T
    square = np.einsum("ij,ij->i", grid @ reciprocal, grid @ reciprocal)
    inside = (square <= shortest**-2) & (square >= longest**-2)
    return grid[inside].astype(np.int64), square[inside]


def _is_first_mate(indices: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which indices have a positive first number: one of each pair of Friedel mates."""
    first, second, third = indices.T
    return (first > 0) | ((first == 0) & ((second > 0) | ((second == 0) & (third > 0))))


def _squared_structure_factors(
    crystal: Crystal, indices: NDArray[np.int64], square: NDArray[np.float64], b_iso: float
) -> NDArray[np.float64]:
    numbers, kinds = np.unique(crystal.numbers, return_inverse=True)
    factors = np.stack([_form_factor(int(number), square / 4.0) for number in numbers])
    damping = np.exp(-2.0 * b_iso * square / 4.0)
    strength = np.empty(len(square))
    step = max(1, _CHUNK // crystal.n_atoms)
    for begin in range(0, len(square), step):
        part = slice(begin, begin + step)
        phases = np.exp(2j * np.pi * (indices[part] @ crystal.scaled.T))
        total = np.einsum("ij,ji->i", phases, factors[kinds][:, part])
        strength[part] = np.abs(total) ** 2
    return strength * damping


def _form_factor(number: int, stol2: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the scattering of a neutral atom in electrons at (sin θ / λ)² in Å⁻²."""
    table = gemmi.Element(number).it92
    if table is None:
        raise InputError(
            f"{element(number).symbol} has no tabulated X-ray form factor (H to Cf have one)."
        )
    a, b = np.array(table.a), np.array(table.b)
    return table.c + np.sum(a[:, None] * np.exp(-b[:, None] * stol2), axis=0)
