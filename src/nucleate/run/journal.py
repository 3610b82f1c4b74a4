"""What a campaign writes down, and what it reads of earlier starts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from nucleate.relax.outcome import Outcome
    from nucleate.run.store import Store
    from nucleate.search.record import Record, SearchUpdate


class Journal:
    """Where a campaign writes; this one writes nothing down."""

    def told(self) -> Iterable[tuple[Record, SearchUpdate]]:
        """Yield the records that the search was told of, in that order."""
        return ()

    def unfinished(self) -> Iterable[Record]:
        """Return the candidates that the search is not told of yet, by number."""
        return ()

    def events(self) -> Iterable[tuple[float, str, dict[str, Any]]]:
        """Yield time in seconds, kind and data of what happened."""
        return ()

    def add_candidate(self, record: Record) -> None:
        """Write a candidate that has just been proposed."""

    def append_outcome(self, number: int, tier: str, outcome: Outcome) -> None:
        """Write what a tier made of a candidate."""

    def add_record(self, record: Record, update: SearchUpdate, *, provisional: bool) -> None:
        """Write that a candidate is finished and what the search made of it."""

    def add_memo(self, number: int, memo: bytes) -> None:
        """Write what the search wants to have back of a record that has no memo yet."""

    def add_event(self, time_s: float, kind: str, data: Mapping[str, Any]) -> None:
        """Write something that happened."""

    def commit(self) -> None:
        """Make everything permanent."""


class StoreJournal(Journal):
    """Writes a run into its store.

    Records that were told provisionally, at the end of an earlier start, count as unfinished: the
    search is told of them again, when it is their turn.

    Parameters
    ----------
    store : Store
        Empty, or that of the run to continue.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        store.withdraw_provisional()

    def told(self) -> Iterable[tuple[Record, SearchUpdate]]:
        """Yield the records that the search was told of, in that order."""
        return self._store.records()

    def unfinished(self) -> Iterable[Record]:
        """Return the candidates that the search is not told of yet, by number."""
        return self._store.unfinished()

    def events(self) -> Iterable[tuple[float, str, dict[str, Any]]]:
        """Yield time in seconds, kind and data of what happened."""
        return self._store.events()

    def add_candidate(self, record: Record) -> None:
        """Write a candidate that has just been proposed."""
        self._store.add_candidate(
            record.number,
            record.candidate,
            asked_s=record.asked_s,
            duplicate_of=record.duplicate_of,
        )

    def append_outcome(self, number: int, tier: str, outcome: Outcome) -> None:
        """Write what a tier made of a candidate."""
        self._store.append_outcome(number, tier, outcome)

    def add_record(self, record: Record, update: SearchUpdate, *, provisional: bool) -> None:
        """Write that a candidate is finished and what the search made of it."""
        self._store.add_record(record, update, provisional=provisional)

    def add_memo(self, number: int, memo: bytes) -> None:
        """Write what the search wants to have back of a record that has no memo yet."""
        self._store.add_memo(number, memo)

    def add_event(self, time_s: float, kind: str, data: Mapping[str, Any]) -> None:
        """Write something that happened."""
        self._store.add_event(time_s, kind, data)

    def commit(self) -> None:
        """Make everything permanent."""
        self._store.commit()


class RefinementJournal(Journal):
    """Adds outcomes to the records of a finished run, and nothing else but its own events."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def events(self) -> Iterable[tuple[float, str, dict[str, Any]]]:
        """Yield what happened to the run, without the processor time, which is the search's."""
        return ((time_s, kind, {}) for time_s, kind, _ in self._store.events())

    def append_outcome(self, number: int, tier: str, outcome: Outcome) -> None:
        """Write what a tier made of a record."""
        self._store.append_outcome(number, tier, outcome)

    def add_event(self, time_s: float, kind: str, data: Mapping[str, Any]) -> None:
        """Write something that happened, as a part of the refinement."""
        self._store.add_event(time_s, f"refine-{kind}", data)

    def commit(self) -> None:
        """Make everything permanent."""
        self._store.commit()
