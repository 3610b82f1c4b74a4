"""How far the best structure of a composition is expected to fall if the search continues.

A minimum that a search has found is an upper bound of the lowest one. How much lower the lowest
one is follows from how the minima of all compositions of the map fell while their searches
doubled in length: the mean fall from 2^k to 2^(k+1) structures, shrunk towards a power law, summed
over the doublings that are still to come.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

FIRST_FALL = 0.15
"""eV/atom; assumed fall from the first structure to the second."""

DECAY = 0.7
"""Assumed exponent: the fall of a doubling is 2^-0.7 of that of the one before."""

WEIGHT = 4.0
"""Compositions that the assumption counts for, at every doubling."""

KNOWN_FALL = 0.0005
"""eV/atom; expected of a composition whose known structure was relaxed."""

USUAL_ATOMS = 8
"""Atoms in a formula unit; in larger ones a structure counts for less."""

_LEVELS = 14
_OWN = 1.0


@dataclass(frozen=True, slots=True)
class Finding:
    """What a map knows of one composition.

    Attributes
    ----------
    n_structures : int
        Structures relaxed so far, failures included.
    best : float or None
        Formation energy in eV/atom of the lowest one; None where there is none.
    history : tuple of (int, float)
        Every new lowest one: structures relaxed by then, and its formation energy.
    sizes_tried : float
        Share of the allowed numbers of formula units of which a structure was relaxed.
    is_known : bool
        Whether a known structure of the composition was relaxed.
    """

    n_structures: int = 0
    best: float | None = None
    history: tuple[tuple[int, float], ...] = ()
    sizes_tried: float = 1.0
    is_known: bool = False

    def best_after(self, n_structures: float) -> float | None:
        """Return the lowest formation energy after some structures, or None."""
        found = [energy for count, energy in self.history if count <= n_structures]
        return min(found) if found else None


@dataclass(frozen=True, slots=True, eq=False)
class Falls:
    """The mean fall of each doubling; build it with :meth:`learned`.

    Attributes
    ----------
    of_doubling : ndarray of float64, shape (n_levels,)
        eV/atom, from 2^k to 2^(k+1) structures.
    """

    of_doubling: NDArray[np.float64]

    @classmethod
    def learned(cls, findings: Sequence[Finding], n_atoms: Sequence[int]) -> Falls:
        """Return the falls that the searches of a map have shown.

        Parameters
        ----------
        findings
            Of the compositions.
        n_atoms
            Atoms in their formula units.
        """
        totals, numbers = np.zeros(_LEVELS), np.zeros(_LEVELS)
        for finding, atoms in zip(findings, n_atoms, strict=True):
            unit = _unit(atoms)
            for level in range(_LEVELS):
                before = finding.best_after(2.0**level * unit)
                if 2.0 ** (level + 1) * unit > finding.n_structures:
                    break
                after = finding.best_after(2.0 ** (level + 1) * unit)
                if before is not None and after is not None:
                    totals[level] += before - after
                    numbers[level] += 1
        means = np.empty(_LEVELS)
        assumed = FIRST_FALL
        for level in range(_LEVELS):
            means[level] = (WEIGHT * assumed + totals[level]) / (WEIGHT + numbers[level])
            assumed = means[level] * 2.0**-DECAY
        return cls(means)

    def expected(self, finding: Finding, n_atoms: int, further: int = 0) -> float:
        """Return how far the best structure is expected to fall in the end, in eV/atom.

        Parameters
        ----------
        finding
            What is known of the composition.
        n_atoms
            In a formula unit.
        further
            Structures more than there are.
        """
        if finding.is_known:
            return KNOWN_FALL
        n = max(finding.n_structures + further, 1)
        rest = self._rest(np.log2(max(n / _unit(n_atoms), 1.0)))
        return rest * self._own(finding, n_atoms) * (2.0 - finding.sizes_tried)

    def _rest(self, level: float) -> float:
        """Return the sum of the falls from a doubling on."""
        steps = np.arange(_LEVELS) + level
        inside = np.interp(steps, np.arange(_LEVELS), self.of_doubling)
        beyond = np.maximum(steps - (_LEVELS - 1), 0.0)
        total = inside @ 2.0 ** (-DECAY * beyond)
        return float(total)

    def _own(self, finding: Finding, n_atoms: int) -> float:
        """Return the fall of the last doubling of a search relative to the mean, shrunk to 1."""
        n = finding.n_structures
        before, level = finding.best_after(n / 2), np.log2(max(n / 2 / _unit(n_atoms), 1.0))
        if n < 4 or before is None or finding.best is None:
            return 1.0
        usual = float(np.interp(level, np.arange(_LEVELS), self.of_doubling))
        ratio = (before - finding.best) / max(usual, 1e-6)
        return (_OWN + min(ratio, 4.0)) / (_OWN + 1.0)


def _unit(n_atoms: int) -> float:
    """Return how many structures of a composition count as one."""
    return max(n_atoms / USUAL_ATOMS, 1.0)
