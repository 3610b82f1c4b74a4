"""Which grids to look at first: those of cells and groups that real crystals have, cheap ones."""

from __future__ import annotations

from collections import defaultdict
from hashlib import sha256
from typing import TYPE_CHECKING

import numpy as np

from nucleate.exact.cells import LIKELY_GROUPS, centring, tasks_of
from nucleate.exact.grid import operations
from nucleate.generate.symmetric_prior import load_prior

if TYPE_CHECKING:
    from nucleate.crystal.composition import Composition
    from nucleate.exact.cells import Task

_ORBITS = 100.0
"""Orbits of a grid from which on its cost grows; below, tables and relaxation dominate."""


_LEAST = 0.1
"""Share, over the number of grids, below which a group with its formula units is passed over."""


def likely_grids(composition: Composition, *, max_atoms: int, most: int) -> list[Task]:
    """Return grids in the order of probability per cost.

    The probability of formula units and space group is that of the prior of the generator
    ``symmetric``. Within a group and a number of formula units the cells are in a fixed random
    order, and the n-th has 1/n of it, as neighbouring cells lead to the same structures.

    Parameters
    ----------
    composition
        What to place.
    max_atoms
        In the primitive cell.
    most
        How many to return.

    Raises
    ------
    InputError
        If not even one formula unit fits.
    """
    composition.allowed_formula_units(max_atoms)
    shares = _shares(composition, max_atoms)
    least = _LEAST / most * max(shares.values(), default=0.0)
    families: dict[tuple[int, int], list[Task]] = defaultdict(list)
    for task in tasks_of(
        composition, max_atoms=max_atoms, wanted=lambda *family: shares.get(family, 0.0) >= least
    ):
        families[task.space_group, task.formula_units].append(task)
    values: list[tuple[float, str, Task]] = []
    for family, own in families.items():
        own.sort(key=lambda task: sha256(task.name.encode()).digest())
        for number, task in enumerate(own[:most], 1):
            orbits = float(np.prod(task.shape)) / len(operations(task.space_group)[0])
            value = shares[family] / number / (1.0 + (orbits / _ORBITS) ** 2)
            values.append((-value, task.name, task))
    return [task for _, _, task in sorted(values, key=lambda entry: entry[:2])[:most]]


def _shares(composition: Composition, max_atoms: int) -> dict[tuple[int, int], float]:
    """Return the probability of space groups with whole formula units in their standard cells."""
    prior = load_prior()
    numbers = np.array(composition.elements, dtype=np.int64)
    counts = np.array(list(composition.counts.values()), dtype=np.int64)
    units = tuple(range(1, max_atoms // composition.n_atoms + 1))
    of_units = prior.formula_unit_shares(composition.n_atoms, units)
    shares: dict[tuple[int, int], float] = {}
    for n, share in zip(units, of_units, strict=True):
        groups = prior.group_shares(numbers, counts * n, prior.orbit_weights(numbers, counts * n))
        for number in LIKELY_GROUPS:
            shares[number, n * centring(number)] = float(share * groups[number])
    return shares
