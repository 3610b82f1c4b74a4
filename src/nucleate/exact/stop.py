"""When a search may stop: its best structure against what is proven on grids."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nucleate.crystal.crystal import Crystal
    from nucleate.exact.certificate import Certificate
    from nucleate.potentials.model import EnergyModel


@dataclass(frozen=True, slots=True)
class Comparison:
    """A structure against the bounds of a certificate; energies in eV per atom.

    Attributes
    ----------
    energy : float
        Of the structure.
    lowest_bound : float or None
        The lowest of all proven bounds; None where a grid of the certificate has none.
    lowest_relaxed : float or None
        The lowest arrangement of the certificate after relaxation.
    unproven : int
        Grids without a bound.
    below : int
        Grids whose bound lies below the energy of the structure by more than the tolerance.
    tolerance : float
        What was allowed.
    """

    energy: float
    lowest_bound: float | None
    lowest_relaxed: float | None
    unproven: int
    below: int
    tolerance: float

    @property
    def may_stop(self) -> bool:
        """Whether nothing on the grids can lie below the structure.

        Every grid has a bound, the structure lies above none of them by more than the tolerance,
        and no arrangement relaxed to something lower.
        """
        beaten = self.lowest_relaxed is not None and (
            self.lowest_relaxed < self.energy - self.tolerance
        )
        return self.unproven == 0 and self.below == 0 and not beaten

    @property
    def sentence(self) -> str:
        """What this says, for a summary."""
        if self.may_stop:
            return (
                f"No arrangement on the grids of the certificate lies more than "
                f"{self.tolerance:g} eV/atom below {self.energy:.5f} eV/atom."
            )
        reasons = []
        if self.unproven:
            reasons.append(f"{self.unproven} grids have no bound")
        if self.below:
            reasons.append(f"{self.below} grids have a bound below the best structure")
        if self.lowest_relaxed is not None and self.lowest_relaxed < self.energy - self.tolerance:
            reasons.append(f"an arrangement relaxes to {self.lowest_relaxed:.5f} eV/atom")
        return f"Not proven: {'; '.join(reasons)}."


def compare(
    crystal: Crystal, model: EnergyModel, certificate: Certificate, *, tolerance: float = 0.005
) -> Comparison:
    """Compare a structure with every bound of a certificate of the same composition and model.

    The energies of a structure and of a grid are those of one model. A relaxed structure usually
    lies below every grid, because a grid cannot relax; that is the case in which a search may
    stop on account of the grids.

    Parameters
    ----------
    crystal
        Best structure of the search.
    model
        The model of the certificate.
    certificate
        Proofs; grids that hold no arrangement count as proven.
    tolerance
        eV per atom.
    """
    energy = model.evaluate(crystal).energy / crystal.n_atoms
    bounds, unproven = [], 0
    for proof in certificate.proofs:
        if proof.bound is not None:
            bounds.append(proof.bound / sum(proof.counts.values()))
        elif proof.status != "no arrangement":
            unproven += 1
    relaxed = [
        found.relaxed.energy / len(found.relaxed.symbols)
        for proof in certificate.proofs
        for found in proof.found
        if found.relaxed is not None and found.relaxed.model == certificate.model.name
    ]
    return Comparison(
        energy=float(energy),
        lowest_bound=min(bounds, default=None) if not unproven else None,
        lowest_relaxed=min(relaxed, default=None),
        unproven=unproven,
        below=sum(bound < energy - tolerance for bound in bounds),
        tolerance=tolerance,
    )
