"""Crystals of the elements as references, where no source of known compounds has them."""

from __future__ import annotations

from contextlib import suppress

import numpy as np

from nucleate.crystal.crystal import Crystal
from nucleate.mapping.measured_elements import measured_crystal

SOURCE = "elements"
"""Source of these references."""

ASE = "ASE"
BOX_ANG = 4.4
"""Å; edge of the face-centred lattice of diatomic molecules, wide enough for them not to touch."""


def element_crystals(symbol: str) -> list[tuple[str, Crystal]]:
    """Return the structures that are measured or tabulated by ASE, each with its name.

    Carbon has two, graphite and diamond: the last tier decides between them. Diatomic gases are
    molecules far from each other, whose energy is close to that of their crystal.

    Parameters
    ----------
    symbol
        Such as ``Mg``.

    Examples
    --------
    >>> [name for name, _ in element_crystals("C")]
    ['measured: graphite', 'ASE: diamond C']
    """
    measured, tabulated = measured_crystal(symbol), _tabulated(symbol)
    found = [] if measured is None else [(f"measured: {measured[0]}", measured[1])]
    return found if tabulated is None else [*found, tabulated]


def _tabulated(symbol: str) -> tuple[str, Crystal] | None:
    """Return the structure that ASE has, with its name."""
    from ase.build import bulk
    from ase.data import atomic_numbers, reference_states

    state = reference_states[atomic_numbers[symbol]]
    if state is None:
        return None
    kind = str(state["symmetry"])
    if kind == "diatom":
        half = float(state["d"]) / 2.0
        cell = BOX_ANG / 2.0 * np.array([[0.0, 1.0, 1.0], [1.0, 0.0, 1.0], [1.0, 1.0, 0.0]])
        places = half / np.sqrt(3.0) * np.array([[1.0, 1.0, 1.0], [-1.0, -1.0, -1.0]])
        crystal = Crystal(np.full(2, atomic_numbers[symbol]), cell, places @ np.linalg.inv(cell))
        return f"{ASE}: {symbol}2 molecules", crystal.wrapped()
    with suppress(ValueError, KeyError, RuntimeError, NotImplementedError):
        atoms = bulk(symbol)
        if len(atoms) and atoms.cell.rank == 3:
            crystal = Crystal(atoms.numbers, atoms.cell.array, atoms.get_scaled_positions())
            return f"{ASE}: {kind} {symbol}", crystal
    return None
