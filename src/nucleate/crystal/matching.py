"""Whether two crystals are the same structure, or one a distortion of the other.

Fingerprints decide what is certainly different; for the rest sites are compared by pymatgen's
``StructureMatcher``. Where pymatgen is not installed, fingerprint and space group decide alone.
Cells are made primitive by symmetry first, not by the matcher, which would average distortions.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from nucleate.crystal.cells import reduced_cell
from nucleate.crystal.fingerprint import fingerprint, fingerprint_distance
from nucleate.crystal.symmetry import standardised, symmetry_dataset

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from nucleate.crystal.crystal import Crystal

SYMPREC = 0.03
"""Å; tolerance at which cells are made primitive and space groups compared."""

WORTH_A_LOOK = 0.1
"""Largest fingerprint distance at which sites are compared for the same structure."""

RELATED = 0.4
"""The same for a distortion, at equal volume per atom."""

ALONE = 0.015
"""Fingerprint distance of the same structure where sites cannot be compared."""

RELATED_DISPLACEMENT = 0.25
"""Largest displacement of a distortion; 0.2 from cubic to orthorhombic CaTiO3."""

RELATED_ALONE = 0.15
"""The same of a distortion."""

_LENGTH, _SITE, _ANGLE = 0.2, 0.3, 5.0
_MOST_CELLS = 8


@dataclass(frozen=True, slots=True, eq=False)
class Comparable:
    """A crystal prepared to be compared with many.

    Attributes
    ----------
    crystal : Crystal
        In its primitive cell.
    print_ : ndarray of float32
        Its fingerprint.
    print_at_unit_volume : ndarray of float32
        The same with 1 Å³ per atom.
    number : int
        Its space group.
    symmetry : float
        Order of the point group for each atom of the primitive cell: the larger, the higher.
    structure : pymatgen.core.Structure or None
        For the matcher; None where there is none.
    """

    crystal: Crystal
    print_: NDArray[np.float32]
    print_at_unit_volume: NDArray[np.float32]
    number: int
    symmetry: float
    structure: Any

    @classmethod
    def of(cls, crystal: Crystal) -> Comparable:
        """Prepare a crystal; raises ValueError if its cell has no volume."""
        primitive = standardised(crystal, SYMPREC) or reduced_cell(crystal)
        dataset = symmetry_dataset(primitive, SYMPREC)
        operations = 1 if dataset is None else len(dataset.operations)
        scale = primitive.volume_per_atom ** (-1.0 / 3.0)
        return cls(
            primitive,
            fingerprint(primitive),
            fingerprint(primitive.replace(cell=primitive.cell * scale)),
            1 if dataset is None else dataset.number,
            operations / primitive.n_atoms,
            primitive.to_pymatgen() if matcher_name() != FINGERPRINT else None,
        )


FINGERPRINT = "fingerprint and space group"


@cache
def matcher_name() -> str:
    """Return what compares sites here, for the record."""
    try:
        from pymatgen.analysis.structure_matcher import StructureMatcher
    except ImportError:
        return FINGERPRINT
    return StructureMatcher.__name__


def displacement(one: Comparable, other: Comparable) -> float | None:
    """Return how far the sites of two crystals are apart; None where they differ.

    Returns
    -------
    float or None
        The largest displacement in units of (volume per atom)^(1/3), volumes made equal. Without
        pymatgen the distance of the fingerprints.
    """
    distance = fingerprint_distance(one.print_, other.print_)
    if distance > WORTH_A_LOOK:
        return None
    if one.structure is None or other.structure is None:
        return distance if distance < ALONE and one.number == other.number else None
    return _largest_displacement(one, other)


def is_distortion(low: Comparable, high: Comparable) -> bool:
    """Return whether a crystal is another one with its atoms displaced, in whatever cell.

    Parameters
    ----------
    low, high
        The one of lower and the one of higher symmetry.
    """
    distance = fingerprint_distance(low.print_at_unit_volume, high.print_at_unit_volume)
    if distance > RELATED:
        return False
    if low.structure is None or high.structure is None:
        return distance < RELATED_ALONE
    found = _largest_displacement(low, high)
    return found is not None and found <= RELATED_DISPLACEMENT


def _largest_displacement(one: Comparable, other: Comparable) -> float | None:
    small, large = sorted((one, other), key=lambda item: item.crystal.n_atoms)
    ratio, rest = divmod(large.crystal.n_atoms, small.crystal.n_atoms)
    if rest or ratio > _MOST_CELLS:
        return None
    found = _matcher(supercell=ratio > 1).get_rms_dist(large.structure, small.structure)
    return None if found is None else float(found[1])


@cache
def _matcher(*, supercell: bool) -> Any:
    from pymatgen.analysis.structure_matcher import StructureMatcher

    return StructureMatcher(
        ltol=_LENGTH,
        stol=_SITE,
        angle_tol=_ANGLE,
        primitive_cell=False,
        attempt_supercell=supercell,
    )


def same_structure(one: Crystal, other: Crystal) -> bool:
    """Return whether two crystals are the same structure, by :func:`displacement`."""
    return displacement(Comparable.of(one), Comparable.of(other)) is not None
