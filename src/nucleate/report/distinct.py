"""Distinct polished structures and their families."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nucleate.crystal.matching import Comparable, displacement, is_distortion
from nucleate.relax.outcome import Relaxed
from nucleate.report.findings import Copy
from nucleate.search.polished import POLISHED, SAME_ENERGY, SYMMETRISED

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from nucleate.search.record import Record

LEVEL_EV_PER_ATOM = 0.001
"""eV/atom within which the member of highest symmetry stands for a family."""

SAME_STRUCTURE_EV_PER_ATOM = 0.005
"""Structures further apart in energy are different whatever their sites say."""


@dataclass(frozen=True, slots=True, eq=False)
class Polished:
    """A polished geometry.

    Attributes
    ----------
    record : Record
        Its record.
    tier : str
        Tier of the polish.
    relaxed : Relaxed
        The outcome.
    shape : Comparable
        What it is compared by.
    """

    record: Record
    tier: str
    relaxed: Relaxed
    shape: Comparable

    @property
    def enthalpy(self) -> float:
        """Enthalpy in eV/atom."""
        return self.relaxed.enthalpy_per_atom


@dataclass(frozen=True, slots=True, eq=False)
class Distinct:
    """A structure with the polished geometries that are the same."""

    best: Polished
    same: tuple[Copy, ...]


def polished_of(records: Iterable[Record], window: float) -> list[Polished]:
    """Return the polished geometries, lowest first.

    Of the two of a record the higher one only within a window in eV/atom of the lower.
    """
    inside: list[tuple[Record, str, Relaxed]] = []
    for record in records:
        own = [
            (record, item.tier, item.outcome)
            for item in record.outcomes
            if item.tier in POLISHED and isinstance(item.outcome, Relaxed)
        ]
        lowest = min((outcome.enthalpy_per_atom for *_, outcome in own), default=0.0)
        inside += [item for item in own if item[2].enthalpy_per_atom <= lowest + window]
    inside.sort(key=lambda item: (item[2].enthalpy_per_atom, item[0].number, item[1]))
    return [
        Polished(record, tier, outcome, Comparable.of(outcome.crystal))
        for record, tier, outcome in inside
    ]


def distinct(polished: Sequence[Polished], tolerance: float) -> list[Distinct]:
    """Return the distinct structures.

    Parameters
    ----------
    polished
        The lowest first.
    tolerance
        Largest displacement of the same structure, in the measure of
        :func:`nucleate.crystal.matching.displacement`.
    """
    groups: list[list[tuple[Polished, float]]] = []
    for item in polished:
        for group in groups:
            first = group[0][0]
            if item.enthalpy - first.enthalpy > SAME_STRUCTURE_EV_PER_ATOM:
                continue
            distance = displacement(item.shape, first.shape)
            if distance is not None and distance <= tolerance:
                group.append((item, distance))
                break
        else:
            groups.append([(item, 0.0)])
    return [_distinct(group) for group in groups]


def _distinct(group: Sequence[tuple[Polished, float]]) -> Distinct:
    """Let the geometry of highest symmetry among the lowest stand for all."""
    lowest = group[0][0].enthalpy
    level = [item for item, _ in group if item.enthalpy <= lowest + SAME_ENERGY]
    best = max(level, key=lambda item: (item.shape.symmetry, item.tier == SYMMETRISED))
    return Distinct(
        best,
        tuple(
            Copy(item.record.number, item.tier, round(distance, 4))
            for item, distance in group
            if item is not best
        ),
    )


def families(items: Sequence[Distinct]) -> list[list[int]]:
    """Return the places of structures that are distortions of one another, family by family.

    The structures of highest symmetry are looked at first, so that they lead their families.
    """
    order = sorted(range(len(items)), key=lambda k: (-items[k].best.shape.symmetry, k))
    found: list[list[int]] = []
    for place in order:
        low = items[place].best.shape
        for family in found:
            if any(is_distortion(low, items[other].best.shape) for other in family):
                family.append(place)
                break
        else:
            found.append([place])
    return found


def in_family_order(
    family: Sequence[int], items: Sequence[Distinct], scores: Sequence[float]
) -> list[int]:
    """Return the members of a family, the one that stands for it first.

    That is the one of highest symmetry within 1 meV/atom of the best by score; the others follow
    by score, the lowest first.
    """
    ordered = sorted(family, key=lambda place: (scores[place], place))
    best = items[ordered[0]].best.enthalpy
    level = [
        place for place in ordered if abs(items[place].best.enthalpy - best) <= LEVEL_EV_PER_ATOM
    ]
    leader = max(level, key=lambda place: items[place].best.shape.symmetry)
    return [leader, *(place for place in ordered if place != leader)]
