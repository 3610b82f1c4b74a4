"""Which Wyckoff assignments the language finds likely for a composition, none of them twice.

A beam keeps the likeliest beginnings of sentences. With random numbers it becomes a stochastic
beam (Kool, van Hoof, Welling 2019): the log-likelihoods are perturbed by Gumbel noise in such a
way that what is kept is a sample without repeats.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from nucleate.generate.symmetric_prior import positions as all_positions
from nucleate.generate.wyckoff_language.completions import (
    group_tables,
    next_positions,
    of_group,
    possible_groups,
)
from nucleate.generate.wyckoff_language.descriptions import position_changes
from nucleate.generate.wyckoff_language.held import free_counts, unreserved
from nucleate.generate.wyckoff_language.tokens import (
    Batch,
    common_scalars,
    write_elements,
    write_group,
    write_orbit,
)

if TYPE_CHECKING:
    from collections.abc import Collection

    from numpy.typing import NDArray

    from nucleate.generate.wyckoff_language.forward import Cache, ForwardNetwork
    from nucleate.generate.wyckoff_language.held import Held, Required

    _Description = tuple[int, tuple[int, ...], tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class Manner:
    """How sentences are drawn.

    Attributes
    ----------
    temperature : float
        Divides the logits.
    top_p : float
        Words beyond this share of the probability are not used.
    """

    temperature: float = 1.0
    top_p: float = 1.0

    def log_shares(self, logits: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return log-probabilities of rows of logits, -inf where they are not used."""
        scaled = logits / self.temperature
        shares = scaled - _log_sum(scaled)
        if self.top_p >= 1.0:
            return shares
        order = np.argsort(-shares, axis=-1)
        ordered = np.take_along_axis(np.exp(shares), order, -1)
        before = np.cumsum(ordered, -1) - ordered
        cut = np.where(before < self.top_p, np.take_along_axis(shares, order, -1), -np.inf)
        kept = np.empty_like(shares)
        np.put_along_axis(kept, order, cut, -1)
        return kept - _log_sum(kept)


@dataclass(frozen=True, slots=True)
class Assignment:
    """A space group and the positions of all elements.

    Attributes
    ----------
    group : int
        Space group.
    kinds, positions : tuple of int
        Of the orbits, ascending in both.
    log_likelihood : float
        Of the space group and the positions, at temperature 1.
    image : int
        Which description of a kept part stands beside it.
    """

    group: int
    kinds: tuple[int, ...]
    positions: tuple[int, ...]
    log_likelihood: float
    image: int = 0


@dataclass(frozen=True, slots=True)
class _Beginning:
    """A sentence that is not finished."""

    group: int
    kinds: tuple[int, ...]
    positions: tuple[int, ...]
    left: int
    rest: int
    kind: int
    log: float
    """log-likelihood at temperature 1"""
    drawn: float
    """log-probability with which it is drawn"""
    score: float
    """what the beam compares: ``drawn``, perturbed in a stochastic beam"""


