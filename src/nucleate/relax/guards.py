"""The single checks of the judge: cells, geometries, contacts and energies."""

from __future__ import annotations

from functools import lru_cache
from math import inf, isfinite
from typing import TYPE_CHECKING

import numpy as np
from numba import njit

from nucleate.crystal.composition import Composition
from nucleate.crystal.contacts import ALLOWANCE, minimum_distances
from nucleate.crystal.distances import is_solid_cell, nearest_neighbour_distances
from nucleate.crystal.lattice import reduce_lattice
from nucleate.crystal.periodic import CLASH, inspect, nearest_range
from nucleate.relax.outcome import Failed, FailReason

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nucleate.crystal.crystal import Crystal
    from nucleate.relax.settings import Guards

SETTLED = 20
"""Evaluations after which a relaxation has pushed the atoms of a bad start apart."""

COINCIDENT = 0.01
"""Å; no model is asked about atoms closer than this."""

DENSEST = 0.1
"""Least volume of a crystal that may start, relative to what its composition usually takes."""

THINNEST = 1000.0
"""Largest volume of a crystal that may start, relative to what its composition usually takes."""

LONGEST = 1000.0
"""Å; longest vector of the reduced lattice of a crystal that may start."""


TIGHTEST = 0.5
"""Least volume under a known pressure, relative to what the composition takes under it. Denser
phases are at most a quarter denser; a model without a bound at this pressure falls through."""


def check_cell(guards: Guards, crystal: Crystal) -> Failed | None:
    """Return the failure of a cell that no crystal has, or None; no neighbour is looked for."""
    if not (np.isfinite(crystal.scaled).all() and np.isfinite(crystal.cell).all()):
        return Failed(FailReason.INVALID, "cell or coordinates are not finite")
    if not is_solid_cell(crystal.cell):
        return Failed(FailReason.INVALID, "the cell has no volume", crystal)
    per_atom = crystal.volume / crystal.n_atoms
    expected = Composition.from_numbers(crystal.numbers).volume_per_atom
    if per_atom < DENSEST * expected * min(guards.compression or 1.0, 1.0):
        message = (
            f"{per_atom:.3g} Å³ per atom where about {expected:.3g} are usual: too dense by far "
            "(a cell in nm?)"
        )
        return Failed(FailReason.INVALID, message, crystal)
    longest = float(np.sqrt((reduce_lattice(crystal.cell.copy())[0] ** 2).sum(axis=1).max()))
    if per_atom > THINNEST * expected or longest > LONGEST:
        message = (
            f"{per_atom:.3g} Å³ per atom where about {expected:.3g} are usual, and a lattice "
            f"vector of {longest:.3g} Å: too dilute by far"
        )
        return Failed(FailReason.ISOLATED_ATOM, message, crystal)
    return None


def refuse_neighbours(guards: Guards, crystal: Crystal, cutoff: float) -> Failed | None:
    """Return a failure if an atom is alone within ``cutoff`` Å, or too close to another one."""
    nearest = nearest_neighbour_distances(crystal)
    if nearest.max() >= cutoff:
        message = f"atom {int(nearest.argmax())} has no neighbour within {cutoff:g} Å"
        return Failed(FailReason.ISOLATED_ATOM, message, crystal)
    atom, shortest = int(nearest.argmin()), float(nearest.min())
    if shortest < COINCIDENT:
        message = f"atom {atom} lies on top of another one"
        return Failed(FailReason.TOO_CLOSE, message, crystal)
    if shortest < guards.shortest_distance_ang:
        message = (
            f"atom {atom} is {shortest:.2f} Å from another one; at least "
            f"{guards.shortest_distance_ang:g} are asked for (guards.shortest_distance_ang)"
        )
        return Failed(FailReason.TOO_CLOSE, message, crystal)
    return None


def check_geometry(
    guards: Guards, crystal: Crystal, start_volume: float, cutoff: float
) -> Failed | None:
    """Return the failure of a geometry that a relaxation should never have reached, or None."""
    ratio = crystal.volume / start_volume
    low, high = guards.volume_ratio
    if not isfinite(ratio):
        return Failed(FailReason.NOT_FINITE, "the geometry is not finite")
    if ratio < low:
        return Failed(FailReason.COLLAPSED, f"volume fell to {ratio:.2f} of the start", crystal)
    if guards.compression is not None and _is_too_dense(guards.compression, crystal):
        message = (
            f"{crystal.volume_per_atom:.3g} Å³ per atom, less than half of what is expected under "
            "the pressure"
        )
        return Failed(FailReason.COLLAPSED, message, crystal)
    if ratio > high or not is_solid_cell(crystal.cell):
        return Failed(FailReason.EXPLODED, f"volume rose to {ratio:.2f} of the start", crystal)
    shortest, longest = nearest_range(crystal.cell.copy(), crystal.scaled.copy())
    if shortest < guards.shortest_distance_ang:
        message = f"two atoms came as close as {shortest:.2f} Å"
        return Failed(FailReason.COLLAPSED, message, crystal)
    if longest >= cutoff:
        atom = int(nearest_neighbour_distances(crystal).argmax())
        message = f"atom {atom} went further than {cutoff:g} Å from all others"
        return Failed(FailReason.EXPLODED, message, crystal)
    return None


