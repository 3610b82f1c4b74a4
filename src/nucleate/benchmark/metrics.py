"""The field's measures of crystal structure prediction: match@k, rms, METRe and cRMSE.

A candidate matches a reference by pymatgen's ``StructureMatcher``; the displacement is in units of
(volume per atom)^(1/3). METRe and cRMSE are those of Martirossyan et al., "All that structure
matches does not glitter" (2025): every reference is matched with the nearest of all candidates of
its composition, and one without a match counts with the site tolerance.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from nucleate.errors import MissingDependencyError

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence

    from nucleate.crystal.crystal import Crystal


@dataclass(frozen=True, slots=True)
class Tolerances:
    """Tolerances of a match: lattice lengths, sites, and angles in degrees."""

    length: float
    site: float
    angle: float


LOOSE = Tolerances(0.3, 0.5, 10.0)
"""Those of the published match rates."""

TIGHT = Tolerances(0.2, 0.3, 5.0)
"""pymatgen's own."""


@dataclass(frozen=True, slots=True)
class Rate:
    """A share of successes with its Wilson interval.

    Attributes
    ----------
    successes, trials : int
    low, high : float
        Ends of the 95 % interval.
    """

    successes: int
    trials: int
    low: float
    high: float

    @property
    def value(self) -> float:
        """The share; 0 for no trial."""
        return self.successes / self.trials if self.trials else 0.0

    def __str__(self) -> str:
        return f"{100 * self.value:.1f} ({100 * self.low:.1f}-{100 * self.high:.1f})"


def rate(successes: int, trials: int) -> Rate:
    """Return a share with its 95 % interval (Wilson); (0, 1) for no trial."""
    from scipy.stats import binomtest

    if trials == 0:
        return Rate(0, 0, 0.0, 1.0)
    interval = binomtest(int(successes), int(trials)).proportion_ci(0.95, method="wilson")
    return Rate(int(successes), int(trials), float(interval.low), float(interval.high))


class Reference:
    """A reference structure, prepared to be compared with many candidates.

    Parameters
    ----------
    crystal : Crystal
        The true structure, in any cell.

    Raises
    ------
    MissingDependencyError
        If pymatgen is not installed.
    """

    def __init__(self, crystal: Crystal) -> None:
        _matcher(LOOSE, primitive=True)
        self._primitive = crystal.to_pymatgen().get_primitive_structure()

    def displacement(self, crystal: Crystal, tolerances: Tolerances = LOOSE) -> float | None:
        """Return the rms displacement of a match, or None where there is none.

        Both are compared in pymatgen's primitive cells, as published match rates do. A candidate
        of the reference's size is first compared as it is, which saves its reduction where it
        does not match.
        """
        size = len(self._primitive)
        if crystal.n_atoms % size:
            return None
        candidate = crystal.to_pymatgen()
        matcher = _matcher(tolerances, primitive=False)
        if crystal.n_atoms == size and not matcher.get_rms_dist(self._primitive, candidate):
            return None
        found = _matcher(tolerances, primitive=True).get_rms_dist(self._primitive, candidate)
        return None if found is None else float(found[0])

    def fits(self, crystal: Crystal, tolerances: Tolerances = LOOSE) -> bool:
        """Return whether ``StructureMatcher.fit`` holds, which limits the largest displacement.

        It is stricter than :meth:`displacement`, in which the site tolerance limits the rms.
        """
        candidate = crystal.to_pymatgen()
        return bool(_matcher(tolerances, primitive=True).fit(self._primitive, candidate))


def match_at(first_matches: Sequence[int | None], k: int) -> Rate:
    """Return match@k from the rank (from 1) of the first match of each target."""
    return rate(sum(1 for r in first_matches if r is not None and r <= k), len(first_matches))


def pooled_displacements(
    compositions: Sequence[Hashable],
    displacements: Sequence[Mapping[int, float]],
    candidates_per_reference: int,
) -> list[float | None]:
    """Return for each reference the least displacement among the candidates of its composition.

    Parameters
    ----------
    compositions
        Of each reference. Those of one composition share their list of candidates.
    displacements
        For each reference: the rms displacement by rank (from 1) of the candidates that match it.
    candidates_per_reference
        A composition with m references has m times as many candidates, from the top of its list.
    """
    references: dict[Hashable, int] = defaultdict(int)
    for composition in compositions:
        references[composition] += 1
    result: list[float | None] = []
    for composition, found in zip(compositions, displacements, strict=True):
        last = candidates_per_reference * references[composition]
        near = [value for rank, value in found.items() if rank <= last]
        result.append(min(near, default=None))
    return result


def metre(best: Sequence[float | None]) -> Rate:
    """Return METRe: the share of references that some candidate of their composition matches."""
    return rate(sum(1 for value in best if value is not None), len(best))


def crmse(best: Sequence[float | None], tolerances: Tolerances = LOOSE) -> float:
    """Return cRMSE: the mean displacement, where no match counts as the site tolerance."""
    if not best:
        return float("nan")
    return float(np.mean([tolerances.site if value is None else value for value in best]))


def mean_displacement(best: Sequence[float | None]) -> float:
    """Return the mean displacement of the references that are matched; nan if none is."""
    found = [value for value in best if value is not None]
    return float(np.mean(found)) if found else float("nan")


@cache
def _matcher(tolerances: Tolerances, *, primitive: bool) -> Any:
    try:
        from pymatgen.analysis.structure_matcher import StructureMatcher
    except ImportError as error:
        raise MissingDependencyError(
            "the match with a reference needs pymatgen: pip install 'nucleate[benchmark]'"
        ) from error
    return StructureMatcher(
        ltol=tolerances.length,
        stol=tolerances.site,
        angle_tol=tolerances.angle,
        primitive_cell=primitive,
    )
