"""A record: one candidate with everything that came of it, and what the search made of it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from nucleate.relax.outcome import Failed, FailReason, Relaxed

if TYPE_CHECKING:
    from collections.abc import Collection

    from nucleate.crystal.candidate import Candidate
    from nucleate.crystal.crystal import Crystal
    from nucleate.relax.outcome import Outcome


@dataclass(frozen=True, slots=True, eq=False)
class TierOutcome:
    """What one tier of the ladder made of a candidate."""

    tier: str
    outcome: Outcome


@dataclass(frozen=True, slots=True, eq=False)
class Record:
    """A candidate that is finished: no tier will see it any more.

    Attributes
    ----------
    number : int
        Candidate number, from 0 on, in the order of proposal.
    candidate : Candidate
        The crystal as proposed, and its origin.
    outcomes : tuple of TierOutcome
        One for each tier that saw it, in the order of the ladder. Empty for a candidate whose
        starting geometry had been tried before.
    duplicate_of : int or None
        Number of the record that it repeats: at the start (then it was not relaxed) or as relaxed.
    seed : int
        Seed of the run; the candidate was drawn from the stream (seed, number).
    asked_s, finished_s : float
        Seconds of running time of the run when it was proposed and when it was finished.
    core_s : float
        Processor time in seconds that the run had used when it was finished.
    """

    number: int
    candidate: Candidate
    outcomes: tuple[TierOutcome, ...] = ()
    duplicate_of: int | None = None
    seed: int = 0
    asked_s: float = 0.0
    finished_s: float = 0.0
    core_s: float = 0.0

    @property
    def last_relaxed(self) -> TierOutcome | None:
        """The last tier that gave an energy, on which a record is ranked; None where none did."""
        for item in reversed(self.outcomes):
            if isinstance(item.outcome, Relaxed):
                return item
        return None

    @property
    def tier(self) -> str | None:
        """Name of the last tier that gave an energy."""
        last = self.last_relaxed
        return None if last is None else last.tier

    @property
    def relaxed(self) -> Relaxed | None:
        """Outcome of the last tier that gave an energy."""
        last = self.last_relaxed
        return last.outcome if last is not None and isinstance(last.outcome, Relaxed) else None

    def relaxed_by(self, tier: str) -> Relaxed | None:
        """Return what a tier made of it; None if it gave no energy."""
        for item in self.outcomes:
            if item.tier == tier and isinstance(item.outcome, Relaxed):
                return item.outcome
        return None

    @property
    def failure(self) -> TierOutcome | None:
        """The tier that failed and why; None where none did."""
        for item in self.outcomes:
            if isinstance(item.outcome, Failed):
                return item
        return None

    @property
    def is_screened(self) -> bool:
        """Whether it was considered with a surrogate only, and no tier has relaxed it."""
        first = self.outcomes[0].outcome if self.outcomes else None
        return isinstance(first, Failed) and first.reason is FailReason.SCREENED

    @property
    def stopped_by(self) -> TierOutcome | None:
        """The failure that ended the climb above the last tier with an energy; None if none did."""
        last = self.outcomes[-1] if self.outcomes else None
        return last if last is not None and isinstance(last.outcome, Failed) else None

    def within(self, tiers: Collection[str]) -> Record:
        """Return the record with the outcomes of some tiers only."""
        return replace(self, outcomes=tuple(item for item in self.outcomes if item.tier in tiers))

    @property
    def crystal(self) -> Crystal:
        """The most relaxed geometry there is, else the one proposed."""
        relaxed = self.relaxed
        return self.candidate.crystal if relaxed is None else relaxed.crystal

    def enthalpies(self) -> dict[str, float]:
        """Return the enthalpy in eV/atom of each tier that gave one."""
        return {
            item.tier: item.outcome.enthalpy_per_atom
            for item in self.outcomes
            if isinstance(item.outcome, Relaxed)
        }


@dataclass(frozen=True, slots=True)
class SearchUpdate:
    """What the search made of a record.

    Attributes
    ----------
    accepted : bool
        The walk continues from this record.
    new_minimum : bool
        It is the new best structure.
    duplicate_of : int or None
        Number of the record that it repeats.
    melted : bool
        The walk is in its melted phase after this record.
    temperature : float
        Metropolis temperature in eV/atom after this record.
    current, best : int or None
        Numbers of the record the walk stands on and of the best one, after this record.
    is_target : bool
        It is the target structure.
    memo : bytes
        What the search wants to have back when the run is continued; nobody else reads it.
    """

    accepted: bool = False
    new_minimum: bool = False
    duplicate_of: int | None = None
    melted: bool = False
    temperature: float = 0.0
    current: int | None = None
    best: int | None = None
    is_target: bool = False
    memo: bytes = field(default=b"", compare=False, repr=False)
