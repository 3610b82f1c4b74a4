"""What a crystal must be to teach a network: a solid with a sane energy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nucleate.crystal.distances import nearest_neighbour_distances

if TYPE_CHECKING:
    from nucleate.fitting.datasets.dataset import RawRow

MISSING_ENERGY = "missing energy"
NOBLE_GASES = frozenset({2, 10, 18, 36, 54, 86})


@dataclass(frozen=True, slots=True)
class ScreenSettings:
    """Limits of a usable crystal; the energy and noble-gas rules are matbench's.

    Attributes
    ----------
    highest_energy, lowest_energy : float
        eV/atom; no compound has a formation energy below about -5, and a lower one is another
        quantity or a placeholder.
    shortest_contact : float
        Å; a crystal with a shorter one is broken.
    isolated : float
        Å; an atom without a neighbour within it is isolated.
    largest_volume : float
        Å³/atom; more is vacuum.
    most_atoms : int
        Larger cells are left out.
    noble_gases : bool
        Keep compounds of noble gases.
    """

    highest_energy: float = 2.5
    lowest_energy: float = -10.0
    shortest_contact: float = 0.7
    isolated: float = 6.0
    largest_volume: float = 250.0
    most_atoms: int = 444
    noble_gases: bool = False


def rejection(
    row: RawRow, settings: ScreenSettings, *, elements: int = 100, energies: bool = True
) -> str:
    """Return a short stable reason why a row cannot be used, empty if it can.

    Without ``energies`` a row needs none.
    """
    if row.problem:
        return row.problem
    if energies:
        if row.energy is None:
            return MISSING_ENERGY
        if not np.isfinite(row.energy):
            return "energy not finite"
    crystal = row.crystal
    if crystal is None or crystal.n_atoms == 0:
        return "broken structure"
    if not (np.isfinite(crystal.cell).all() and np.isfinite(crystal.scaled).all()):
        return "broken structure"
    if crystal.numbers.min() < 1 or crystal.numbers.max() >= elements:
        return "element out of range"
    if crystal.n_atoms > settings.most_atoms:
        return "too many atoms"
    if row.energy is not None and row.energy > settings.highest_energy:
        return f"energy above {settings.highest_energy:g} eV/atom"
    if row.energy is not None and row.energy < settings.lowest_energy:
        return f"energy below {settings.lowest_energy:g} eV/atom, no formation energy"
    if not settings.noble_gases and NOBLE_GASES.intersection(crystal.numbers.tolist()):
        return "noble gas"
    if crystal.volume < 1e-3 * crystal.n_atoms:
        return "flat cell"
    if crystal.volume_per_atom > settings.largest_volume:
        return f"more than {settings.largest_volume:g} Å³ per atom"
    distances = nearest_neighbour_distances(crystal)
    if distances.max() >= settings.isolated:
        return "isolated atom"
    if distances.min() < settings.shortest_contact:
        return f"contact below {settings.shortest_contact:g} Å"
    return ""
