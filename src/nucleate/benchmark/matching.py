"""Whether a structure is the reference, by pymatgen's ``StructureMatcher``."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from nucleate.errors import MissingDependencyError

if TYPE_CHECKING:
    from nucleate.crystal.crystal import Crystal

LENGTH_TOLERANCE, SITE_TOLERANCE, ANGLE_TOLERANCE = 0.3, 0.5, 10.0
"""``ltol``, ``stol`` and ``angle_tol`` (degrees), as in the published match rates."""


def match_rms(reference: Crystal, crystal: Crystal) -> float | None:
    """Return the rms displacement of a match; None where the structures do not match.

    The displacement is normalised by (volume per atom)^(1/3).

    Raises
    ------
    MissingDependencyError
        If pymatgen is not installed.
    """
    found = _matcher().get_rms_dist(reference.to_pymatgen(), crystal.to_pymatgen())
    return None if found is None else float(found[0])


@cache
def _matcher() -> Any:
    try:
        from pymatgen.analysis.structure_matcher import StructureMatcher
    except ImportError as error:
        raise MissingDependencyError(
            "the match with a reference needs pymatgen: pip install 'nucleate[benchmark]'"
        ) from error
    return StructureMatcher(ltol=LENGTH_TOLERANCE, stol=SITE_TOLERANCE, angle_tol=ANGLE_TOLERANCE)
