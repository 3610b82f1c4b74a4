"""When a search may stop: its best structure against what is proven on grids."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from nucleate.crystal.crystal import Crystal
    from nucleate.exact.certificate import Certificate, Proof
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
    stop on account of the grids, and :func:`projection` says how well a grid could represent it.

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


def projection(crystal: Crystal, proof: Proof) -> tuple[Crystal, float] | None:
    """Put a structure on the grid of a proof, each atom on the nearest point.

    Parameters
    ----------
    crystal
        Its cell must be the one of the proof up to strain: as many atoms, vectors in the same
        order. The origin is chosen so that the atoms move least.
    proof
        Where to put it.

    Returns
    -------
    tuple of Crystal and float, or None
        The structure on the grid and the largest move in Å; None where two atoms meet or the
        numbers of atoms differ.
    """
    if crystal.n_atoms != sum(proof.counts.values()):
        return None
    shape = np.array(proof.grid, dtype=np.float64)
    best: tuple[float, np.ndarray] | None = None
    for head in range(crystal.n_atoms):
        shifted = (crystal.scaled - crystal.scaled[head]) * shape
        offset = np.angle(np.exp(2j * np.pi * shifted).mean(axis=0)) / (2.0 * np.pi)
        points = np.rint(shifted - offset)
        gap = (shifted - offset - points) / shape
        move = float(np.linalg.norm(gap @ np.array(proof.cell), axis=1).max())
        distinct = np.unique(np.mod(points, shape), axis=0).shape[0] == crystal.n_atoms
        if distinct and (best is None or move < best[0]):
            best = move, np.mod(points, shape)
    if best is None:
        return None
    return _placed(crystal, proof, best[1] / shape), best[0]


def _placed(crystal: Crystal, proof: Proof, scaled: np.ndarray) -> Crystal:
    """Return the atoms of a crystal at other places in the cell of a proof."""
    return crystal.replace(cell=np.array(proof.cell), scaled=scaled)
