"""What tables and figures say of a whole run, from numbers alone."""

from __future__ import annotations

from array import array
from collections import Counter
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np

from nucleate.crystal.candidate import family_of
from nucleate.relax.outcome import FailReason
from nucleate.search.polished import JUDGED

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from nucleate.energy.level import LevelOfTheory
    from nucleate.run.store import Store
    from nucleate.search.record import Record, SearchUpdate

    Row = tuple[Any, ...]
    Step = tuple[str, str, str | None, float | None, bool | None, int | None]
    """Tier, status, reason, enthalpy in eV per cell, converged, level."""


@dataclass(frozen=True, slots=True, eq=False)
class Trajectory:
    """The enthalpies of one tier in the order of the search.

    Attributes
    ----------
    enthalpies, current : ndarray of float64, shape (n_records,)
        Enthalpy per atom of each record and of the one that the walk stood on after it; NaN where
        there is none.
    families : list of str
        Generator of each record, or ``moves``.
    melted : ndarray of bool, shape (n_records,)
        Whether the walk was in its melted phase.
    unit : str
        Of the energies.
    """

    enthalpies: NDArray[np.float64]
    current: NDArray[np.float64]
    families: list[str]
    melted: NDArray[np.bool_]
    unit: str

    @classmethod
    def of_told(cls, told: Sequence[tuple[Record, SearchUpdate]], tier: str) -> Trajectory:
        """Return the trajectory of records that were read in full."""
        noted = _Noted()
        unit = None
        for record, update in told:
            relaxed = record.relaxed_by(tier)
            if relaxed is not None and unit is None:
                unit = relaxed.level.unit
            noted.add(
                record.number,
                record.candidate.origin.source,
                np.nan if relaxed is None else relaxed.enthalpy_per_atom,
                update.current,
                melted=update.melted,
            )
        return noted.trajectory(unit or "eV")


@dataclass(slots=True)
class TierCount:
    """What became of the structures of one tier."""

    tried: int = 0
    relaxed: int = 0
    converged: int = 0
    levels: set[int] = field(default_factory=set)


@dataclass(frozen=True, slots=True, eq=False)
class History:
    """What became of all records of a run.

    Attributes
    ----------
    n_records : int
        Finished records, without those that were considered with a surrogate only.
    tiers : dict of str to TierCount
        By tier, in the order of the ladder.
    sources : dict of str to list of int
        By generator or move: records, those with an energy, and those that were the best so far.
    failures : Counter of (str, str)
        By tier and reason.
    levels : dict of int to LevelOfTheory
        By their key.
    trajectory : Trajectory or None
        Of the highest tier of the search itself that gave an energy; None where none did.
    searched : str or None
        That tier.
    """

    n_records: int
    tiers: dict[str, TierCount]
    sources: dict[str, list[int]]
    failures: Counter[tuple[str, str]]
    levels: dict[int, LevelOfTheory]
    trajectory: Trajectory | None
    searched: str | None


def history_of(store: Store, tiers: Sequence[str]) -> History:
    """Return what a store says of its records without reading a geometry.

    Parameters
    ----------
    store
        Open for reading.
    tiers
        The tiers that saw any record, in their order.
    """
    added = set(store.added_tiers())
    counts = {tier: TierCount() for tier in tiers}
    sources: dict[str, list[int]] = {}
    failures: Counter[tuple[str, str]] = Counter()
    noted = {tier: _Noted() for tier in tiers if tier not in added}
    n_records = 0
    for (number, source, n_atoms, current, melted, new), steps in _records(store.history_rows()):
        if any(step[2] == FailReason.SCREENED for step in steps):
            continue
        n_records += 1
        has_energy = False
        # a tier's last outcome is valid; a second model ranks nothing
        by_tier = {step[0]: step for step in steps if step[0] not in JUDGED}
        for tier, status, reason, _, converged, level in by_tier.values():
            count = counts.setdefault(tier, TierCount())
            count.tried += 1
            if status == "relaxed":
                has_energy = True
                count.relaxed += 1
                count.converged += bool(converged)
                count.levels.add(level or 0)
            else:
                failures[tier, str(reason)] += 1
        of_source = sources.setdefault(source, [0, 0, 0])
        of_source[0] += 1
        of_source[1] += has_energy
        of_source[2] += bool(new)
        for tier, points in noted.items():
            step = by_tier.get(tier)
            value = np.nan if step is None or step[1] != "relaxed" else step[3] / n_atoms
            points.add(number, source, value, current, melted=bool(melted))
    searched = next((tier for tier in reversed(noted) if counts[tier].relaxed), None)
    levels = store.levels()
    trajectory = None
    if searched is not None:
        units = [levels[key].unit for key in counts[searched].levels if key in levels]
        trajectory = noted[searched].trajectory(units[0] if units else "eV")
    return History(n_records, counts, sources, failures, levels, trajectory, searched)


def _records(rows: Iterable[Row]) -> Iterator[tuple[Row, list[Any]]]:
    for head, group in groupby(rows, key=lambda row: row[:6]):
        yield head, [row[6:] for row in group if row[6] is not None]


class _Noted:
    """Grows to a trajectory."""

    def __init__(self) -> None:
        self._numbers, self._current = array("q"), array("q")
        self._enthalpies = array("d")
        self._families: list[str] = []
        self._melted = bytearray()

    def add(
        self, number: int, source: str, enthalpy: float, current: int | None, *, melted: bool
    ) -> None:
        self._numbers.append(number)
        self._current.append(-1 if current is None else current)
        self._enthalpies.append(enthalpy)
        self._families.append(family_of(source))
        self._melted.append(melted)

    def trajectory(self, unit: str) -> Trajectory:
        numbers, values = np.array(self._numbers), np.array(self._enthalpies)
        order = np.argsort(numbers)
        current = np.array(self._current)
        places = np.searchsorted(numbers[order], current).clip(max=max(len(numbers) - 1, 0))
        found = np.full(len(numbers), np.nan)
        if len(numbers):
            same = numbers[order][places] == current
            found = np.where(same, values[order][places], np.nan)
        melted = np.frombuffer(bytes(self._melted), dtype=np.bool_)
        return Trajectory(values, found, self._families, melted, unit)
