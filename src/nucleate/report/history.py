"""What tables and figures say of a whole run, from numbers alone."""

from __future__ import annotations

from array import array
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from nucleate.crystal.candidate import family_of
from nucleate.relax.outcome import FailReason
from nucleate.search.polished import JUDGED

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from nucleate.energy.level import LevelOfTheory
    from nucleate.run.store import Store
    from nucleate.search.record import Record, SearchUpdate

    Row = tuple[Any, ...]


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
        noted = _Noted((tier,))
        unit = None
        for record, update in told:
            relaxed = record.relaxed_by(tier)
            if relaxed is not None:
                unit = unit or relaxed.level.unit
                noted.enthalpies[tier].append(relaxed.enthalpy_per_atom)
            else:
                noted.enthalpies[tier].append(np.nan)
            source = record.candidate.origin.source
            noted.add(record.number, source, update.current, melted=update.melted)
        return noted.trajectory(tier, unit or "eV")


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
    n_repeats : int
        Records that no tier saw, because they repeat others.
    """

    n_records: int
    tiers: dict[str, TierCount]
    sources: dict[str, list[int]]
    failures: Counter[tuple[str, str]]
    levels: dict[int, LevelOfTheory]
    trajectory: Trajectory | None
    searched: str | None
    n_repeats: int = 0


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
    noted = _Noted([tier for tier in tiers if tier not in added])
    n_records = n_repeats = 0
    for (number, source, n_atoms, current, melted, new, *_), by_tier in _records(store):
        if any(row[-4] == FailReason.SCREENED for row in by_tier.values()):
            continue
        n_records += 1
        n_repeats += not by_tier
        has_energy = False
        for tier, (*_, status, reason, _, converged, level) in by_tier.items():
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
        for tier, values in noted.enthalpies.items():
            step = by_tier.get(tier)
            has_value = step is not None and step[7] == "relaxed"
            values.append(step[9] / n_atoms if has_value else np.nan)
        noted.add(number, source, current, melted=bool(melted))
    searched = next((tier for tier in reversed(noted.enthalpies) if counts[tier].relaxed), None)
    levels = store.levels()
    trajectory = None
    if searched is not None:
        units = [levels[key].unit for key in counts[searched].levels if key in levels]
        trajectory = noted.trajectory(searched, units[0] if units else "eV")
    return History(n_records, counts, sources, failures, levels, trajectory, searched, n_repeats)


def drawn_trajectory(store: Store) -> tuple[Trajectory, str] | None:
    """Return the trajectory of :func:`history_of` without the walk, and its tier.

    It takes a third of the time; ``current`` and ``melted`` are empty. None where no tier of the
    search gave an energy.
    """
    added = set(store.added_tiers())
    for tier in [name for name in reversed(store.tiers_seen()) if name not in added]:
        rows = {row[0]: row for row in store.trajectory_rows(tier)}  # the last outcome is valid
        values = np.array(
            [row[4] / row[2] if row[3] == "relaxed" else np.nan for row in rows.values()]
        )
        if not np.isfinite(values).any():
            continue
        families = {source: family_of(source) for source in {row[1] for row in rows.values()}}
        names = [families[row[1]] for row in rows.values()]
        level = store.levels().get(next(row[5] for row in rows.values() if row[3] == "relaxed"))
        empty, unit = np.array([]), "eV" if level is None else level.unit
        return Trajectory(values, empty, names, empty.astype(bool), unit), tier
    return None


def _records(store: Store) -> Iterator[tuple[Row, dict[str, Row]]]:
    """Yield the first row of each record, and by tier the row of its valid outcome.

    A tier's last outcome is valid; a second model ranks nothing.
    """
    head: Row | None = None
    by_tier: dict[str, Row] = {}
    for row in store.history_rows():
        if head is None or row[0] != head[0]:
            if head is not None:
                yield head, by_tier
            head, by_tier = row, {}
        if row[6] is not None and row[6] not in JUDGED:
            by_tier[row[6]] = row
    if head is not None:
        yield head, by_tier


class _Noted:
    """Grows to a trajectory for each tier.

    Parameters
    ----------
    tiers
        Names; ``enthalpies`` has an array for each, to which one value is added per record.
    """

    def __init__(self, tiers: Sequence[str]) -> None:
        self.enthalpies = {tier: array("d") for tier in tiers}
        self._numbers, self._current = array("q"), array("q")
        self._families: list[str] = []
        self._family_of: dict[str, str] = {}
        self._melted = bytearray()

    def add(self, number: int, source: str, current: int | None, *, melted: bool) -> None:
        """Take note of a record."""
        self._numbers.append(number)
        self._current.append(-1 if current is None else current)
        family = self._family_of.get(source)
        if family is None:
            family = self._family_of[source] = family_of(source)
        self._families.append(family)
        self._melted.append(melted)

    def trajectory(self, tier: str, unit: str) -> Trajectory:
        """Return the trajectory of a tier."""
        numbers, values = np.array(self._numbers), np.array(self.enthalpies[tier])
        order = np.argsort(numbers)
        current = np.array(self._current)
        places = np.searchsorted(numbers[order], current).clip(max=max(len(numbers) - 1, 0))
        found = np.full(len(numbers), np.nan)
        if len(numbers):
            same = numbers[order][places] == current
            found = np.where(same, values[order][places], np.nan)
        melted = np.frombuffer(bytes(self._melted), dtype=np.bool_)
        return Trajectory(values, found, self._families, melted, unit)
