"""What is done with the minima of a surrogate: a function of seed, numbers and earlier records.

Candidates are judged in the order of their numbers. What may change from one to the next (the fit,
the share that is finished, whether the surrogate chooses) is settled by reviews, each tied to the
number of a record that the search has received and written into the store. Neither the speed of the
workers nor an interruption changes what is finished.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from nucleate.crystal.fingerprint import fingerprint
from nucleate.crystal.known import KnownCrystals
from nucleate.run.learning.evidence import WINDOW, Evidence, Told
from nucleate.run.learning.settings import FIRST_SHARE, LARGEST_SHARE, LEAST_SHARE
from nucleate.run.learning.tables import WANTED, Considered, Decision, Review
from nucleate.search.minima import NEAR_DISTANCE, SAME_ENTHALPY, is_same_minimum

if TYPE_CHECKING:
    from collections.abc import Collection

    from nucleate.run.learning.settings import LearningSettings

OFF_SHARE = 0.5
"""Share of the candidates that are considered while the surrogate does not choose."""

MOST_UNPHYSICAL = 0.5
"""Share of unphysical minima above which the surrogate does not choose."""

POINT_SHARE, DOUBTED_SHARE = 0.1, 0.5
"""Share of the minima, farthest from what was learned, that are evaluated once; and the share of
the promising ones that is doubted until they have been."""

NEW_BEST_EV = 0.02
"""eV/atom by which the best must fall for a review to be due."""

KNOWN = 100
"""Structures with evaluations beyond which fewer teach: their chance is this number over that of
those known. Their number then grows as the square root of the time, and so do the costs of fits."""

CONSIDERED_PER_REVIEW = 10
"""A review is due, too, after this number of candidates for each structure that would make it due
by its evaluations."""

_DRAW, _OFF, _COMPRESS, _TEACH = range(4)


class Screening:
    """Decides what becomes of candidates.

    Parameters
    ----------
    settings : LearningSettings
        Shares and intervals.
    seed : int
        Of the run.
    reviews : list of Review
        Those of earlier starts.
    n_given : int
        Structures of another run whose evaluations it begins with.
    drops_repeats : bool
        Whether what begins at the minimum of a finished candidate is not finished again. A rule of
        stopping that counts how often minima are found needs all of them.
    """

    def __init__(
        self,
        settings: LearningSettings,
        seed: int,
        reviews: list[Review],
        *,
        n_given: int = 0,
        drops_repeats: bool = True,
    ) -> None:
        self._settings = settings
        self._seed = seed
        self.reviews = list(reviews)
        self._pending: list[Review] = []
        self._n_reviews = int(settings.learn_from is not None)  # that of number 0
        self._low: deque[float] = deque(maxlen=WINDOW)
        self._leverages: deque[float] = deque(maxlen=WINDOW)
        self._wanted: deque[float] = deque(maxlen=WINDOW // 2)  # leverages of promising ones
        self._best = np.inf  # when the last review was made
        self._evidence = Evidence()
        self._minima = KnownCrystals()
        self._enthalpies: dict[int, float] = {}
        self._drops_repeats = drops_repeats
        self._learned = self._reviewed = n_given
        self._considered = 0

    def review_of(self, number: int) -> Review | None:
        """Return the review that holds for a candidate; None before the first."""
        place = bisect_right(self.reviews, number, key=lambda review: review.candidate)
        return self.reviews[place - 1] if place else None

    def fit_for(self, number: int) -> int | None:
        """Return the fit with which a candidate is considered; None where it is not."""
        review = self.review_of(number)
        if review is None or (not review.on and self._draw(number, _OFF) >= OFF_SHARE):
            return None
        return review.number

    def is_compressed(self, number: int) -> bool:
        """Return whether a compressed copy of a finished candidate is evaluated too."""
        if self.review_of(number) is None:
            return True
        share = self._settings.compressed_share
        return self._draw(number, _COMPRESS) < share and self.frames(number) > 0

    def frames(self, number: int) -> int:
        """Return how many evaluations of a relaxation are learned.

        Relaxations are shorter after the first fit, and the more is known, the less one teaches.
        """
        frames, review = self._settings.frames, self.review_of(number)
        if review is None:
            return frames
        if not self._teaches(number, review):
            return 0
        return -(-frames // (2 if review.learned < self._settings.explore else 3))

    def _teaches(self, number: int, review: Review) -> bool:
        return self._draw(number, _TEACH) * review.learned < KNOWN

    def _asks_all(self, number: int) -> bool:
        """Return whether all minima that are not finished are evaluated once."""
        review = self.review_of(number)
        return review is not None and review.learned < self._settings.explore

    def rng(self, number: int) -> np.random.Generator:
        """Return the random numbers of a candidate for all that the surrogate adds."""
        return np.random.default_rng([self._seed, number, 26])

    def _draw(self, number: int, place: int) -> float:
        return float(self.rng(number).random(4)[place])

    def decide(self, found: Considered, chance: float | None = None) -> Considered:
        """Decide about the next candidate; must be called in the order of the numbers.

        Parameters
        ----------
        found
            What the surrogate made of it.
        chance
            Of a step of a walk, to be finished. It is finished again where it is a repeat, as a
            walk may return.

        Returns
        -------
        Considered
            With what was decided.
        """
        review = self.review_of(found.number)
        assert review is not None
        drawn = self._draw(found.number, _DRAW)
        if chance is not None:
            passes = drawn < chance
            decision = Decision.PROMISING if passes else self._not_finished(found, review, drawn)
        else:
            decision = self._decision(found, review, drawn)
        repeats = None
        is_promising = decision in (Decision.PROMISING, Decision.DOUBTED)
        if is_promising and self._drops_repeats and chance is None:
            repeats = self._repeated(found)
            decision = decision if repeats is None else Decision.REPEAT
        decided = replace(found, decision=decision, repeats=repeats)
        self.note(decided)
        return decided

    def note(self, found: Considered) -> None:
        """Take a candidate that was decided about into the window, in the order of the numbers."""
        if found.enthalpy is None or found.decision is Decision.REPEAT:
            return
        self._low.append(found.enthalpy)
        is_wanted = found.decision in WANTED
        if found.leverage is not None:
            self._leverages.append(found.leverage)
            if is_wanted and found.decision is not Decision.RANDOM:
                self._wanted.append(found.leverage)
        if is_wanted and found.crystal is not None and self._drops_repeats:
            place = (0, found.enthalpy)
            self._minima.add(found.number, fingerprint(found.crystal), value=place)
            self._enthalpies[found.number] = found.enthalpy

    def _repeated(self, found: Considered) -> int | None:
        """Return the first candidate that came to the same minimum and was wanted; None if none.

        One that was refuted has taught the surrogate another energy there: the next fit has another
        minimum.
        """
        assert found.enthalpy is not None
        if found.crystal is None:
            return None
        near = self._minima.matches(
            fingerprint(found.crystal),
            within=NEAR_DISTANCE,
            value=(0, found.enthalpy),
            value_within=SAME_ENTHALPY,
        )
        for number, distance in near.items():
            if is_same_minimum(distance, found.enthalpy - self._enthalpies[number]):
                return number
        return None

    def _decision(self, found: Considered, review: Review, drawn: float) -> Decision:
        if not review.on:
            return Decision.RANDOM
        if found.enthalpy is not None and self._is_promising(found.enthalpy, review):
            is_doubted = self._is_below(found.enthalpy, review) and _is_among_highest(
                found.leverage, self._wanted, DOUBTED_SHARE
            )
            return Decision.DOUBTED if is_doubted else Decision.PROMISING
        if drawn < self._settings.random_share:
            return Decision.RANDOM
        return self._not_finished(found, review, drawn)

    def _is_promising(self, enthalpy: float, review: Review) -> bool:
        """Return whether a minimum could end near the best; by its rank where that is not known."""
        place = sum(value < enthalpy for value in self._low) / (len(self._low) + 1)
        if self._settings.share is not None or review.limit_ev_per_atom is None:
            return place < review.share
        most = LARGEST_SHARE if self._is_below(enthalpy, review) else LEAST_SHARE
        return place < most

    def _is_below(self, enthalpy: float, review: Review) -> bool:
        """Return whether an enthalpy is below the limit; never where the share is given."""
        limit = review.limit_ev_per_atom
        return self._settings.share is None and limit is not None and enthalpy <= limit

    def confirms(self, number: int, enthalpy: float) -> bool:
        """Return whether a doubted candidate could still end near the best.

        Parameters
        ----------
        number
            Of the candidate.
        enthalpy
            By the first tier at the minimum of the surrogate, in eV/atom.
        """
        review = self.review_of(number)
        limit = None if review is None else review.first_limit_ev_per_atom
        return limit is None or enthalpy <= limit

    def _not_finished(self, found: Considered, review: Review, drawn: float) -> Decision:
        """Return whether a minimum that is not finished is worth one evaluation."""
        if not self._teaches(found.number, review):
            return Decision.LEFT
        if self._asks_all(found.number):
            return Decision.POINT
        if found.leverage is None:
            return Decision.POINT if drawn > 1.0 - POINT_SHARE else Decision.LEFT
        is_far = _is_among_highest(found.leverage, self._leverages, POINT_SHARE)
        return Decision.POINT if is_far else Decision.LEFT

    def told(
        self,
        number: int,
        found: Considered | None,
        first: float | None,
        *,
        learns: bool,
        point: float | None = None,
    ) -> None:
        """Take note of a record that the search receives, in the order of the numbers.

        Parameters
        ----------
        number
            Of the record.
        found
            What the surrogate made of it; None if it was not considered.
        first
            Enthalpy by the first tier in eV/atom; None where it gave none.
        learns
            Whether there are evaluations of it to be learned.
        point
            Enthalpy by the first tier at the minimum of the surrogate; None where it was not asked.
        """
        self._learned += learns
        told = None
        if found is not None:
            self._considered += 1
            told = Told(found.fit, found.enthalpy, self._fair_error(found, first, point))
        self._evidence.take(told, first)
        if self._is_due():
            self._reviewed, self._considered = self._learned, 0
            self._best = self._evidence.best
            self._review(number)

    def _fair_error(
        self, found: Considered, first: float | None, point: float | None
    ) -> float | None:
        """Return the error at a candidate; None if it was asked about for what it seemed worth."""
        review = self.review_of(found.number)
        true = point if first is None else first
        if true is None or found.enthalpy is None or review is None:
            return None
        is_fair = not review.on or self._asks_all(found.number)
        return true - found.enthalpy if is_fair else None

    def _is_due(self) -> bool:
        """Return whether there is enough to learn: the more is known, the more it takes."""
        if not self._reviewed:
            return self._learned >= self._settings.first_fit
        lacking = max(int(self._settings.refit_growth * self._reviewed), 1)
        new = self._learned - self._reviewed
        if new > 0 and self._evidence.best < self._best - NEW_BEST_EV:
            return True  # the limits are those of another best
        return new >= lacking or (new > 0 and self._considered >= CONSIDERED_PER_REVIEW * lacking)

    def _review(self, told: int) -> None:
        """Make the review that is due, unless an earlier start made it."""
        self._n_reviews += 1
        number = self._n_reviews - int(self._settings.learn_from is not None)
        past = [review for review in (*self.reviews, *self._pending) if review.number < number]
        if any(review.number == number for review in self.reviews):
            return
        last_on = -1
        if past and not past[-1].on:
            last_on = max((review.number for review in past if review.on), default=-1)
        correlation, unphysical = self._evidence.correlation(last_on), self._evidence.unphysical
        limits = self._evidence.limits()
        limit, first_limit = (None, None) if limits is None else limits
        self._pending.append(
            Review(
                number=number,
                candidate=-1,
                told=told,
                learned=self._learned,
                share=self._share(limit),
                on=self._is_on(past, correlation, unphysical),
                correlation=correlation,
                unphysical=unphysical,
                error_ev_per_atom=self._evidence.error(),
                limit_ev_per_atom=limit,
                first_limit_ev_per_atom=first_limit,
            )
        )

    def start(self, candidate: int) -> list[Review]:
        """Let the reviews that are due hold from a candidate on, and return them."""
        started = [replace(review, candidate=candidate) for review in self._pending]
        self.reviews += started
        self._pending.clear()
        return started

    def _is_on(self, past: list[Review], correlation: float | None, unphysical: float) -> bool:
        if unphysical > MOST_UNPHYSICAL:
            return False
        is_on = past[-1].on if past else True
        if correlation is None:
            return is_on
        if correlation >= self._settings.off_below:
            return True
        before = past[-1].correlation if past else None
        return is_on and (before is None or before >= self._settings.off_below)  # once is no rule

    def _share(self, limit: float | None) -> float:
        """Return the share of the last candidates that is promising."""
        if self._settings.share is not None:
            return self._settings.share
        if limit is None:
            return FIRST_SHARE
        return min(max(self._evidence.share_below(limit), LEAST_SHARE), LARGEST_SHARE)


def _is_among_highest(value: float | None, others: Collection[float], share: float) -> bool:
    """Return whether a value is among the highest of others, up to a share of them."""
    return value is not None and sum(other > value for other in others) < share * len(others)
