"""Chemical potentials at which phases are stable; hulls with one element open to a reservoir."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nucleate.errors import InputError
from nucleate.mapping.hull import Hull

if TYPE_CHECKING:
    from collections.abc import Sequence

_TOUCHES = 1e-7
"""eV/atom; a plane of the hull that is no farther below a phase touches it."""


@dataclass(frozen=True, slots=True)
class StabilityWindow:
    """Chemical potentials at which a phase is stable.

    Attributes
    ----------
    name : str
        Of the phase.
    low, high : tuple of float
        Lowest and highest chemical potential of each corner relative to the corner itself, in eV
        per atom. A corner that bounds nothing has minus infinity.
    """

    name: str
    low: tuple[float, ...]
    high: tuple[float, ...]


def stability_windows(hull: Hull) -> list[StabilityWindow]:
    """Return the chemical potentials at which each stable phase is stable.

    They are those of the facets that meet at the phase: a facet is the set of potentials at which
    its phases are in equilibrium, and the region of a phase has its facets as corners. Towards
    corners of the field that the phase does not contain it is not bounded.

    Parameters
    ----------
    hull
        With all corners.

    Raises
    ------
    ValueError
        If a corner is missing.
    """
    if hull.missing:
        raise ValueError(f"there is no hull without {', '.join(hull.missing)}")
    windows = []
    for place in hull.vertices:
        heights = hull.formation[place] - hull.potentials @ hull.shares[place]
        touching = hull.potentials[np.abs(heights) < _TOUCHES]
        low, high = touching.min(axis=0), np.minimum(touching.max(axis=0), 0.0)
        low = np.where(hull.shares[place] > 0.0, low, -np.inf)
        if np.isclose(hull.shares[place].max(), 1.0):
            low = np.where(hull.shares[place] > 0.5, 0.0, -np.inf)
            high = np.where(hull.shares[place] > 0.5, 0.0, high)
        windows.append(
            StabilityWindow(hull.names[place], tuple(low.tolist()), tuple(high.tolist()))
        )
    return windows


def open_hull(hull: Hull, elements: Sequence[str], symbol: str, potential: float) -> Hull:
    """Return the hull of a field that exchanges one element with a reservoir.

    Energies are grand potentials per atom of the other elements, (E - mu n) / (N - n), with n atoms
    of the open element of which each has the energy mu (S. P. Ong et al., Chem. Mater. 20, 1798,
    2008).

    Parameters
    ----------
    hull
        Of a field of elements.
    elements
        Symbols of the columns of its counts.
    symbol
        The open element.
    potential
        Its chemical potential in eV per atom, relative to the corner of the field.

    Raises
    ------
    InputError
        If the field has end members, the element is none of it, or it has no energy.
    """
    if not np.array_equal(hull.members, np.eye(len(hull.members))):
        raise InputError(
            f"open element = {symbol!r}: the corners of this field are compounds. Map the elements."
        )
    if symbol not in elements or len(elements) < 3:
        raise InputError(
            f"open element = {symbol!r} must be one of at least three elements, here "
            f"{', '.join(elements)}."
        )
    place = list(elements).index(symbol)
    reference = float(hull.reference[place])
    if not np.isfinite(reference):
        raise InputError(f"open element = {symbol!r} has no energy in this map yet. Continue it.")
    rest = [k for k in range(len(elements)) if k != place]
    others = hull.counts[:, rest].sum(axis=1)
    kept = np.flatnonzero(others > 0.0)
    totals = (
        hull.energies * hull.counts.sum(axis=1) - (reference + potential) * hull.counts[:, place]
    )
    return Hull.build(
        np.eye(len(rest), dtype=np.int64),
        [hull.member_names[k] for k in rest],
        hull.counts[kept][:, rest],
        totals[kept] / others[kept],
        [hull.names[k] for k in kept],
    )
