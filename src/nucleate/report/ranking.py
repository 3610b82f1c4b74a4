"""The ranked list of distinct structures of a run."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from nucleate.crystal.fingerprint import fingerprint, fingerprint_distance
from nucleate.crystal.symmetry import SYMPREC_LADDER, symmetry_report
from nucleate.library.library import SHIPPED
from nucleate.search.minima import SAME_ENTHALPY, is_same_minimum
from nucleate.search.polished import POLISHED, RATTLED, level_of_tier, lower_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    import numpy as np
    from ase import Atoms
    from numpy.typing import NDArray
    from pymatgen.core import Structure

    from nucleate.crystal.crystal import Crystal
    from nucleate.crystal.symmetry import SymmetryRung
    from nucleate.energy.level import LevelOfTheory
    from nucleate.relax.outcome import Relaxed
    from nucleate.report.findings import Finding, Findings
    from nucleate.search.record import Record, TierOutcome

    Scale = tuple[str, LevelOfTheory]
    Prints = dict[tuple[int, str], NDArray[np.float32]]


LIKELY, ENERGY = "likely", "energy"
"""Orders of a list."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class RankedStructure:
    """A distinct structure and its place.

    Attributes
    ----------
    rank : int
        From 1 on: structures that reached a higher tier come first. Polished ones are in the order
        of the final phase, others in that of their enthalpies per atom.
    record : Record
        The record of lowest enthalpy among those of this structure.
    relaxed : Relaxed
        Its outcome on the last tier it reached.
    tier : str
        That tier.
    above_best : float
        Enthalpy above the lowest of the same model, in its unit per atom.
    copies : int
        How many records ended in this structure.
    symmetry : tuple of SymmetryRung
        Space group at each tolerance of the ladder, loosest first.
    finding : Finding or None
        What the final phase found about it; None where it was not polished.
    libraries : tuple of str
        Libraries of known structures by which it is named.
    """

    rank: int
    record: Record
    relaxed: Relaxed
    tier: str
    above_best: float
    copies: int
    symmetry: tuple[SymmetryRung, ...]
    finding: Finding | None = None
    libraries: tuple[str, ...] = (SHIPPED,)

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


def groups_of(records: Iterable[Record]) -> list[list[Record]]:
    """Return the records with an energy, those together that repeat the same one in the end."""
    groups: dict[int, list[Record]] = {}
    known = {record.number: record for record in records}
    for record in known.values():
        if record.relaxed is not None:
            groups.setdefault(_original(record, known), []).append(record)
    return list(groups.values())


