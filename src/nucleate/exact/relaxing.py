"""The one place where arrangements of a grid are relaxed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np

from nucleate.crystal.elements import element
from nucleate.crystal.symmetry import space_group
from nucleate.exact.certificate import RelaxedRecord

if TYPE_CHECKING:
    from nucleate.crystal.crystal import Crystal
    from nucleate.potentials.model import EnergyModel

_RATTLE = 0.01  # Å
_SYMPREC = 0.1  # Å


class Relax(Protocol):
    """Relaxes a crystal; None where that fails."""

    def __call__(self, crystal: Crystal, *, rng: np.random.Generator) -> RelaxedRecord | None:
        """Return the relaxed crystal."""
        ...


def relax_with(model: EnergyModel, name: str) -> Relax:
    """Return a function that relaxes cell and positions with a classical model.

    Atoms are rattled by 0.01 Å first, so that the symmetry of the grid does not hold them on a
    saddle point.
    """

    def relax(crystal: Crystal, *, rng: np.random.Generator) -> RelaxedRecord | None:
        moves = rng.normal(scale=_RATTLE, size=crystal.scaled.shape) @ np.linalg.inv(crystal.cell)
        end = model.relax(crystal.replace(scaled=crystal.scaled + moves))
        if end.failure or not np.isfinite(end.evaluation.energy):
            return None
        return record(end.crystal, float(end.evaluation.energy), end.converged, name)

    return relax


def record(crystal: Crystal, energy: float, converged: bool, name: str) -> RelaxedRecord:
    """Return the record of a relaxed crystal."""
    number, symbol = space_group(crystal, _SYMPREC)
    rows = [tuple(float(x) for x in row) for row in crystal.cell]
    return RelaxedRecord(
        model=name,
        energy=energy,
        converged=converged,
        space_group=f"{symbol} ({number})",
        cell=(rows[0], rows[1], rows[2]),  # type: ignore[arg-type]
        symbols=[element(int(z)).symbol for z in crystal.numbers],
        scaled=[tuple(float(x) for x in row) for row in crystal.wrapped().scaled],  # type: ignore[misc]
    )
