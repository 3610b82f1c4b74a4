"""The ranked list of distinct structures of a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nucleate.crystal.fingerprint import fingerprint, fingerprint_distance
from nucleate.crystal.symmetry import SYMPREC_LADDER, symmetry_report
from nucleate.search.minima import SAME_ENTHALPY, is_same_minimum

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    import numpy as np
    from ase import Atoms
    from pymatgen.core import Structure

    from nucleate.crystal.crystal import Crystal
    from nucleate.crystal.symmetry import SymmetryRung
    from nucleate.relax.outcome import Relaxed
    from nucleate.search.record import Record, TierOutcome

    Group = tuple[Record, int]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
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

    @property
    def failed(self) -> TierOutcome | None:
        """The tier above that failed, so that it is ranked on the one below; None if none did."""
        return self.record.stopped_by

    @property
    def crystal(self) -> Crystal:
        """Its geometry on that tier."""
        return self.relaxed.crystal

    @property
    def space_group(self) -> str:
        """Short Hermann-Mauguin symbol at the loosest tolerance, 0.1 Å."""
        return self.symmetry[0].symbol

    def to_ase(self) -> Atoms:
        """Return ASE atoms with energy, forces and stress, as :meth:`Relaxed.to_ase`."""
        return self.relaxed.to_ase()

    def to_pymatgen(self) -> Structure:
        """Return a pymatgen structure with energy, forces and stress."""
        return self.relaxed.to_pymatgen()

    def __repr__(self) -> str:
        unit = "eV/atom" if self.relaxed.level.unit == "eV" else "(arbitrary)/atom"
        return (
            f"RankedStructure({self.rank}: {self.crystal.reduced_formula} {self.space_group}, "
            f"{self.relaxed.enthalpy_per_atom:.4f} {unit} by {self.tier}, "
            f"{self.crystal.n_atoms} atoms)"
        )


def rank_structures(
    records: Iterable[Record],
    tiers: Sequence[str],
    *,
    added: Collection[str] = (),
    best: int | None = None,
) -> list[RankedStructure]:
    """Return the distinct structures of a run, best first.

    Parameters
    ----------
    records
        All finished records; those that repeat another name it in ``duplicate_of``.
    tiers
        Names of the tiers in the order of the ladder.
    added
        Those of them that the search did not see: structures that they turned into the same
        minimum are one structure.
    best
        Return at most this number; None returns all.
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
    chosen = _distinct(chosen, added)
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


def _distinct(sorted_groups: Sequence[Group], added: Collection[str]) -> list[Group]:
    """Return the groups with those united that became the same minimum on an added tier."""
    kept: list[Group] = []
    prints: dict[int, np.ndarray] = {}
    for record, copies in sorted_groups:
        same = None
        if record.tier in added:
            prints[record.number] = fingerprint(record.crystal)
            same = next((k for k in reversed(range(len(kept)))
                         if _is_same(record, kept[k][0], prints)), None)  # fmt: skip
        if same is None:
            kept.append((record, copies))
        else:
            kept[same] = (kept[same][0], kept[same][1] + copies)
    return kept


def _is_same(record: Record, other: Record, prints: dict[int, np.ndarray]) -> bool:
    if record.tier != other.tier:
        return False
    ours, theirs = record.relaxed, other.relaxed
    assert ours is not None
    assert theirs is not None
    gap = ours.enthalpy_per_atom - theirs.enthalpy_per_atom
    if abs(gap) >= SAME_ENTHALPY:
        return False
    distance = fingerprint_distance(prints[record.number], prints[other.number])
    return is_same_minimum(distance, gap)


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
