"""Crystals with energies and a split, and the account of what was left out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from nucleate.crystal.crystal import Crystal

SPLITS = ("train", "val", "test")
LISTED = 20


@dataclass(frozen=True, slots=True)
class RawRow:
    """One row of a data file: a crystal and energy, or why there is none.

    Attributes
    ----------
    key : str
        Identifier in the file, else its row number.
    crystal : Crystal or None
        The structure.
    energy : float or None
        eV/atom.
    problem : str
        Short reason of a broken row, empty for a good one.
    split : str
        Split given by the file, empty where it gives none.
    """

    key: str
    crystal: Crystal | None
    energy: float | None
    problem: str = ""
    split: str = ""


@dataclass(slots=True)
class DatasetReport:
    """What was read and what was left out, by reason.

    Attributes
    ----------
    source : str
        File name.
    energy_column : str
        Where the energies came from; empty if there are none.
    rows, kept : int
        Rows in the file; crystals in the data set.
    ignored_columns : list of str
        Columns that nothing was read from.
    left_out : dict
        Reason to identifiers.
    sizes : dict
        Split to number of crystals.
    split_by : str
        Where the split came from.
    """

    source: str
    energy_column: str
    rows: int = 0
    kept: int = 0
    ignored_columns: list[str] = field(default_factory=list)
    left_out: dict[str, list[str]] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    split_by: str = ""

    def leave_out(self, reason: str, key: str) -> None:
        """Count a row as left out."""
        self.left_out.setdefault(reason, []).append(key)

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready counts with the first identifiers of each reason."""
        return {
            "source": self.source,
            "energy_column": self.energy_column,
            "rows": self.rows,
            "kept": self.kept,
            "ignored_columns": self.ignored_columns,
            "split_by": self.split_by,
            "sizes": self.sizes,
            "left_out": {
                reason: {"count": len(keys), "first": keys[:LISTED]}
                for reason, keys in sorted(self.left_out.items())
            },
        }

    def lines(self) -> list[str]:
        """Return the account as lines of text."""
        sizes = ", ".join(f"{name} {count:,}" for name, count in self.sizes.items())
        lines = [
            f"{self.source}: {self.rows:,} rows, {self.kept:,} kept ({sizes}); {self.split_by}"
        ]
        if self.energy_column:
            lines.append(f"energies from {self.energy_column!r}")
        if self.ignored_columns:
            lines.append(f"columns not used: {', '.join(self.ignored_columns)}")
        for reason, keys in sorted(self.left_out.items()):
            more = ", ..." if len(keys) > 3 else ""
            lines.append(f"left out, {reason}: {len(keys):,} ({', '.join(keys[:3])}{more})")
        return lines


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """Screened crystals, with their formation energies where these are needed.

    Attributes
    ----------
    keys : tuple of str
        Identifiers.
    crystals : tuple of Crystal
        Structures.
    energies : ndarray of float32, shape (n,)
        eV/atom, NaN where there is none.
    split : ndarray of str, shape (n,)
        ``train``, ``val`` or ``test``; no formula is in two of them.
    report : DatasetReport
        What was left out.
    unlabelled : tuple of Crystal
        Usable crystals of the training split without an energy, where the file gives a split.
    withheld : frozenset of str
        Reduced formulas of all rows of other splits, usable or not.
    """

    keys: tuple[str, ...]
    crystals: tuple[Crystal, ...]
    energies: NDArray[np.float32]
    split: NDArray[np.str_]
    report: DatasetReport
    unlabelled: tuple[Crystal, ...] = ()
    withheld: frozenset[str] = frozenset()

    def rows(self, split: str) -> NDArray[np.int64]:
        """Return the rows of a split."""
        return np.flatnonzero(self.split == split)

    def elements(self, rows: Sequence[int] | NDArray[np.int64]) -> tuple[int, ...]:
        """Return the atomic numbers that occur in some rows, in order."""
        return tuple(sorted({int(z) for row in rows for z in set(self.crystals[row].numbers)}))
