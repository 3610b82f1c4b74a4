"""Crystals distorted along their softest modes: starts for what is lower in energy.

A mode of imaginary frequency at a wave vector q lowers the energy when it is frozen in. For each
set of modes of equal frequency, the single modes and one random combination are frozen into the
smallest cell in which they fit.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from nucleate.crystal.crystal import Crystal
from nucleate.crystal.symmetry import standardised

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from nucleate.phonons.dynamics import Phonons

SAME_FREQUENCY = 0.02
"""THz within which modes are of one set."""

LARGEST_DENOMINATOR = 8
LARGEST_SUPERCELL = 3000
"""Atoms of a supercell before it is reduced."""

SAME_PLACE = 1e-3
"""Å within which atoms of a distorted supercell repeat each other."""


@dataclass(frozen=True, slots=True, eq=False)
class Distortion:
    """A crystal with a soft mode frozen in.

    Attributes
    ----------
    crystal : Crystal
        Primitive cell of the distorted supercell.
    point : tuple of float
        Wave vector in units of the reciprocal vectors of the primitive cell.
    frequency : float
        THz, negative for an imaginary one.
    pattern : str
        ``mode 1``, ``mode 2``, ... or ``combination``.
    """

    crystal: Crystal
    point: tuple[float, float, float]
    frequency: float
    pattern: str


def distortions(
    phonons: Phonons,
    *,
    below: float,
    sets: int = 2,
    amplitude: float = 0.25,
    max_atoms: int = 100,
    rng: np.random.Generator,
) -> list[Distortion]:
    """Return crystals distorted along the softest modes.

    Parameters
    ----------
    phonons
        Of the relaxed crystal.
    below
        Only modes with a frequency below this number of THz.
    sets
        How many sets of modes of equal frequency.
    amplitude
        Largest displacement of an atom in Å.
    max_atoms
        Modes whose supercell, reduced to its primitive cell, has more atoms are left out.
    rng
        For the combinations of degenerate modes.
    """
    found: list[Distortion] = []
    taken: list[float] = []
    for frequency, point, band in _soft_modes(phonons, below):
        if any(abs(frequency - other) < SAME_FREQUENCY for other in taken):
            continue
        multiples = _multiples(point)
        if len(phonons.phonopy.primitive) * int(np.prod(multiples)) > LARGEST_SUPERCELL:
            continue
        made = list(_frozen(phonons, point, band, frequency, multiples, amplitude, rng))
        if any(item.crystal.n_atoms > max_atoms for item in made):
            continue
        taken.append(frequency)
        found += made
        if len(taken) == sets:
            break
    return found


def _soft_modes(
    phonons: Phonons, below: float
) -> list[tuple[float, tuple[float, float, float], int]]:
    """Return frequency, wave vector and band of the soft modes, softest and shortest first."""
    soft = []
    for point in phonons.exact_points:
        frequencies = phonons.modes(point)
        lowest = phonons.vibrations(point).min(initial=np.inf)
        for band, frequency in enumerate(frequencies):
            if frequency < below and frequency >= lowest - 1e-9:
                soft.append((round(float(frequency), 6), tuple(map(float, point)), band))
    return sorted(soft, key=lambda item: (item[0], np.abs(item[1]).sum(), item[1], item[2]))


def _multiples(point: tuple[float, float, float]) -> tuple[int, int, int]:
    first, second, third = (
        Fraction(value).limit_denominator(LARGEST_DENOMINATOR).denominator for value in point
    )
    return first, second, third


def _frozen(
    phonons: Phonons,
    point: tuple[float, float, float],
    band: int,
    frequency: float,
    multiples: tuple[int, int, int],
    amplitude: float,
    rng: np.random.Generator,
) -> Iterator[Distortion]:
    """Yield the modes of one set, one by one and combined."""
    frequencies = phonons.modes(point)
    members = [
        place
        for place in range(band, len(frequencies))
        if abs(frequencies[place] - frequency) < SAME_FREQUENCY
    ]
    plain, patterns = _patterns(phonons, point, members, multiples)
    named = [(f"mode {place}", each) for place, each in enumerate(patterns, start=1)]
    if len(patterns) > 1:
        factors = rng.normal(size=len(patterns))
        named.append(("combination", np.tensordot(factors, np.array(patterns), axes=1)))
    for name, shift in named:
        largest = float(np.linalg.norm(shift, axis=1).max())
        if largest > 0.0:
            moved = plain.scaled + (amplitude / largest * shift) @ np.linalg.inv(plain.cell)
            crystal = plain.replace(scaled=moved)
            reduced = standardised(crystal, SAME_PLACE)
            yield Distortion(reduced or crystal, point, frequency, name)


def _patterns(
    phonons: Phonons,
    point: tuple[float, float, float],
    bands: list[int],
    multiples: tuple[int, int, int],
) -> tuple[Crystal, list[NDArray[np.float64]]]:
    """Return the undistorted supercell and the real displacements of some modes in Å."""
    modes = [[list(point), band, 1.0, 0.0] for band in bands]
    phonons.phonopy.run_modulations(multiples, modes)
    shifts, cell = phonons.phonopy.get_modulations_and_supercell()
    patterns = []
    for shift in shifts:
        turned = shift * np.exp(-0.5j * np.angle(np.sum(np.asarray(shift) ** 2)))
        patterns.append(np.real(turned))
    return Crystal(cell.numbers, cell.cell, cell.scaled_positions), patterns
