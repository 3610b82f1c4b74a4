"""What is done with the minima of a surrogate: a function of seed, numbers and earlier records.

Candidates are judged in the order of their numbers. What may change from one to the next (the fit,
the share that is finished, whether the surrogate chooses) is settled by reviews, each tied to the
number of a record that the search has received and written into the store. Neither the speed of the
workers nor an interruption changes what is finished.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from nucleate.crystal.fingerprint import fingerprint
from nucleate.crystal.known import KnownCrystals
from nucleate.run.learning.settings import FIRST_SHARE, LARGEST_SHARE, LEAST_SHARE
from nucleate.run.learning.tables import STANDS_FOR, Considered, Decision, Review
from nucleate.search.minima import NEAR_DISTANCE, SAME_ENTHALPY, is_same_minimum
from nucleate.surrogate.errors import rank_correlation

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nucleate.run.learning.settings import LearningSettings

WINDOW = 100
"""Candidates among which one is ranked, and of which the unphysical ones are counted."""

PAIRS, LEAST_PAIRS = 50, 15
"""Finished structures whose ranks are compared, and the least number of them."""

OFF_SHARE = 0.2
"""Share of the candidates that are considered while the surrogate does not choose."""

MOST_UNPHYSICAL = 0.5
"""Share of unphysical minima above which the surrogate does not choose."""

POINT_SHARE, DOUBTED_SHARE = 0.1, 0.25
"""Share of the minima, farthest from what was learned, that are evaluated once; and the share in
which a promising one is doubted until it has been."""

KNOWN = 100
"""Structures with evaluations beyond which fewer teach: their chance is this number over that of
those known. Their number then grows as the square root of the time, and so do the costs of fits."""

INTEREST_EV = 0.05
"""eV/atom above the best structure, up to which candidates are to be finished."""

CONSIDERED_PER_REVIEW = 10
"""A review is due, too, after this number of candidates for each structure that would make it due
by its evaluations."""

_DRAW, _OFF, _COMPRESS, _TEACH = range(4)


@dataclass(frozen=True, slots=True)
class Pair:
    """A finished structure: its fit, and eV/atom by the surrogate and by the first tier."""

    fit: int
    surrogate: float
    first: float


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
        self._told: deque[float | None] = deque(maxlen=WINDOW)
        self._pairs: deque[Pair] = deque(maxlen=PAIRS)
        self._minima = KnownCrystals()
        self._enthalpies: dict[int, float] = {}
        self._drops_repeats = drops_repeats
        self._best = np.inf
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
        if found.leverage is not None:
            self._leverages.append(found.leverage)
        stands = found.decision in STANDS_FOR
        if stands and found.crystal is not None and self._drops_repeats:
            place = (0, found.enthalpy)
            self._minima.add(found.number, fingerprint(found.crystal), value=place)
            self._enthalpies[found.number] = found.enthalpy

    def _repeated(self, found: Considered) -> int | None:
        """Return the first candidate that was finished from the same minimum; None if none was."""
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
            is_doubted = self._is_below(found.enthalpy, review) and self._is_far(
                found.leverage, DOUBTED_SHARE
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

    def _is_far(self, leverage: float | None, share: float) -> bool:
        """Return whether a minimum is among the share of the last that is farthest."""
        if leverage is None:
            return False
        return sum(value > leverage for value in self._leverages) < share * len(self._leverages)

    def confirms(self, number: int, enthalpy: float | None) -> bool:
        """Return whether the first tier, asked once, finds a doubted candidate as low.

        Parameters
        ----------
        number
            Of the candidate.
        enthalpy
            By the first tier at the minimum of the surrogate, in eV/atom; None if it failed.
        """
        review = self.review_of(number)
        return review is not None and enthalpy is not None and self._is_below(enthalpy, review)

    def _not_finished(self, found: Considered, review: Review, drawn: float) -> Decision:
        """Return whether a minimum that is not finished is worth one evaluation."""
        if not self._teaches(found.number, review):
            return Decision.LEFT
        if review.learned < self._settings.explore:
            return Decision.POINT
        if found.leverage is None:
            return Decision.POINT if drawn > 1.0 - POINT_SHARE else Decision.LEFT
        return Decision.POINT if self._is_far(found.leverage, POINT_SHARE) else Decision.LEFT

    def told(
        self, number: int, found: Considered | None, first: float | None, *, learns: bool
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
        """
        self._learned += learns
        if first is not None:
            self._best = min(self._best, first)
        if found is not None:
            self._considered += 1
            self._told.append(found.enthalpy)
            if first is not None and found.enthalpy is not None:
                self._pairs.append(Pair(found.fit, found.enthalpy, first))
        if self._is_due():
            self._reviewed, self._considered = self._learned, 0
            self._review(number)

    def _is_due(self) -> bool:
        """Return whether there is enough to learn: the more is known, the more it takes."""
        if not self._reviewed:
            return self._learned >= self._settings.first_fit
        lacking = max(int(self._settings.refit_growth * self._reviewed), 1)
        new = self._learned - self._reviewed
        return new >= lacking or (new > 0 and self._considered >= CONSIDERED_PER_REVIEW * lacking)

    def _review(self, told: int) -> None:
        """Make the review that is due, unless an earlier start made it."""
        self._n_reviews += 1
        number = self._n_reviews - int(self._settings.learn_from is not None)
        past = [review for review in (*self.reviews, *self._pending) if review.number < number]
        if any(review.number == number for review in self.reviews):
            return
        rank, unphysical, error = self._spearman(past), self._unphysical(), self._error()
        limit = self._limit(error)
        self._pending.append(
            Review(
                number=number,
                candidate=-1,
                told=told,
                learned=self._learned,
                share=self._share(limit),
                on=self._is_on(past, rank, unphysical),
                spearman=rank,
                unphysical=unphysical,
                error_ev_per_atom=error,
                limit_ev_per_atom=limit,
            )
        )

    def start(self, candidate: int) -> list[Review]:
        """Let the reviews that are due hold from a candidate on, and return them."""
        started = [replace(review, candidate=candidate) for review in self._pending]
        self.reviews += started
        self._pending.clear()
        return started

    def _is_on(self, past: list[Review], rank: float | None, unphysical: float) -> bool:
        if unphysical > MOST_UNPHYSICAL:
            return False
        if rank is None:
            return past[-1].on if past else True
        return rank >= self._settings.off_below

    def _spearman(self, past: list[Review]) -> float | None:
        """Return the rank correlation; where the surrogate is off, of later fits alone."""
        pairs = list(self._pairs)
        if past and not past[-1].on:
            last_on = max((review.number for review in past if review.on), default=-1)
            pairs = [pair for pair in pairs if pair.fit > last_on]
        if len(pairs) < LEAST_PAIRS:
            return None
        values = np.array([(pair.surrogate, pair.first) for pair in pairs])
        seen = rank_correlation(values)
        return 0.0 if seen is None else max(seen, self._among_all(values[:, 1] - values[:, 0]))

    def _among_all(self, errors: NDArray[np.float64]) -> float:
        """Return the correlation to expect among all candidates, by the size of the errors.

        Those that are finished are the lowest and differ little: their ranks alone say too little.
        """
        told = [value for value in self._told if value is not None]
        if len(told) < WINDOW // 2:
            return -1.0
        spread = _spread(np.array(told))
        return float(np.sqrt(max(1.0 - (_spread(errors) / spread) ** 2, 0.0))) if spread else 0.0

    def _unphysical(self) -> float:
        if len(self._told) < WINDOW // 5:
            return 0.0
        return sum(value is None for value in self._told) / len(self._told)

    def _error(self) -> float | None:
        """Return the spread of the differences of the pairs, as a standard deviation."""
        if len(self._pairs) < LEAST_PAIRS:
            return None
        return _spread(np.array([pair.first - pair.surrogate for pair in self._pairs]))

    def _limit(self, error: float | None) -> float | None:
        """Return the highest enthalpy by the surrogate of what could end near the best."""
        if error is None or sum(value is not None for value in self._told) < WINDOW // 2:
            return None
        shift = float(np.median([pair.first - pair.surrogate for pair in self._pairs]))
        return self._best - shift + INTEREST_EV + 2.0 * error

    def _share(self, limit: float | None) -> float:
        """Return the share of the last candidates that is to be finished."""
        if self._settings.share is not None:
            return self._settings.share
        if limit is None:
            return FIRST_SHARE
        share = float(np.mean([value < limit for value in self._told if value is not None]))
        return min(max(share, LEAST_SHARE), LARGEST_SHARE)


def _spread(values: NDArray[np.float64]) -> float:
    """Return a standard deviation that outliers do not change, from the quartiles."""
    low, high = np.percentile(values, (25, 75))
    return float(high - low) / 1.349
