"""Rows of a linear fit that keep known crystals below the crystals they relax to.

A relaxation with the present potentials leads from a known crystal to a wrong minimum. Half way and
at its end the energy is to lie above that of the known crystal, by that of a spring. Unlike
`nucleate.fitting.proxy_potentials.response` this asks nothing of small moves, so that it also holds
where the response is not linear; the energies are linear in the coefficients all the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nucleate.crystal.crystal import Crystal
from nucleate.fitting.proxy_potentials.assess import SPP_CRITERIA, largest_displacement
from nucleate.fitting.proxy_potentials.response import PER_ANGSTROM, GradientFeatures
from nucleate.fitting.proxy_potentials.system import Geometry, System

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from nucleate.fitting.proxy_potentials.structures import Sample
    from nucleate.potentials.spp import SppLibrary

_ALONG = (0.5, 1.0)


@dataclass(frozen=True, slots=True)
class PathWeights:
    """What the fit is asked for, in units where the typical spring of an atom is 10 per Å^2.

    Attributes
    ----------
    spring : float
        The energy wanted at a distance s of all atoms together is ``spring s^2 / 2``.
    weight : float
        Of a row, relative to one of the response.
    smallest_move : float
        Å; crystals whose atoms move less give no rows.
    usual_move : float
        Å; crystals that move further count less.
    """

    spring: float = 3.0
    weight: float = 2.0
    smallest_move: float = 0.08
    usual_move: float = 0.4


def build_paths(
    samples: Sequence[Sample], library: SppLibrary, geometry: Geometry, weights: PathWeights
) -> System:
    """Return the rows of every structure that moves when it is relaxed, in units of 0.1 Å.

    Parameters
    ----------
    samples
        Known crystals.
    library
        The present potentials.
    geometry
        Elements, d0 and basis of that library.
    weights
        See :class:`PathWeights`.
    """
    return System.of(samples, lambda crystal: _block(crystal, library, geometry, weights))


def _block(
    crystal: Crystal, library: SppLibrary, geometry: Geometry, weights: PathWeights
) -> tuple[NDArray, NDArray, NDArray]:
    nothing = np.zeros((0, 0)), np.zeros(0), np.zeros(0, dtype=np.int64)
    model = library.model(crystal.numbers)
    end = model.relax(crystal, SPP_CRITERIA)
    if end.failure:
        return nothing
    furthest = largest_displacement(crystal, end.crystal)
    if furthest < weights.smallest_move:
        return nothing
    shift = end.crystal.scaled - crystal.scaled
    shift = shift - shift.mean(axis=0)
    stretch = end.crystal.cell - crystal.cell
    moved = shift @ (crystal.cell + 0.5 * stretch)
    distance = float(np.linalg.norm(moved))
    counted = (1.0 + (furthest / weights.usual_move) ** 2) ** -0.5
    factor = PER_ANGSTROM * weights.weight * counted / (weights.spring * distance)

    kinds = model.kinds(crystal.numbers)
    order = np.argsort(kinds, kind="stable")
    features = GradientFeatures.create(
        crystal.scaled[order] @ crystal.cell, np.array(crystal.cell), kinds[order],
        model.elements, geometry,
    )  # fmt: skip
    rest, rest_energy = features.energy(), model.evaluate(crystal).energy
    rows, targets = [], []
    for part in _ALONG:
        cell = crystal.cell + part * stretch
        there = Crystal(crystal.numbers, cell, crystal.scaled + part * shift)
        energy = model.evaluate(there).energy - rest_energy
        wanted = 0.5 * weights.spring * (part * distance) ** 2
        if energy < wanted:
            pos = there.scaled[order] @ cell
            rows.append(factor * (features.energy(pos, np.array(cell)) - rest))
            targets.append(factor * (wanted - energy))
    if not rows:
        return nothing
    used = np.abs(rows).max(axis=0) > 1e-9
    return np.array(rows)[:, used], np.array(targets), features.columns[used]
