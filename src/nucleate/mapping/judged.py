"""The hull of a second model, built from its own energies alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nucleate.mapping.hull import Hull

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nucleate.mapping.energies import Energies, Phase

JUDGED = "judged"
"""Key of the store of a map under which the energies of the second model are."""


def identity_of(phase: Phase) -> str:
    """Return what tells the structure of a phase from an earlier or later one of its composition.

    Its place in the run, or the name of the known compound, with its enthalpy by the map.
    """
    if phase.site is None:
        name = "" if phase.reference is None else phase.reference.name
    else:
        name = f"structure {phase.site.best_number}"
    return f"{name}, {phase.energy:.9f} eV/atom"


def judged_before(energies: Energies, judged: Mapping[str, Any] | None) -> frozenset[str]:
    """Return the formulas whose judged structure is the lowest no more.

    Parameters
    ----------
    energies, judged
        As for :func:`judged_heights`.
    """
    if not judged:
        return frozenset()
    known = judged.get("structures", {})
    return frozenset(
        phase.composition.formula
        for phase in energies.phases()
        if phase.composition.formula in judged["energies"]
        and known.get(phase.composition.formula) != identity_of(phase)
    )


def judged_heights(energies: Energies, judged: Mapping[str, Any] | None) -> dict[str, float]:
    """Return energies above the hull of the second model in eV/atom, by formula.

    A phase is relative to the hull of all others and its own, so that the stable ones have 0.
    What has a lower structure now than the one that was judged is left out.
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
    before = judged_before(energies, judged)
    phases = [
        phase
        for phase in energies.phases()
        if phase.composition.formula in values and phase.composition.formula not in before
    ]
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


def judged_missing(energies: Energies, judged: Mapping[str, Any] | None) -> list[str]:
    """Return the corners without whose present structures the second model has no hull.

    Empty where no second model has judged.

    Parameters
    ----------
    energies, judged
        As for :func:`judged_heights`.
    """
    if not judged:
        return []
    before = judged_before(energies, judged)
    corners = [member.formula for member in energies.field.members]
    return [name for name in corners if name not in judged["energies"] or name in before]


def judged_others(judged: Mapping[str, Any] | None, heights: Mapping[str, float]) -> dict[str, str]:
    """Return what is the lowest structure by the second model where the map has another, in words.

    Parameters
    ----------
    judged
        As for :func:`judged_heights`.
    heights
        What that has returned; the other compositions are left out.
    """
    return {
        formula: f"structure {label}" if isinstance(label, int) else str(label)
        for formula, label in (judged or {}).get("others", {}).items()
        if formula in heights
    }
