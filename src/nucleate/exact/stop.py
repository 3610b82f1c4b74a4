"""When a search may stop: its best structure against what is proven on grids."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from nucleate.crystal.crystal import Crystal
    from nucleate.exact.certificate import Certificate
    from nucleate.potentials.model import EnergyModel

TOLERANCE = 0.002
"""Energy per atom, in the unit of the model, that counts as nothing."""

_GROUPS_NAMED = 8


@dataclass(frozen=True, slots=True)
class Floor:
    """What a certificate says of a composition as a whole; energies per atom.

    Attributes
    ----------
    model, unit : str
        Whose energies these are, and their unit.
    bounds : tuple of float
        Proven bounds of the grids, lowest first.
    lowest_relaxed : float or None
        The lowest arrangement of all grids after relaxation with the same model.
    empty : int
        Grids that are proven to hold no arrangement.
    unproven : int
        Grids without a bound.
    grids : str
        Which grids these are, in words.
    """

    model: str
    unit: str
    bounds: tuple[float, ...]
    lowest_relaxed: float | None
    empty: int
    unproven: int
    grids: str

    @classmethod
    def of(cls, certificate: Certificate) -> Floor:
        """Return what the proofs of a certificate say together."""
        bounds, empty, unproven = [], 0, 0
        for proof in certificate.proofs:
            if proof.bound is not None:
                bounds.append(proof.bound / sum(proof.counts.values()))
            elif proof.status == "no arrangement":
                empty += 1
            else:
                unproven += 1
        relaxed = [
            found.relaxed.energy / len(found.relaxed.symbols)
            for proof in certificate.proofs
            for found in proof.found
            if found.relaxed is not None and found.relaxed.model == certificate.model.name
        ]
        unit = "eV/atom" if certificate.model.unit == "eV" else "arbitrary units per atom"
        return cls(
            certificate.model.name, unit, tuple(sorted(bounds)), min(relaxed, default=None),
            empty, unproven, _grids(certificate),
        )  # fmt: skip

    def against(self, energy: float, tolerance: float = TOLERANCE) -> Comparison:
        """Return the comparison of a structure with this energy per atom."""
        below = sum(bound < energy - tolerance for bound in self.bounds)
        return Comparison(self, energy, below, tolerance)


@dataclass(frozen=True, slots=True)
class Comparison:
    """A structure against the bounds of a certificate; energies per atom.

    Attributes
    ----------
    floor : Floor
        What is proven.
    energy : float
        Of the structure.
    below : int
        Grids whose bound lies below the energy of the structure by more than the tolerance.
    tolerance : float
        What was allowed.
    """

    floor: Floor
    energy: float
    below: int
    tolerance: float

    @property
    def may_stop(self) -> bool:
        """Whether the structure is as low as everything that the grids can offer.

        It lies above no proven bound by more than the tolerance, there is a bound, and no
        arrangement relaxed to something lower.
        """
        return bool(self.floor.bounds) and self.below == 0 and not self._is_beaten

    @property
    def _is_beaten(self) -> bool:
        relaxed = self.floor.lowest_relaxed
        return relaxed is not None and relaxed < self.energy - self.tolerance

    @property
    def sentence(self) -> str:
        """What this says, for a summary."""
        floor = self.floor
        unproven = f" {floor.unproven} more have no bound." if floor.unproven else ""
        empty = f" ({floor.empty} more hold none)" if floor.empty else ""
        if self.may_stop:
            relaxed = floor.lowest_relaxed
            after = "" if relaxed is None else f", and none relaxes below {relaxed:.5f}"
            return (
                f"proven: no arrangement on {_count(len(floor.bounds), 'grid')}{empty} lies below "
                f"{floor.bounds[0]:.5f} {floor.unit}{after}; the best structure has "
                f"{self.energy:.5f}.{unproven}"
            )
        reasons = []
        if not floor.bounds:
            reasons.append("no grid has a bound")
        if self.below:
            reasons.append(f"{self.below} grids have a bound below the best structure")
        if self._is_beaten:
            reasons.append(f"an arrangement relaxes to {floor.lowest_relaxed:.5f} {floor.unit}")
        return f"not proven: {'; '.join(reasons)}.{unproven}"


def compare(
    crystal: Crystal, model: EnergyModel, certificate: Certificate, *, tolerance: float = TOLERANCE
) -> Comparison:
    """Compare a structure with every bound of a certificate of the same composition and model.

    The energies of a structure and of a grid are those of one model. A relaxed structure usually
    lies below every grid, because a grid cannot relax; what the lowest arrangements relax to is
    then what decides.

    Parameters
    ----------
    crystal
        Best structure of the search.
    model
        The model of the certificate.
    certificate
        Proofs; grids that hold no arrangement count as proven.
    tolerance
        Energy per atom.
    """
    energy = float(model.evaluate(crystal).energy) / crystal.n_atoms
    return Floor.of(certificate).against(energy, tolerance)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _grids(certificate: Certificate) -> str:
    """Return in words which grids the proofs of a certificate are about."""
    proofs = certificate.proofs
    if not proofs:
        return "no grid"
    atoms = [sum(proof.counts.values()) for proof in proofs]
    if all(proof.sites is not None for proof in proofs):
        return f"{len(proofs)} cells of a lattice with {min(atoms)} to {max(atoms)} atoms"
    spacing = [
        np.linalg.norm(np.array(proof.cell), axis=1) / np.array(proof.grid) for proof in proofs
    ]
    volumes = [abs(np.linalg.det(np.array(p.cell))) / sum(p.counts.values()) for p in proofs]
    groups = Counter(proof.space_group for proof in proofs)
    named = ", ".join(str(group) for group, _ in groups.most_common(_GROUPS_NAMED))
    return (
        f"{_count(len(proofs), 'grid')} with {np.min(spacing):.2f} to {np.max(spacing):.2f} Å "
        f"between points, cells of {min(atoms)} to {max(atoms)} atoms and {min(volumes):.2f} to "
        f"{max(volumes):.2f} Å³ per atom, {_count(len(groups), 'space group')}"
        f"{' (most often ' if len(groups) > _GROUPS_NAMED else ' ('}{named})"
    )