def _is_too_dense(compression: float, crystal: Crystal) -> bool:
    expected = Composition.from_numbers(crystal.numbers).volume_per_atom
    return crystal.volume_per_atom < TIGHTEST * compression * expected


def check_contacts(guards: Guards, crystal: Crystal) -> Failed | None:
    """Return the failure of a relaxed geometry with a contact that no crystal has, or None.

    Far from its training data a machine-learned potential may fall without end as two atoms
    approach: CHGNet, by 33 eV/atom where O and Mg are 1.0 Å apart. The contacts known are those of
    :func:`~nucleate.crystal.contacts.shortest_contact`, in Å; under a pressure they are shorter by
    the cube root of the compression.
    """
    if guards.shortest_contact == 0.0:
        return None
    fraction = guards.shortest_contact * guards.stretch
    table = _least_contacts(tuple(sorted(set(crystal.numbers.tolist()))), fraction)
    arrays = (np.array(crystal.numbers), np.array(crystal.cell), np.array(crystal.scaled))
    if inspect(*arrays, table, 0.0) != CLASH:
        return None
    message = (
        f"two atoms came closer than {fraction:.3g} of the shortest known contact of their elements"
    )
    return Failed(FailReason.COLLAPSED, message, crystal)


@lru_cache(maxsize=64)
def _least_contacts(elements: tuple[int, ...], fraction: float) -> NDArray[np.float64]:
    return minimum_distances(elements, scale=fraction / ALLOWANCE)


def energy_floor(
    guards: Guards, crystal: Crystal, composition_energies: NDArray[np.float64] | None
) -> float:
    """Return the energy in eV/atom below which an energy of this composition is unphysical.

    Far from its training data a machine-learned potential may also fall without any short
    contact. Of 5,000 Materials Project crystals none lies more than 1.63 eV/atom below CHGNet's
    energy of its composition; the unphysical minima of one search lay 5 to 17 below.

    Parameters
    ----------
    guards
        The limits.
    crystal
        Any geometry.
    composition_energies
        Those of a :class:`~nucleate.energy.model.BatchedModel`.
    """
    low = guards.energy_window_ev_per_atom[0]
    if composition_energies is None:
        return low
    return max(
        low, float(composition_energies[crystal.numbers].mean()) - guards.max_depth_ev_per_atom
    )


def check_finite(
    crystal: Crystal,
    energy: float,
    forces: NDArray[np.float64],
    stress: NDArray[np.float64],
) -> Failed | None:
    """Return the failure of a result with values that are not finite, naming them, or None."""
    broken = [
        name
        for name, is_finite in (
            ("energy", isfinite(energy)),
            ("forces", isfinite(_largest(forces))),
            ("stress", isfinite(_largest(stress))),
        )
        if not is_finite
    ]
    if not broken:
        return None
    return Failed(FailReason.NOT_FINITE, f"not finite: {' and '.join(broken)}", crystal)


def check_energy(
    crystal: Crystal,
    energy: float,
    forces: NDArray[np.float64],
    evaluations: int,
    *,
    window: tuple[float, float],
    max_force: float,
) -> Failed | None:
    """Return the failure of a finite energy or force that cannot be right, or None.

    Parameters
    ----------
    crystal, energy, forces
        Geometry, eV per cell, eV/Å.
    evaluations
        How many the relaxation has had; the upper limits hold after the first five.
    window
        Lowest and highest energy in eV/atom.
    max_force
        Largest component of a force in eV/Å.
    """
    per_atom, largest = energy / crystal.n_atoms, _largest(forces)
    low, high = window
    if per_atom < low:
        message = f"energy fell to {per_atom:.3g} eV/atom; below {low:.3g} it is unphysical"
        return Failed(FailReason.COLLAPSED, message, crystal)
    if evaluations > 5 and (per_atom > high or largest > max_force):
        message = f"{per_atom:.3g} eV/atom and {largest:.3g} eV/Å after {evaluations} evaluations"
        return Failed(FailReason.EXPLODED, message, crystal)
    return None


@njit(cache=True)
def _largest(values):
    """Return the largest absolute value, or infinity where one is not finite."""
    largest = 0.0
    for value in values.flat:
        if not np.isfinite(value):
            return inf
        largest = max(largest, abs(value))
    return largest
