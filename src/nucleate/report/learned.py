"""What a surrogate did in a run: its fits, their errors, what was considered and finished."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from nucleate.errors import InputError
from nucleate.run.learning.screening import MOST_UNPHYSICAL
from nucleate.run.learning.tables import FINISHES, LearningTables, holds_learning
from nucleate.surrogate.surrogate import Surrogate

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nucleate.run.learning.tables import FitRow, Review
    from nucleate.run.store import Store
    from nucleate.surrogate.errors import Errors


@dataclass(frozen=True, slots=True)
class LearnedFit:
    """A fit, and what was decided with it.

    Attributes
    ----------
    number, record : int
        Of the fit, and of the last record that it has learned.
    frames : int
        Evaluations learned; 0 where there is no fit.
    error_mev_per_atom, spearman : float or None
        Root mean square error near minima, and rank correlation there, on the evaluations that
        came next, which it had not learned; None for the last fit.
    share : float
        Share of the candidates that were promising.
    on : bool
        Whether it chose.
    correlation : float or None
        Of surrogate and first tier among the candidates, by which that was decided.
    unphysical : float
        Share of unphysical minima by which that was decided.
    reason : str
        Why there is no fit, or empty.
    core_s : float
        Processor time of the fit in seconds.
    """

    number: int
    record: int
    frames: int
    error_mev_per_atom: float | None
    spearman: float | None
    share: float
    on: bool
    correlation: float | None
    unphysical: float = 0.0
    reason: str = ""
    core_s: float = 0.0

    def cells(self) -> tuple[str, ...]:
        """Return one line of the table of fits; see :data:`HEADS`."""
        state = f"none: {self.reason}" if self.reason else "chooses" if self.on else "off"
        return (
            str(self.number),
            str(self.record) if self.record >= 0 else "another run",
            str(self.frames),
            "" if self.error_mev_per_atom is None else f"{self.error_mev_per_atom:.0f}",
            "" if self.spearman is None else f"{self.spearman:.2f}",
            "" if self.correlation is None else f"{self.correlation:.2f}",
            f"{100 * self.share:.0f} %",
            state,
        )


HEADS = (
    "fit", "after record", "evaluations learned", "error near minima, meV/atom", "ρ there",
    "correlation among candidates", "share promising", "state",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Learned:
    """What a surrogate did in a run.

    Attributes
    ----------
    fits : tuple of LearnedFit
        In their order.
    decisions : dict of str to int
        Candidates that it considered, by what was decided.
    core_s : float
        Processor time of the whole run in seconds.
    """

    fits: tuple[LearnedFit, ...]
    decisions: dict[str, int]
    core_s: float

    @property
    def n_considered(self) -> int:
        """Candidates that went to a minimum of the surrogate, or failed to."""
        return sum(self.decisions.values())

    @property
    def n_finished(self) -> int:
        """Those of them that went to the first tier."""
        return sum(self.decisions.get(decision, 0) for decision in FINISHES)

    def in_words(self) -> str:
        """Return its state in a sentence or two."""
        if not self.fits:
            return "surrogate: no fit yet; all structures are relaxed by the first tier"
        last = self.fits[-1]
        made = [fit for fit in self.fits if not fit.reason]
        parts = [f"surrogate: fit {made[-1].number}" if made else "surrogate: no fit"]
        tested = [fit for fit in made if fit.error_mev_per_atom is not None]
        if tested:
            error, number = tested[-1].error_mev_per_atom, tested[-1].number
            parts.append(f"error of fit {number} near minima {error:.0f} meV/atom")
        if self.n_considered:
            share = 100.0 * self.n_finished / self.n_considered
            parts.append(f"{self.n_considered} considered, {share:.0f} % of them finished")
            if self.core_s > 0.0:
                parts.append(f"{3600.0 * self.n_considered / self.core_s:.0f} per core-hour")
        words = ", ".join(parts)
        if last.reason:
            return f"{words}. The last fit failed: {last.reason}"
        if not last.on and last.unphysical > MOST_UNPHYSICAL:
            return f"{words}. Switched off: {last.unphysical:.0%} of its minima are unphysical"
        if not last.on:
            value = "" if last.correlation is None else f" (correlation {last.correlation:.2f})"
            return f"{words}. Switched off: it does not order structures as the first tier{value}"
        return words

    def to_data(self) -> dict[str, Any]:
        """Return JSON-ready facts."""
        from dataclasses import asdict

        return {
            "considered": self.n_considered,
            "finished": self.n_finished,
            "fits_core_s": sum(fit.core_s for fit in self.fits),
            "decisions": dict(self.decisions),
            "fits": [asdict(fit) for fit in self.fits],
            "words": self.in_words(),
        }


def learned_of(store: Store, core_s: float) -> Learned | None:
    """Return what the surrogate of a run did; None for a run without one."""
    if not holds_learning(store):
        return None
    tables = LearningTables(store)
    rows = {row.number: row for row in tables.fits()}
    read = {number: _read(row) for number, row in rows.items()}
    errors = errors_of({number: fit for number, fit in read.items() if isinstance(fit, Surrogate)})
    made = tuple(
        _fit(review, rows[review.number], read[review.number], errors.get(review.number))
        for review in tables.reviews()
        if review.number in rows
    )
    return Learned(made, tables.counts(), core_s)


def errors_of(fits: Mapping[int, Surrogate]) -> dict[int, Errors | None]:
    """Return the errors of each fit but the last: the one that was made after it holds them."""
    return {before: fits[after].errors for before, after in pairwise(sorted(fits))}


def _read(row: FitRow) -> Surrogate | str:
    """Return a fit, or why there is none."""
    if row.data is None:
        return row.reason
    try:
        return Surrogate.from_bytes(row.data)
    except InputError as error:
        return str(error)


def _fit(review: Review, row: FitRow, made: Surrogate | str, errors: Errors | None) -> LearnedFit:
    is_made = isinstance(made, Surrogate)
    return LearnedFit(
        number=review.number,
        record=review.told,
        frames=made.n_frames if is_made else 0,
        error_mev_per_atom=None if errors is None else errors.rest_mev_per_atom,
        spearman=None if errors is None else errors.spearman,
        share=review.share,
        on=review.on,
        correlation=review.correlation,
        unphysical=review.unphysical,
        reason="" if is_made else made,
        core_s=row.core_s,
    )
