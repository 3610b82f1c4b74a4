"""One row of every table: a structure, what was computed of it, and where it came from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from nucleate.crystal.crystal import Crystal
from nucleate.crystal.symmetry import SYMPREC_LADDER, symmetry_report
from nucleate.errors import InputError
from nucleate.library.library import SHIPPED
from nucleate.relax.outcome import Failed, FailReason, Relaxed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from nucleate.crystal.symmetry import SymmetryRung
    from nucleate.relax.outcome import Outcome
    from nucleate.report.findings import Finding
    from nucleate.report.ranking import RankedStructure
    from nucleate.run.listed_files import FileCrystal
    from nucleate.search.record import Record, SearchUpdate, TierOutcome


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """A structure as it is listed.

    Attributes
    ----------
    crystal : Crystal or None
        The geometry listed: the most relaxed one. None for a file that cannot be read.
    outcome : Relaxed, Failed or None
        What the tier made of it whose energy is listed, or the failure that ended it.
    tier : str
        Name of that tier.
    record : Record or None
        The record of the run.
    update : SearchUpdate or None
        What the search made of the record.
    rank : int or None
        Place among the distinct structures, from 1 on.
    above_best : float or None
        Enthalpy above the best structure of the same tier, in the unit of the tier per atom.
    copies : int or None
        How many records ended in this structure.
    failed : TierOutcome or None
        The failure of a tier, or of the tier above that of a ranked structure.
    symmetry : tuple of SymmetryRung
        Space group at each tolerance, loosest first.
    file, name : str
        Where a structure of a file is from.
    start : Crystal or None
        The structure of a file as it was read.
    finding : Finding or None
        What the final phase of a run found about it.
    fixed : ndarray of bool, shape (n_atoms, 3), or None
        Fractional coordinates of a structure of a file that were held.
    libraries : tuple of str
        Libraries of known structures by which it is named.
    """

    crystal: Crystal | None
    outcome: Outcome | None
    tier: str = ""
    record: Record | None = None
    update: SearchUpdate | None = None
    rank: int | None = None
    above_best: float | None = None
    copies: int | None = None
    failed: TierOutcome | None = None
    symmetry: tuple[SymmetryRung, ...] = ()
    file: str = ""
    name: str = ""
    start: Crystal | None = field(default=None, repr=False)
    finding: Finding | None = None
    fixed: NDArray[np.bool_] | None = field(default=None, repr=False)
    libraries: tuple[str, ...] = (SHIPPED,)

    @property
    def relaxed(self) -> Relaxed | None:
        """The outcome, where it has an energy."""
        return self.outcome if isinstance(self.outcome, Relaxed) else None

    @property
    def failure(self) -> Failed | None:
        """Why the structure, or the tier above its own, has no energy."""
        if isinstance(self.outcome, Failed):
            return self.outcome
        failed = None if self.failed is None else self.failed.outcome
        return failed if isinstance(failed, Failed) else None

    @property
    def origin(self) -> str:
        """Generator, move or file that the structure comes from."""
        return "" if self.record is None else self.record.candidate.origin.source

    def step(self, tier: str) -> Outcome | None:
        """Return what a tier made of the structure, if it saw it."""
        outcomes = () if self.record is None else self.record.outcomes
        return next((item.outcome for item in outcomes if item.tier == tier), None)

    @classmethod
    def of_ranked(cls, item: RankedStructure) -> Row:
        """Return the row of a distinct structure."""
        return cls(
            crystal=item.relaxed.crystal,
            outcome=item.relaxed,
            tier=item.tier,
            record=item.record,
            rank=item.rank,
            above_best=item.above_best,
            copies=item.copies,
            failed=item.failed,
            symmetry=item.symmetry,
            finding=item.finding,
            libraries=item.libraries,
        )

    @classmethod
    def of_record(cls, record: Record, update: SearchUpdate | None = None) -> Row:
        """Return the row of a record, with its last energy and its first failure."""
        last = record.last_relaxed or record.failure
        return cls(
            crystal=record.crystal,
            outcome=None if last is None else last.outcome,
            tier=record.tier or "",
            record=record,
            update=update,
            failed=record.failure,
            symmetry=_symmetry(record.crystal),
        )

    @classmethod
    def of_file(
        cls, item: FileCrystal, record: Record | None, *, with_symmetry: bool = True
    ) -> Row:
        """Return the row of a structure of a file; without a record it is not done yet."""
        start = item.crystal if isinstance(item.crystal, Crystal) else None
        failed = None if record is None else record.failure
        relaxed = None if record is None else record.relaxed
        outcome: Outcome | None = relaxed
        if isinstance(item.crystal, InputError):
            outcome = Failed(FailReason.INVALID, str(item.crystal))
        elif relaxed is None and failed is not None:
            outcome = failed.outcome
        crystal = start if relaxed is None else relaxed.crystal
        return cls(
            crystal=crystal,
            outcome=outcome,
            tier="" if record is None else record.tier or "",
            record=record,
            failed=failed,
            symmetry=_symmetry(crystal)
            if with_symmetry and outcome and crystal is not None
            else (),
            file=item.file,
            name=item.name,
            start=start,
            fixed=item.fixed,
        )


def ranked_rows(ranked: Iterable[RankedStructure]) -> list[Row]:
    """Return the rows of distinct structures, in their order."""
    return [Row.of_ranked(item) for item in ranked]


def record_rows(told: Sequence[tuple[Record, SearchUpdate]]) -> list[Row]:
    """Return a row for every record, in the order in which the search received it."""
    return [Row.of_record(record, update) for record, update in told]


def file_rows(
    items: Iterable[FileCrystal], records: Mapping[int, Record], *, with_symmetry: bool = True
) -> Iterator[Row]:
    """Yield a row for every structure of some files; ``records`` by their place, from 0 on."""
    for place, item in enumerate(items):
        yield Row.of_file(item, records.get(place), with_symmetry=with_symmetry)


def _symmetry(crystal: Crystal) -> tuple[SymmetryRung, ...]:
    return symmetry_report(crystal, SYMPREC_LADDER)
