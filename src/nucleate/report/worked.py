"""What worked: what came of each source and move of a run, and how often it is drawn now."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nucleate.report.done import MOST_READ
from nucleate.run.policy import read_policy
from nucleate.text import clean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nucleate.run.policy import ArmCount
    from nucleate.run.store import Store

HEADS = ("source", "relaxed", "failed", "considered", "repeats", "new", "low minima", "s each",
         "low per 1000 s", "share at first", "share now")  # fmt: skip
"""Heads of the table; numbers in all columns but the first. ``considered`` are structures
that a surrogate looked at and that were not finished."""


@dataclass(frozen=True, slots=True)
class Worked:
    """What came of a source or move.

    Attributes
    ----------
    name : str
        Generator, or ``move:`` and the name of the move.
    count : ArmCount
        What came of it.
    at_first, now : float
        Share of the draws at first, and now from the best structure.
    """

    name: str
    count: ArmCount
    at_first: float
    now: float

    @property
    def per_second(self) -> float | None:
        """New low minima per second of relaxation and of a surrogate; None where none took any."""
        seconds = self.count.wall_s + self.count.considered_s
        return self.count.low / seconds if seconds > 0.0 else None

    def to_data(self) -> dict[str, Any]:
        """Return it JSON-ready."""
        count = self.count
        return {
            "source": self.name,
            "relaxed": count.relaxed,
            "failed": count.failed,
            "considered": count.considered,
            "repeats": count.repeats,
            "new_minima": count.new,
            "low_minima": round(count.low, 3),
            "relaxation_s": round(count.wall_s, 3),
            "considered_s": round(count.considered_s, 3),
            "share_at_first": round(self.at_first, 5),
            "share_now": round(self.now, 5),
        }

    def cells(self) -> tuple[str, ...]:
        """Return its row under :data:`HEADS`."""
        count, rate = self.count, self.per_second
        tried = count.relaxed + count.failed
        return (
            clean(self.name),
            str(count.relaxed),
            str(count.failed),
            str(count.considered),
            str(count.repeats),
            str(count.new),
            f"{count.low:.1f}",
            f"{count.wall_s / tried:.2f}" if tried else "",
            f"{1000.0 * rate:.2f}" if rate is not None else "",
            f"{100.0 * self.at_first:.1f} %",
            f"{100.0 * self.now:.1f} %",
        )


def what_worked(store: Store) -> tuple[str, list[Worked]]:
    """Return the kind of the policy of a run, and its sources and moves, the most used first.

    Sources and moves that are off and were never used are left out; the kind is empty for a run
    without any, and of more than 50,000 records.
    """
    if store.n_records() > MOST_READ:
        return "", []
    view = read_policy(store)
    if view is None:
        return "", []
    rows = [
        Worked(arm, view.counts[arm], at_first, now)
        for arm, at_first, now in zip(view.arms, view.weights, view.chances, strict=True)
    ]
    used = [row for row in rows if row.at_first > 0.0 or row.count.tried]
    used.sort(key=lambda row: (-row.count.low, -row.count.relaxed))
    return view.kind, used


def best_arms_in_words(policy: str, rows: Sequence[Worked], *, most: int = 4) -> str:
    """Return what gave most low minima per second, and what is drawn most where that is learned."""
    rated = [row for row in rows if row.per_second]
    rated.sort(key=lambda row: -(row.per_second or 0.0))
    rates = [(row, 1000.0 * (row.per_second or 0.0)) for row in rated[:most]]
    words = [
        f"{clean(row.name)} {rate:,.0f}" if rate >= 1000.0 else f"{clean(row.name)} {rate:.3g}"
        for row, rate in rates
    ]
    text = f"low minima per 1000 s: {', '.join(words)}" if words else ""
    if text and policy != "fixed":
        often = max(rows, key=lambda row: row.now)
        text += f"; {policy} draws {clean(often.name)} most ({100.0 * often.now:.0f} %)"
    return text
