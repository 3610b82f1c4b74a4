"""The options of a proof."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from nucleate.exact.certificate import Source


@dataclass(frozen=True, slots=True)
class SessionOptions:
    """Options of the command; see its help.

    Attributes
    ----------
    source : ForceField, PairModel, SppLibrary or ClusterExpansion
        Where energies come from.
    cell : tuple of float or None
        a, b, c in Å and three angles in degrees; None scans.
    groups : tuple of int
        Space groups; empty for the likely ones, or 1 with a cell.
    grid, formula_units
        For a cell that was given.
    max_atoms, keep, contacts, limit_s, time_s, memory_mb, seed
        As in the command.
    folder : Path
        Where certificate, structures and the state of the scan go.
    """

    source: Source
    folder: Path
    cell: tuple[float, ...] | None = None
    groups: tuple[int, ...] = ()
    grid: tuple[int, int, int] | None = None
    formula_units: int | None = None
    max_atoms: int = 14
    keep: int = 3
    contacts: float = 1.0
    limit_s: float = 60.0
    time_s: float = 1800.0
    memory_mb: float = 4000.0
    seed: int = 0
