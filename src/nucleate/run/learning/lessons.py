"""Which evaluations make which fit, and the fits that exist."""

from __future__ import annotations

import base64
import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from nucleate.crystal.crystal import Crystal
from nucleate.errors import InputError
from nucleate.relax.outcome import Failed
from nucleate.run.executor import LESSON, Job
from nucleate.run.learning.tables import FitRow
from nucleate.surrogate.surrogate import Surrogate

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nucleate.run.executor import Finished
    from nucleate.run.learning.screening import Screening
    from nucleate.run.learning.tables import LearningTables

FIRST_KEY = -10
"""Key of the job of fit 0; those of further fits are lower."""

BEFORE = -(1 << 62)
"""Lower than every candidate, those of another run included."""

_log = logging.getLogger(__name__)


class Lessons:
    """Makes the jobs of the fits and keeps what comes of them.

    The worker that learns keeps its normal equations, so that a job needs the new evaluations only.
    One that knows nothing says so, and is sent everything from the first one on, in the same
    batches: what a fit is depends on the records alone.

    Parameters
    ----------
    tables : LearningTables
        Evaluations and fits.
    screening : Screening
        Its reviews say which records a fit has learned.
    elements : iterable of int
        Atomic numbers.
    tier : str
        Name of the first tier.
    """

    def __init__(
        self, tables: LearningTables, screening: Screening, elements: Iterable[int], tier: str
    ) -> None:
        self._tables = tables
        self._screening = screening
        self._elements = sorted({int(z) for z in elements})
        self._tier = tier
        self._fits = {fit.number: _usable(fit) for fit in tables.fits()}
        self._messages: dict[int, str] = {}
        self._taught = -1

    def is_ready(self, number: int) -> bool:
        """Return whether a fit has been made, whatever came of it."""
        return number in self._fits

    def model_for(self, number: int) -> tuple[int, str] | None:
        """Return a fit or, where there is none, the last one before it, with its message."""
        made = [k for k, fit in self._fits.items() if k <= number and fit.data is not None]
        if not made:
            return None
        last = max(made)
        if last not in self._messages:
            data = self._fits[last].data
            assert data is not None
            self._messages[last] = base64.b64encode(data).decode("ascii")
        return last, self._messages[last]

    def job_of(self, number: int) -> Job | None:
        """Return the job of a fit; None if it has been made."""
        if number in self._fits:
            return None
        return self._job(number, min(self._taught + 1, number))

    def _job(self, number: int, first: int) -> Job:
        task: dict[str, Any] = {
            "elements": self._elements,
            "tier": self._tier,
            "batches": [self._batch(k) for k in range(first, number + 1)],
        }
        self._taught = number
        return Job(FIRST_KEY - number, 0, NOTHING, options={LESSON: task})

    def _batch(self, number: int) -> dict[str, Any]:
        """Return the evaluations that a fit learns; batches are counted from 1."""
        told = {review.number: review.told for review in self._screening.reviews}
        groups: list[str] = []
        if number in told:
            after = told.get(number - 1, BEFORE if number == 0 else -1)
            for parts in self._tables.frames(after, told[number]).values():
                groups += [base64.b64encode(data).decode("ascii") for data in parts]
        return {"number": number + 1, "groups": groups}

    def take(self, item: Finished) -> Job | None:
        """Keep a fit; return the job to do instead where the worker lacks earlier evaluations."""
        number = FIRST_KEY - item.job.key
        if "lacks" in item.extra:
            return self._job(number, item.extra["lacks"] - 1)
        if "model" in item.extra:
            data = base64.b64decode(item.extra["model"]) or None
            refused = int(item.extra.get("refused", 0))
            core_s = float(item.extra["core_s"])
            fit = FitRow(number, data, str(item.extra.get("reason", "")), refused, core_s)
        else:
            assert isinstance(item.outcome, Failed)
            fit = FitRow(number, None, f"{item.outcome.reason}: {item.outcome.message}")
        if fit.data is None:
            _log.warning("no fit %d of the surrogate: %s", number, fit.reason)
        self._fits[number] = fit
        self._tables.add_fit(fit)
        return None


def _usable(fit: FitRow) -> FitRow:
    """Return a fit of an earlier start; one without data if another version has made it."""
    if fit.data is None:
        return fit
    try:
        Surrogate.from_bytes(fit.data)
    except InputError as error:
        _log.warning(
            "fit %d of the surrogate is not used: %s An earlier one, or the first tier alone, "
            "takes its place until the next fit.",
            fit.number,
            error,
        )
        return replace(fit, data=None, reason=str(error))
    return fit


NOTHING = Crystal(np.array([1]), 5.0 * np.eye(3), np.zeros((1, 3)))
"""What a job that is no relaxation holds as its crystal."""
