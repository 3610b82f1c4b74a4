"""The hull of a second model, built from its own energies alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nucleate.mapping.hull import Hull

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nucleate.mapping.energies import Energies, Phase

JUDGED = "judged"
"""Key of the store of a map under which the energies of the second model are."""


def judged_phases(energies: Energies, near: float) -> list[Phase]:
    """Return the phases that a second model has to relax: those at most ``near`` from the hull.

    Parameters
    ----------
    energies
        What is known and found; its hull has all corners.
    near
        eV/atom.
    """
    heights = energies.hull().above_hull
    return [
        phase for phase, height in zip(energies.phases(), heights, strict=True) if height <= near
    ]


def judged_heights(energies: Energies, judged: Mapping[str, Any] | None) -> dict[str, float]:
    """Return energies above the hull of the second model in eV/atom, by formula.

    A phase is relative to the hull of all others and its own, so that the stable ones have 0.
    Empty where no second model has judged, or it has no energy of a corner.

    Parameters
    ----------
    energies
        What is known and found.
    judged
        What the store of the map keeps under :data:`JUDGED`.
    """
    if not judged:
        return {}
    values = judged["energies"]
    phases = [phase for phase in energies.phases() if phase.composition.formula in values]
    names = [phase.composition.formula for phase in phases]
    field = energies.field
    hull = Hull.build(
        field.member_counts,
        [member.formula for member in field.members],
        [field.counts_of(phase.composition) for phase in phases],
        [values[name] for name in names],
        names,
    )
    if hull.missing:
        return {}
    return {name: float(height) for name, height in zip(names, hull.above_hull, strict=True)}