class AssignmentSearch:
    """Finds assignments of one composition and size.

    Parameters
    ----------
    network : ForwardNetwork
        Ready to predict.
    numbers, counts : ndarray of int64, shape (n_elements,)
        Atomic numbers in the order of the sentences, and atoms in the primitive cell.
    log_volume : float
        Logarithm of the expected volume in Å³ per atom.
    groups : collection of int or None
        Space groups to keep to.
    held : Held or None
        What is given of every sentence; where it is letters, descriptions are not made canonical,
        since another one of the same assignment may have other letters.
    """

    def __init__(
        self,
        network: ForwardNetwork,
        numbers: NDArray[np.int64],
        counts: NDArray[np.int64],
        log_volume: float,
        *,
        groups: Collection[int] | None = None,
        held: Held | None = None,
    ) -> None:
        self._network, self._numbers, self._counts = network, numbers, counts
        self._log_volume = log_volume
        self._key = tuple(int(count) for count in counts)
        fits = possible_groups(tuple(sorted(self._key))).copy()
        if groups is not None:
            fits &= np.isin(np.arange(fits.size), list(groups))
        self._required: dict[int, Required] = {}
        for group in np.flatnonzero(fits):
            if held is None:
                break
            required = held.required(int(group), numbers, counts)
            if required is None:
                fits[group] = False
            else:
                self._required[int(group)] = required
        self._fits = fits
        self._is_lettered = held is not None and bool(held.letters)

    def likely(
        self,
        most: int,
        *,
        width: int = 64,
        manner: Manner | None = None,
        rng: np.random.Generator | None = None,
    ) -> list[Assignment]:
        """Return distinct assignments in the order of the beam.

        It goes by the likeliest description of each, or by chance. ``log_likelihood`` adds up all
        descriptions that the beam has kept, and so need not descend.

        Parameters
        ----------
        most
            As many at most.
        width
            Beginnings that are kept; more make sure that nothing likely is missed.
        manner
            How group and positions are drawn; None takes the probabilities as they are.
        rng
            Draws a sample without repeats in place of the likeliest.
        """
        if not self._fits.any():
            return []
        manner = manner or Manner()
        width = max(width, most)
        open_, past = self._begin(width, manner, rng)
        finished: list[_Beginning] = []
        for _ in range(self._network.settings.most_orbits):
            made, places = self._grown(open_, past, width, manner, rng)
            finished += [item for item in made if item.kind == len(self._key)]
            finished = sorted(finished, key=lambda item: -item.score)[:width]
            going = [k for k, item in enumerate(made) if item.kind < len(self._key)]
            if not going:
                break
            enough = finished[most - 1].score if len(finished) >= most else -np.inf
            going = [k for k in going if made[k].score > enough]
            if not going:
                break
            open_ = [made[k] for k in going]
            chosen = [places[k] for k in going]
            past = [(key[chosen], value[chosen]) for key, value in self._past]
        return self._merged(finished)[:most]

    def _begin(
        self, width: int, manner: Manner, rng: np.random.Generator | None
    ) -> tuple[list[_Beginning], Cache]:
        """Return the likeliest space groups."""
        batch = Batch.empty(1, self._numbers.size + 1)
        write_elements(batch, 0, self._numbers, self._counts, self._log_volume)
        x, past = self._network(batch)
        logits = self._network.group_logits(x[:, -1]).astype(np.float64)
        logits[:, ~self._fits] = -np.inf
        plain, drawn = logits[0] - _log_sum(logits[0]), manner.log_shares(logits)[0]
        scores = drawn if rng is None else _perturbed(drawn[None], np.zeros(1), rng)[0]
        best = [g for g in np.argsort(-scores, kind="stable")[:width] if np.isfinite(scores[g])]
        found = [
            _Beginning(
                group=int(group),
                kinds=(),
                positions=(),
                left=unreserved(int(group), self._of_group(int(group))),
                rest=self._key[0],
                kind=0,
                log=float(plain[group]),
                drawn=float(drawn[group]),
                score=float(scores[group]),
            )
            for group in best
        ]
        n = len(found)
        return found, [(np.repeat(k, n, axis=0), np.repeat(v, n, axis=0)) for k, v in past]

    def _grown(
        self,
        open_: list[_Beginning],
        past: Cache,
        width: int,
        manner: Manner,
        rng: np.random.Generator | None,
    ) -> tuple[list[_Beginning], list[int]]:
        """Return the best continuations by one orbit, and which beginning each continues."""
        allowed = np.array([self._allowed(item) for item in open_])
        asked = np.array([self._asked(item) for item in open_])
        batch = self._written(open_)
        x, self._past = self._network(batch, past)
        logits = self._network.position_logits(x[:, 0], batch.group).astype(np.float64)
        logits[~allowed] = -np.inf
        plain = logits - _log_sum(logits)
        drawn = np.where(asked, manner.log_shares(logits), -np.inf)
        drawn += np.array([[item.drawn] for item in open_])
        if rng is None:
            scores = drawn
        else:
            scores = _perturbed(drawn, np.array([item.score for item in open_]), rng)
        order = np.argsort(-scores, axis=None, kind="stable")[:width]
        made, places = [], []
        for place in order:
            row, position = divmod(int(place), scores.shape[1])
            if not np.isfinite(scores[row, position]):
                break
            item = self._continued(open_[row], position)
            log = open_[row].log + float(plain[row, position])
            made.append(
                replace(
                    item,
                    log=log,
                    drawn=float(drawn[row, position]),
                    score=float(scores[row, position]),
                )
            )
            places.append(row)
        return made, places

    def _of_group(self, group: int) -> Required:
        return self._required.get(group, (None,) * len(self._key))

    def _allowed(self, item: _Beginning) -> NDArray[np.bool_]:
        multiplicity, fixed = of_group(item.group)
        """Return the positions with which the composition can be completed.

        What is given is not taken out where a given orbit is read, so that it has its likelihood.
        """
        required, left = self._of_group(item.group), item.left
        if required[item.kind] is not None:
            required = (None,) * len(self._key)
            left = unreserved(item.group, (item.positions,))
        again = item.kinds and item.kinds[-1] == item.kind
        least = item.positions[-1] if again else 0
        free = free_counts(required, self._counts)
        later = group_tables(item.group, free)[item.kind + 1]
        found = next_positions(multiplicity, fixed, later, item.rest, left, least)
        return np.pad(found, (0, 27 - found.size))

    def _asked(self, item: _Beginning) -> NDArray[np.bool_]:
        """Return the position that is given for the next orbit, or all."""
        given = self._of_group(item.group)[item.kind]
        if given is None:
            return np.ones(27, np.bool_)
        return np.arange(27) == given[item.kinds.count(item.kind)]

    def _continued(self, item: _Beginning, position: int) -> _Beginning:
        multiplicity, fixed = of_group(item.group)
        left, rest, kind = item.left, item.rest - int(multiplicity[position]), item.kind
        if fixed[position]:
            left &= ~(1 << int(fixed[:position].sum()))
        if rest == 0:
            kind += 1
            rest = self._key[kind] if kind < len(self._key) else 0
        return replace(
            item,
            kinds=(*item.kinds, item.kind),
            positions=(*item.positions, position),
            left=left,
            rest=rest,
            kind=kind,
        )

    def _written(self, open_: list[_Beginning]) -> Batch:
        """Return the last token of each beginning; all have the same number of orbits."""
        n = len(open_)
        batch = Batch.empty(n, 1)
        every = np.arange(n)
        group = np.array([item.group for item in open_])
        batch.scalars[:, 0] = common_scalars(self._counts, self._log_volume)
        if not open_[0].kinds:
            write_group(batch, every, 0, group, self._numbers, self._counts)
            return batch
        batch.group[:] = group
        last = np.array([item.kinds[-1] for item in open_])
        following = np.array([item.kind for item in open_])
        write_orbit(
            batch,
            every,
            0,
            len(open_[0].kinds),
            all_positions().start[group] + np.array([item.positions[-1] for item in open_]),
            self._numbers[last],
            last + 1,
            self._numbers[following],
            np.array([item.rest for item in open_]),
            self._counts[following],
        )
        return batch

    def _merged(self, finished: list[_Beginning]) -> list[Assignment]:
        """Return assignments, each once, with the likelihood of all its descriptions.

        They are described canonically, or where letters are given as the first one is. A part that
        is kept has its canonical letters.
        """
        logs: dict[_Description, float] = {}
        shown: dict[_Description, _Description] = {}
        for item in finished:
            own = item.group, item.kinds, item.positions
            key = canonical(*own)
            logs[key] = float(np.logaddexp(logs.get(key, -np.inf), item.log))
            shown.setdefault(key, own if self._is_lettered else key)
        return [Assignment(*shown[key], log) for key, log in logs.items()]


def canonical(group: int, kinds: tuple[int, ...], positions: tuple[int, ...]) -> _Description:
    """Return the first of the equal descriptions of an assignment."""
    moved = position_changes(group)[:, list(positions)]
    keys = np.sort(np.array(kinds) * 64 + moved, axis=1)
    best = keys[np.lexsort(keys.T[::-1])[0]]
    return group, tuple(int(k) for k in best // 64), tuple(int(k) for k in best % 64)


def _log_sum(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    top = logits.max(axis=-1, keepdims=True)
    return top + np.log(np.exp(logits - top).sum(axis=-1, keepdims=True))


def _perturbed(
    drawn: NDArray[np.float64], parents: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.float64]:
    """Return Gumbel-perturbed log-probabilities whose maximum in each row is that of the parent."""
    noise = rng.gumbel(size=drawn.shape)
    free = drawn + noise
    top = free.max(axis=1, keepdims=True)
    goal = parents[:, None]
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        v = goal - free + np.log1p(-np.exp(free - top))
        result = goal - np.maximum(v, 0.0) - np.log1p(np.exp(-np.abs(v)))
    return np.where(np.isfinite(drawn), np.where(free == top, goal, result), -np.inf)
