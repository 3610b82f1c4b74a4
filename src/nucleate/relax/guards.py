"""Checks that keep nonsense away from a model, and end relaxations that go wrong."""

from __future__ import annotations

from functools import lru_cache
from math import inf, isfinite
from typing import TYPE_CHECKING

import numpy as np
from numba import njit

from nucleate.crystal.contacts import ALLOWANCE, minimum_distances
from nucleate.crystal.distances import is_solid_cell, nearest_neighbour_distances
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


def refusal(
    crystal: Crystal, *, elements: frozenset[int], cutoff: float, max_atoms: int | None
) -> Failed | None:
    """Return why a crystal must not be given to a model, or None.

    Parameters
    ----------
    crystal
        Anything.
    elements
        Atomic numbers that the model knows.
    cutoff
        Å; an atom without a neighbour within it counts as isolated.
    max_atoms
        Largest crystal that fits.
    """
    if crystal.n_atoms == 0:
        return Failed(FailReason.INVALID, "the cell is empty")
    if not (np.isfinite(crystal.scaled).all() and np.isfinite(crystal.cell).all()):
        return Failed(FailReason.INVALID, "cell or coordinates are not finite")
    if not is_solid_cell(crystal.cell):
        return Failed(FailReason.INVALID, "the cell has no volume", crystal)
    unknown = sorted(set(crystal.numbers.tolist()) - elements)
    if unknown:
        return Failed(
            FailReason.INVALID, f"the model does not know the elements Z = {unknown}", crystal
        )
    if max_atoms is not None and crystal.n_atoms > max_atoms:
        message = f"{crystal.n_atoms} atoms, but at most {max_atoms} are allowed"
        return Failed(FailReason.TOO_LARGE, message, crystal)
    return isolated_or_coincident(crystal, cutoff)


def isolated_or_coincident(crystal: Crystal, cutoff: float) -> Failed | None:
    """Return a failure if an atom is alone within ``cutoff`` Å, or on top of another one."""
    nearest = nearest_neighbour_distances(crystal)
    if nearest.max() >= cutoff:
        message = f"atom {int(nearest.argmax())} has no neighbour within {cutoff:g} Å"
        return Failed(FailReason.ISOLATED_ATOM, message, crystal)
    if nearest.min() < COINCIDENT:
        message = f"atom {int(nearest.argmin())} lies on top of another one"
        return Failed(FailReason.TOO_CLOSE, message, crystal)
    return None


def misstep(guards: Guards, crystal: Crystal, start_volume: float, cutoff: float) -> Failed | None:
    """Return the failure of a geometry that a relaxation should never have reached, or None."""
    ratio = crystal.volume / start_volume
    low, high = guards.volume_ratio
    if not isfinite(ratio):
        return Failed(FailReason.NOT_FINITE, "the geometry is not finite")
    if ratio < low:
        return Failed(FailReason.COLLAPSED, f"volume fell to {ratio:.2f} of the start", crystal)
    if ratio > high or not is_solid_cell(crystal.cell):
        return Failed(FailReason.EXPLODED, f"volume rose to {ratio:.2f} of the start", crystal)
    shortest, longest = nearest_range(crystal.cell.copy(), crystal.scaled.copy())
    if shortest < guards.shortest_distance:
        message = f"two atoms came as close as {shortest:.2f} Å"
        return Failed(FailReason.COLLAPSED, message, crystal)
    if longest >= cutoff:
        atom = int(nearest_neighbour_distances(crystal).argmax())
        message = f"atom {atom} went further than {cutoff:g} Å from all others"
        return Failed(FailReason.EXPLODED, message, crystal)
    return None


def squeezed(guards: Guards, crystal: Crystal) -> Failed | None:
    """Return the failure of a relaxed geometry with a contact that no crystal has, or None.

    Far from its training data a machine-learned potential may fall without end as two atoms
    approach: CHGNet, by 33 eV/atom where O and Mg are 1.0 Å apart. The contacts known are those of
    :func:`~nucleate.crystal.contacts.shortest_contact`, in Å.
    """
    if guards.shortest_contact == 0.0:
        return None
    table = _least_contacts(tuple(sorted(set(crystal.numbers.tolist()))), guards.shortest_contact)
    arrays = (np.array(crystal.numbers), np.array(crystal.cell), np.array(crystal.scaled))
    if inspect(*arrays, table, 0.0) != CLASH:
        return None
    message = (
        f"two atoms came closer than {guards.shortest_contact:g} of the shortest known contact of "
        "their elements"
    )
    return Failed(FailReason.COLLAPSED, message, crystal)


@lru_cache(maxsize=64)
def _least_contacts(elements: tuple[int, ...], fraction: float) -> NDArray[np.float64]:
    return minimum_distances(elements, scale=fraction / ALLOWANCE)


def lowest_believed(
    guards: Guards, crystal: Crystal, composition_energies: NDArray[np.float64] | None
) -> float:
    """Return the energy in eV/atom below which an energy of this composition is not believed.

    Far from its training data a machine-learned potential may also fall without any short
    contact. Of 5,000 Materials Project crystals none lies more than 1.63 eV/atom below CHGNet's
    energy of its composition; the holes of one search lay 5 to 17 below.

    Parameters
    ----------
    guards
        The limits.
    crystal
        Any geometry.
    composition_energies
        Those of a :class:`~nucleate.energy.model.BatchedModel`.
    """
    low = guards.energy_window[0]
    if composition_energies is None:
        return low
    return max(low, float(composition_energies[crystal.numbers].mean()) - guards.max_depth)


def nonsense(
    guards: Guards,
    crystal: Crystal,
    energy: float,
    forces: NDArray[np.float64],
    evaluations: int,
    lowest: float | None = None,
) -> Failed | None:
    """Return the failure of an energy or force that cannot be right, or None.

    ``lowest`` is what :func:`lowest_believed` gives; without it, the window's lower end.
    """
    largest = _largest(forces)
    if not (isfinite(energy) and isfinite(largest)):
        return Failed(FailReason.NOT_FINITE, "energy or forces are not finite", crystal)
    per_atom = energy / crystal.n_atoms
    low, high = guards.energy_window
    low = low if lowest is None else lowest
    if per_atom < low:
        message = f"energy fell to {per_atom:.3g} eV/atom; below {low:.3g} it is not believed"
        return Failed(FailReason.COLLAPSED, message, crystal)
    if evaluations > 5 and (per_atom > high or largest > guards.max_force):
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
