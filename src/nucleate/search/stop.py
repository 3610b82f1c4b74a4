"""The ``[stop]`` section of the input file, and the one place where its rules are checked."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator, Field

from nucleate.tables import Table

if TYPE_CHECKING:
    from nucleate.search.proven import Proven
    from nucleate.search.record import Record
    from nucleate.search.search import SearchProgress
    from nucleate.search.target import Goal

CORE_TIME_SPENT = "the core time is spent"
"""Why a run stopped at its limit of processor time."""

TARGET_FOUND = "the target structure was found"
"""Why a run stopped that was to find one structure."""

TIME_IS_UP = "the time is up"
"""Why a run stopped at its limit of running time."""

NOTHING_DRAWN = (
    "no candidate could be drawn that keeps the limits of the search space. Widen one of those in "
    "[problem]: max_atoms, formula_units, volume_window, min_distances, contact_scale, "
    "isolated_cutoff_ang, space_groups or motif"
)
"""Why a run stopped whose sources had nothing more."""

GRACE_S = 300.0
"""Seconds that a run waits at least, where it must, for its first energy at its time limit."""

_UNITS_S = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def seconds(value: Any) -> Any:
    """Return a duration such as ``90``, ``"90s"``, ``"10m"``, ``"1h30m"`` in seconds."""
    if not isinstance(value, str):
        return value
    text = value.strip().lower()
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return float(text)
    if not re.fullmatch(r"(\d+(\.\d+)?[smhd])+", text):
        raise ValueError(f"{value!r} is not a duration; write one like 90s, 10m or 1h30m")
    return sum(float(n) * _UNITS_S[u] for n, _, u in re.findall(r"(\d+(\.\d+)?)([smhd])", text))


class StopSettings(Table):
    """When a run is over; the first rule that holds ends it."""

    structures: int | None = Field(
        None, ge=1, description="Stop after this many structures, failures included."
    )
    without_improvement: int = Field(
        1000, ge=1, description="Stop after this many structures since the last new best one."
    )
    missed_below: float | None = Field(
        None,
        gt=0.0,
        lt=1.0,
        description="Stop when the estimated chance that a lower minimum was missed is below this; "
        "from how often the 20 lowest minima were found.",
    )
    target: str | None = Field(
        None,
        description="Stop when the structure in this file (CIF, extxyz, POSCAR) is found: a match "
        "at most 2 meV/atom above it, relaxed by the last tier.",
    )
    proven: bool | str = Field(
        False,
        description="Stop when the best structure is as low as everything that proven grids offer: "
        "true proves grids before the search, a file names a certificate of nucleate prove. Ends a "
        "run whose last tier is classical; advice for others.",
    )
    proven_grids: int = Field(
        1000, ge=1, description="Grids that proven = true looks at, cheap ones first."
    )
    time: Annotated[float | None, BeforeValidator(seconds)] = Field(
        None,
        gt=0.0,
        description="Stop after this time, counted from each start: seconds, or like 10m or 2h. "
        "The making of pools and the search count, loading models and compilation do not. A run "
        "without a relaxed structure still waits for its first one, at most 5 minutes or this time "
        "again, whichever is longer.",
    )
    core_time: Annotated[float | None, BeforeValidator(seconds)] = Field(
        None,
        gt=0.0,
        description="Stop when driver and workers have used this much processor time, counted "
        "over all starts: seconds, or like 20m or 2h. Loading models and compilation do not "
        "count.",
    )


@dataclass(slots=True)
class Stop:
    """The rules of ``[stop]`` at work.

    Attributes
    ----------
    structures : int or None
        Structures, failures included.
    without_improvement : int or None
        Structures since the last new best one.
    missed_below : float or None
        Chance that a lower minimum was missed.
    proven : Proven or None
        What is proven on grids.
    time_s : float or None
        Running time of one start.
    core_s : float or None
        Processor time of driver and workers, all starts together.
    target : Goal or None
        Structure, or whatever else, to stop at.
    """

    structures: int | None = None
    without_improvement: int | None = None
    time_s: float | None = None
    core_s: float | None = None
    target: Goal | None = None
    missed_below: float | None = None
    proven: Proven | None = None
    _found: set[int] = field(default_factory=set)
    _has_waited: bool = False

    @classmethod
    def of(
        cls, settings: StopSettings, target: Goal | None = None, proven: Proven | None = None
    ) -> Stop:
        """Return the rules of an input.

        Parameters
        ----------
        settings
            The section of the input.
        target
            What is in the file that ``settings.target`` names.
        proven
            What ``settings.proven`` compares with.
        """
        return cls(
            settings.structures,
            settings.without_improvement,
            settings.time,
            settings.core_time,
            target,
            settings.missed_below,
            proven,
        )

    def note(self, record: Record) -> None:
        """Take note of a finished record."""
        if self.target is not None and self.target.is_found(record):
            self._found.add(record.number)
        if self.proven is not None:
            self.proven.note(record)

    @property
    def is_found(self) -> bool:
        """Whether the target structure was found."""
        return bool(self._found)

    def is_found_by(self, number: int) -> bool:
        """Return whether a record that was noted is the target structure."""
        return number in self._found

    def waits(self, session_s: float) -> bool:
        """Return whether the time is up, so that only the first energy is still waited for."""
        return self.time_s is not None and session_s >= self.time_s

    def reason(
        self,
        progress: SearchProgress,
        *,
        n_finished: int,
        n_failed: int = 0,
        n_relaxed: int = 0,
        session_s: float,
        used_core_s: float,
    ) -> str | None:
        """Return the rule that holds in words, or None.

        Parameters
        ----------
        progress
            Of the search.
        n_finished, n_failed
            Structures that are finished, the search told or not, and the failed ones of them.
        n_relaxed
            Those with an energy; without any a run waits for the first one at its time limit.
        session_s, used_core_s
            Running time of this start; processor time of all.
        """
        if self._found:
            return TARGET_FOUND
        if self.proven is not None and self.proven.holds:
            return "nothing lower is possible on the proven grids"
        if self.structures is not None and n_finished >= self.structures:
            done = f", {n_failed} failed" if n_failed else " were relaxed"
            return f"{n_finished} structures{done}"
        fruitless = progress.since_best
        if self.without_improvement is not None and fruitless >= self.without_improvement:
            return f"{fruitless} structures since the last new minimum"
        missed = None
        if self.missed_below is not None and progress.finds is not None:
            missed = progress.finds.missed()
        if missed is not None and missed.chance < (self.missed_below or 0.0):
            return f"the {missed.in_words()}"
        if self.waits(session_s) and (reason := self._time_reason(session_s, n_relaxed)):
            return reason
        if self.core_s is not None and used_core_s >= self.core_s:
            return CORE_TIME_SPENT
        return None

    def _time_reason(self, session_s: float, n_relaxed: int) -> str | None:
        """Return that the time is up, and for how long the first energy was waited for."""
        time_s = self.time_s or 0.0
        over_s = session_s - time_s
        if not n_relaxed and over_s < max(GRACE_S, time_s):
            self._has_waited = True
            return None
        if not self._has_waited:
            return TIME_IS_UP
        came = "the first energy came" if n_relaxed else "no energy had come"
        return f"{TIME_IS_UP}; {came} {max(over_s, 1.0):.0f} s later"
