"""The ranked list of distinct structures of a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nucleate.crystal.symmetry import SYMPREC_LADDER, symmetry_report

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from nucleate.crystal.symmetry import SymmetryRung
    from nucleate.relax.outcome import Relaxed
    from nucleate.search.record import Record


@dataclass(frozen=True, slots=True, eq=False)
class RankedStructure:
    """A distinct structure and its place.

    Attributes
    ----------
    rank : int
        From 1 on: structures that reached a higher tier come first, and within a tier the lowest
        enthalpy per atom.
    record : Record
        The record of lowest enthalpy among those of this structure.
    relaxed : Relaxed
        Its outcome on the last tier it reached.
    tier : str
        That tier.
    above_best : float
        Enthalpy above the best structure of the same tier, in the unit of the tier per atom.
    copies : int
        How many records ended in this structure.
    symmetry : tuple of SymmetryRung
        Space group at each tolerance of the ladder, loosest first.
    """

    rank: int
    record: Record
    relaxed: Relaxed
    tier: str
    above_best: float
    copies: int
    symmetry: tuple[SymmetryRung, ...]


def rank_structures(
    records: Iterable[Record], tiers: Sequence[str], *, best: int | None = None
) -> list[RankedStructure]:
    """Return the distinct structures of a run, best first.

    Parameters
    ----------
    records
        All finished records; those that repeat another name it in ``duplicate_of``.
    tiers
        Names of the tiers in the order of the ladder.
    best
        Return only so many; None returns all.
    """
    groups: dict[int, list[Record]] = {}
    known = {record.number: record for record in records}
    for record in known.values():
        if record.relaxed is not None:
            groups.setdefault(_original(record, known), []).append(record)
    depth = {tier: position for position, tier in enumerate(tiers)}
    lowest_of_each = [
        (min(group, key=lambda item: _order(item, depth)), len(group)) for group in groups.values()
    ]
    chosen = sorted(lowest_of_each, key=lambda pair: _order(pair[0], depth))
    lowest: dict[str, float] = {}
    ranked = []
    for rank, (record, copies) in enumerate(chosen[:best], start=1):
        relaxed, tier = record.relaxed, record.tier
        assert relaxed is not None
        assert tier is not None
        enthalpy = relaxed.enthalpy_per_atom
        above = enthalpy - lowest.setdefault(tier, enthalpy)
        symmetry = symmetry_report(relaxed.crystal, SYMPREC_LADDER)
        ranked.append(RankedStructure(rank, record, relaxed, tier, above, copies, symmetry))
    return ranked


def _original(record: Record, known: dict[int, Record]) -> int:
    seen = {record.number}
    while record.duplicate_of is not None and record.duplicate_of in known:
        record = known[record.duplicate_of]
        if record.number in seen:
            break
        seen.add(record.number)
    return record.number


def _order(record: Record, depth: dict[str, int]) -> tuple[int, float, int]:
    relaxed = record.relaxed
    assert relaxed is not None
    return (-depth.get(record.tier or "", -1), relaxed.enthalpy_per_atom, record.number)
