"""Into which phases a composition decomposes, and the reaction in whole numbers."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import gcd, lcm
from typing import TYPE_CHECKING

import numpy as np

from nucleate.crystal.formula import formula_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_ABSENT = 1e-9


@dataclass(frozen=True, slots=True)
class Decomposition:
    """The stable phases of a composition.

    Attributes
    ----------
    phases : tuple of int
        Places of the phases.
    names : tuple of str
    amounts : tuple of float
        Share of the atoms in each phase; they add up to 1.
    energy : float
        Formation energy of the mixture in eV/atom.
    counts : tuple of tuple of int
        Atoms of each element in a formula unit of each phase.
    """

    phases: tuple[int, ...]
    names: tuple[str, ...]
    amounts: tuple[float, ...]
    energy: float
    counts: tuple[tuple[int, ...], ...]

    def reaction(self, counts: Sequence[int], elements: Sequence[str]) -> str:
        """Return the balanced reaction in whole formula units.

        Parameters
        ----------
        counts
            Atoms of each element in what decomposes.
        elements
            Symbols.

        Examples
        --------
        >>> found = Decomposition((0, 1), ("a", "b"), (0.4, 0.6), -1.0, ((1, 0, 1), (0, 1, 2)))
        >>> found.reaction((1, 1, 3), ("Sr", "Ti", "O"))
        'SrTiO3 → SrO + TiO2'
        """
        own = _reduced(counts)
        units = units_of(own, self.counts)
        factor = lcm(*(unit.denominator for unit in units))
        right = [
            _term(int(unit * factor), _formula(row, elements))
            for unit, row in zip(units, self.counts, strict=True)
        ]
        return f"{_term(factor, _formula(own, elements))} → {' + '.join(right)}"


def decomposed(
    counts: NDArray[np.float64],
    shares: NDArray[np.float64],
    phase_shares: NDArray[np.float64],
    phase_energies: NDArray[np.float64],
    phase_counts: NDArray[np.float64],
    names: Sequence[str],
    places: Sequence[int],
) -> Decomposition:
    """Return the mixture of phases of lowest energy at a composition.

    Parameters
    ----------
    counts
        Atoms of each element, (n_elements,).
    shares
        Barycentric coordinates of the composition, (n_corners,).
    phase_shares, phase_energies, phase_counts
        Of the stable phases: (n, n_corners), eV/atom (n,), (n, n_elements).
    names, places
        Of the stable phases.
    """
    from scipy.optimize import linprog  # takes long to load, and few commands need it

    same = np.flatnonzero(np.abs(phase_shares - shares).max(axis=1) < _ABSENT)
    if same.size:
        amounts = np.zeros(len(phase_shares))
        amounts[same[0]] = 1.0
    else:
        result = linprog(phase_energies, A_eq=phase_shares.T, b_eq=shares, method="highs")
        if result.x is None:
            raise ValueError(f"counts {counts.tolist()} are no mixture of the phases")
        amounts = np.where(result.x > _ABSENT, result.x, 0.0)
        support = np.flatnonzero(amounts)
        exact = np.linalg.lstsq(phase_shares[support].T, shares, rcond=None)[0]
        amounts[support] = exact
    kept = np.flatnonzero(amounts > _ABSENT).tolist()
    return Decomposition(
        tuple(int(places[k]) for k in kept),
        tuple(names[k] for k in kept),
        tuple(float(amounts[k]) for k in kept),
        float(amounts @ phase_energies),
        tuple(_reduced(np.rint(phase_counts[k]).astype(int).tolist()) for k in kept),
    )


def units_of(counts: Sequence[int], phases: Sequence[Sequence[int]]) -> list[Fraction]:
    """Return how many formula units of each phase have the atoms of a composition, exactly.

    Parameters
    ----------
    counts
        Atoms of each element, (n_elements,).
    phases
        Atoms of each element in a formula unit of each phase, (n_phases, n_elements); none of them
        is a mixture of others, as those of a facet of a hull.

    Raises
    ------
    ValueError
        If the composition is no combination of the phases, or they depend on each other.

    Examples
    --------
    >>> units_of((2, 3), ((1, 1), (0, 2)))
    [Fraction(2, 1), Fraction(1, 2)]
    """
    size = len(phases)
    rows = [[Fraction(int(n)) for n in row] for row in zip(*phases, counts, strict=True)]
    for column in range(size):
        place = next((k for k in range(column, len(rows)) if rows[k][column]), None)
        if place is None:
            raise ValueError(f"{list(phases)} depend on each other")
        head = rows.pop(place)
        head = [number / head[column] for number in head]
        rows = [[a - row[column] * b for a, b in zip(row, head, strict=True)] for row in rows]
        rows.insert(column, head)
    if any(row[-1] for row in rows[size:]):
        raise ValueError(f"{list(counts)} is no combination of {list(phases)}")
    return [row[-1] for row in rows[:size]]


def _reduced(counts: Sequence[int]) -> tuple[int, ...]:
    divisor = gcd(*(int(count) for count in counts)) or 1
    return tuple(int(count) // divisor for count in counts)


def _formula(counts: Sequence[int], elements: Sequence[str]) -> str:
    return formula_text({s: c for s, c in zip(elements, counts, strict=True) if c})


def _term(number: int, formula: str) -> str:
    return formula if number == 1 else f"{number} {formula}"
