"""Recognise the structure that a search is to find."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nucleate.crystal.fingerprint import fingerprint, fingerprint_distance

if TYPE_CHECKING:
    from nucleate.crystal.crystal import Crystal

WORTH_A_LOOK = 0.3
"""Largest fingerprint distance, volumes made equal, at which the exact matcher is asked."""

ENOUGH_ALONE = 0.06
"""Fingerprint distance that counts as found where the exact matcher is not installed."""


class Target:
    """A structure to stop at.

    A crystal is the target if pymatgen's ``StructureMatcher`` with its default tolerances says so.
    Fingerprints, taken at equal volume per atom, spare it most of the work; without pymatgen they
    decide alone.
    """

    def __init__(self, crystal: Crystal) -> None:
        self._crystal = crystal
        self._volume = crystal.volume_per_atom
        self._print = fingerprint(crystal)

    @property
    def crystal(self) -> Crystal:
        """The structure."""
        return self._crystal

    def is_met_by(self, crystal: Crystal) -> bool:
        """Return whether a crystal is the target structure."""
        scale = (self._volume / crystal.volume_per_atom) ** (1.0 / 3.0)
        distance = fingerprint_distance(
            self._print, fingerprint(crystal.replace(cell=crystal.cell * scale))
        )
        if distance > WORTH_A_LOOK:
            return False
        try:
            from pymatgen.analysis.structure_matcher import StructureMatcher
        except ImportError:
            return distance < ENOUGH_ALONE
        return StructureMatcher().fit(self._crystal.to_pymatgen(), crystal.to_pymatgen())