def rank_structures(
    records: Iterable[Record],
    tiers: Sequence[str],
    *,
    added: Collection[str] = (),
    best: int | None = None,
    findings: Findings | None = None,
    order: str = LIKELY,
    unread: Mapping[int, int] | None = None,
    libraries: tuple[str, ...] = (SHIPPED,),
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
    findings
        What the final phase found. Without it polished structures are compared by fingerprints.
    order
        ``likely``: polished structures in the order of the findings; ``energy``: by enthalpy.
    unread
        How many copies of a record are not among the records.
    libraries
        Libraries of known structures by which they are named.
    """
    size = _Size(unread or {})
    depth = {level_of_tier(tier): position for position, tier in enumerate(tiers)}
    groups = groups_of(records)
    chosen, rest = ([], groups) if findings is None else judged_groups(groups, findings, size)
    plain = [_Entry.of(min(group, key=lambda item: _order(item, depth)), size(group))
             for group in rest]  # fmt: skip
    entries = _distinct(sorted([*chosen, *plain], key=lambda item: item.order(depth, order)), added)
    polished_from = next((tier for tier in reversed(tiers) if tier not in added), "")
    lowest: dict[Scale, float] = {}
    for item in entries:
        scale, enthalpy = item.scale(polished_from), item.relaxed.enthalpy_per_atom
        lowest[scale] = min(lowest.get(scale, enthalpy), enthalpy)
    return [
        RankedStructure(
            rank,
            item.record,
            item.relaxed,
            item.tier,
            item.relaxed.enthalpy_per_atom - lowest[item.scale(polished_from)],
            item.copies,
            symmetry_report(item.relaxed.crystal, SYMPREC_LADDER),
            item.finding,
            libraries,
        )
        for rank, item in enumerate(entries[:best], start=1)
    ]


@dataclass(frozen=True, slots=True)
class _Size:
    """The number of records of a group, with those that were not read."""

    unread: Mapping[int, int]

    def __call__(self, group: Sequence[Record]) -> int:
        return len(group) + sum(self.unread.get(record.number, 0) for record in group)


@dataclass(frozen=True, slots=True, eq=False)
class _Entry:
    """A structure on its way into the list."""

    record: Record
    relaxed: Relaxed
    tier: str
    copies: int
    finding: Finding | None = None
    place: int = 0

    @classmethod
    def of(cls, record: Record, copies: int) -> _Entry:
        relaxed, tier = record.relaxed, record.tier
        assert relaxed is not None
        assert tier is not None
        return cls(record, relaxed, tier, copies)

    def scale(self, polished_from: str) -> Scale:
        """Return what shares a zero of energy: a tier, or the polish with the tier below it."""
        name = RATTLED if self.tier in (*POLISHED, polished_from) else self.tier
        return name, self.relaxed.level

    def order(self, depth: Mapping[str, int], order: str) -> tuple[int, int, float, int]:
        """Return the sorting key: higher tiers first, then the findings, then the enthalpy."""
        place = self.place if order == LIKELY and self.tier in POLISHED else 0
        enthalpy = self.relaxed.enthalpy_per_atom
        return -depth.get(level_of_tier(self.tier), -1), place, enthalpy, self.record.number


def judged_groups(
    groups: Iterable[list[Record]],
    findings: Findings,
    size: Callable[[Sequence[Record]], int] = len,
) -> tuple[list[_Entry], list[list[Record]]]:
    """Return the structures of the final phase with their copies, and the groups without one."""
    places = findings.places
    copies = [0] * len(findings.rows)
    found: dict[int, Record] = {}
    rest = []
    for group in groups:
        own = sorted(places[key] for record in group if (key := polished_key(record)) in places)
        if not own:
            rest.append(group)
            continue
        for place in own:
            copies[place] += 1
        copies[own[0]] += size(group) - len(own)
        found |= {record.number: record for record in group}
    entries = []
    for place, row in enumerate(findings.rows):
        record = found.get(row.record)
        relaxed = None if record is None else record.relaxed_by(row.tier)
        if record is None or relaxed is None:
            continue
        tier = row.tier
        if polished_key(record) == row.key and record.tier not in POLISHED:
            assert record.relaxed is not None
            assert record.tier is not None
            relaxed, tier = record.relaxed, record.tier  # of a tier above
        entries.append(_Entry(record, relaxed, tier, copies[place], row, place))
    return entries, rest


def polished_key(record: Record) -> tuple[int, str]:
    """Return number and tier of the polished geometry of a record that counts."""
    polished = [item for item in record.outcomes if item.tier in POLISHED]
    winner = lower_of(polished)
    return record.number, "" if winner is None else winner.tier


def _distinct(entries: Sequence[_Entry], added: Collection[str]) -> list[_Entry]:
    """Return the entries with those united that became the same minimum on an added tier."""
    kept: list[_Entry] = []
    prints: Prints = {}
    for entry in entries:
        same = None
        if entry.tier in added:
            same = next((k for k in reversed(range(len(kept)))
                         if _is_same(entry, kept[k], prints)), None)  # fmt: skip
        if same is None:
            kept.append(entry)
        else:
            kept[same] = replace(kept[same], copies=kept[same].copies + entry.copies)
    return kept


def _is_same(entry: _Entry, other: _Entry, prints: Prints) -> bool:
    if entry.tier != other.tier or (entry.tier in POLISHED and entry.finding is not None):
        return False
    gap = entry.relaxed.enthalpy_per_atom - other.relaxed.enthalpy_per_atom
    if abs(gap) >= SAME_ENTHALPY:
        return False
    distance = fingerprint_distance(_print_of(entry, prints), _print_of(other, prints))
    return is_same_minimum(distance, gap)


def _print_of(entry: _Entry, prints: Prints) -> NDArray[np.float32]:
    """Return the fingerprint of an entry, made when it is needed: the first one takes long."""
    key = entry.record.number, entry.tier
    if key not in prints:
        prints[key] = fingerprint(entry.relaxed.crystal)
    return prints[key]


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
    return (
        -depth.get(level_of_tier(record.tier or ""), -1),
        relaxed.enthalpy_per_atom,
        record.number,
    )
