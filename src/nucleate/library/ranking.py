"""Rank the coloured prototypes of a composition by the vote of the known compounds."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, partial
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from nucleate.library.assignments import (
    MOST_ENUMERATED,
    all_assignments,
    best_assignments,
    n_assignments,
)
from nucleate.library.geometry import slot_order
from nucleate.library.labels import automorphisms

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from nucleate.library.groups import Group
    from nucleate.library.hold_out import HoldOut
    from nucleate.library.labels import Protostructure
    from nucleate.library.library import Library

TEMPERATURE = 0.35
"""Scale of the similarity in the vote."""

MOST_WEIGHTS = 2000
"""Coloured prototypes of a composition that are given a weight."""

_MOST_CELLS = 4_000_000  # entries times assignments held at a time
_SORTED_FIRST = 64
_MOST_ENTRIES = 300  # whose assignments are taken where there are too many


@dataclass(frozen=True, eq=False)
class Coloured:
    """A prototype with the target's elements in its slots.

    Attributes
    ----------
    proto : Protostructure
    elements : tuple of int
        Atomic number in each slot.
    weight : float
        Its share of the vote; the shares of all coloured prototypes add up to 1.
    vote : float
        The vote itself, to compare with those of other compositions.
    find_entries : callable
        Makes ``entries``.
    """

    proto: Protostructure
    elements: tuple[int, ...]
    weight: float
    vote: float
    find_entries: Callable[[], tuple[tuple[int, tuple[int, ...]], ...]]

    @cached_property
    def entries(self) -> tuple[tuple[int, tuple[int, ...]], ...]:
        """Entries that vote for it, the most similar first.

        Each with the target's elements in the order of that entry's slots (it differs from
        ``elements`` by another origin at most).
        """
        return self.find_entries()


@dataclass(frozen=True, eq=False)
class Ballot:
    """The votes of the entries of an anonymous formula on a composition.

    Attributes
    ----------
    group : Group
    target : ndarray of int64, shape (n_slots,)
        Atomic numbers in the order of their counts.
    assignments : ndarray of int64, shape (n_assignments, n_slots)
        Which of the target's elements stands in which slot.
    allowed : ndarray of bool, shape (n_entries,)
        Which entries vote.
    table : ndarray of float64
        Similarity in units of the temperature.
    folded : ndarray of float64, shape (n_prototypes, n_assignments)
        Votes, 0 for an assignment that stands under another one.
    canonical : ndarray of int64, shape (n_prototypes, n_assignments)
        The assignment under which each one stands.
    """

    group: Group
    target: NDArray[np.int64]
    assignments: NDArray[np.int64]
    allowed: NDArray[np.bool_]
    table: NDArray[np.float64]
    folded: NDArray[np.float64]
    canonical: NDArray[np.int64]

    @cached_property
    def total(self) -> float:
        """Sum of all votes."""
        return float(self.folded.sum())

    def ranked(
        self, geometries: int = 1, among: NDArray[np.bool_] | None = None
    ) -> Iterator[Coloured]:
        """Yield the coloured prototypes with a vote, that with most of it first.

        Parameters
        ----------
        geometries
            Entries of each that can be had.
        among
            Prototypes that are wanted, shape (n_prototypes,); by default all.
        """
        votes = self.folded if among is None else self.folded * among[:, None]
        for flat in _descending(votes.ravel()):
            place, row = divmod(flat, self.folded.shape[1])
            vote = float(self.folded[place, row])
            yield Coloured(
                self.group.prototypes[place],
                tuple(self.target[self.assignments[row]].tolist()),
                vote / self.total,
                vote,
                partial(self._entries, place, row, geometries),
            )

    def _entries(self, place: int, row: int, most: int) -> tuple[tuple[int, tuple[int, ...]], ...]:
        same = np.flatnonzero(self.canonical[place] == row)
        colourings = self.target[self.assignments[same]]
        return tuple(_members(self.group, place, colourings, self.allowed, self.table, most))


def cast(
    library: Library, elements: Sequence[int], counts: Sequence[int], hold_out: HoldOut
) -> Ballot | None:
    """Return the votes on a composition; None if no entry votes.

    Each entry of the anonymous formula votes for each assignment of the elements to its slots with
    ``exp(similarity / 0.35)`` times its weight, the similarity summed over the slots.

    Parameters
    ----------
    library
        What votes.
    elements, counts
        Atomic numbers and their counts in the reduced formula.
    hold_out
        Which entries may vote.
    """
    group = library.group(counts)
    if group is None:
        return None
    order = slot_order(elements, counts)
    target = np.array([elements[k] for k in order], dtype=np.int64)
    sorted_counts = tuple(int(counts[k]) for k in order)
    allowed = _allowed(group, sorted_counts, hold_out)
    if not allowed.any():
        return None
    table = library.similarity / TEMPERATURE
    assignments = _assignments(group, target, sorted_counts, allowed, table)
    votes = _votes(group, target[assignments], allowed, table)
    folded, canonical = _folded(group, assignments, votes)
    return Ballot(group, target, assignments, allowed, table, folded, canonical)


def rank(
    library: Library,
    elements: Sequence[int],
    counts: Sequence[int],
    hold_out: HoldOut,
    *,
    most: int = 100,
    geometries: int = 1,
) -> list[Coloured]:
    """Return the coloured prototypes with most of the vote; see :func:`cast`.

    Parameters
    ----------
    library, elements, counts, hold_out
        As for :func:`cast`.
    most
        Number of coloured prototypes.
    geometries
        Entries of each that can be had.
    """
    ballot = cast(library, elements, counts, hold_out)
    return [] if ballot is None else list(islice(ballot.ranked(geometries), most))


def _descending(votes: NDArray[np.float64]) -> Iterator[int]:
    """Yield the places of the positive votes, the highest first; only the first are sorted."""
    first = 0.0
    if len(votes) > _SORTED_FIRST:
        first = float(np.partition(votes, len(votes) - _SORTED_FIRST)[-_SORTED_FIRST])
    top = np.flatnonzero((votes >= first) & (votes > 0.0))
    yield from top[np.argsort(-votes[top], kind="stable")].tolist()
    if first > 0.0:
        rest = np.flatnonzero((votes < first) & (votes > 0.0))
        yield from rest[np.argsort(-votes[rest], kind="stable")].tolist()


def _allowed(group: Group, counts: tuple[int, ...], hold_out: HoldOut) -> NDArray[np.bool_]:
    if hold_out.use != "no-prototype":
        return hold_out.allowed("", counts, group.elements)
    parts = [
        hold_out.allowed(proto.label, counts, group.elements[first:last])
        for proto, first, last in zip(
            group.prototypes, group.starts, group.starts[1:], strict=False
        )
    ]
    return np.concatenate(parts)


def _assignments(
    group: Group,
    target: NDArray[np.int64],
    counts: tuple[int, ...],
    allowed: NDArray[np.bool_],
    table: NDArray[np.float64],
) -> NDArray[np.int64]:
    number = n_assignments(counts)
    if number <= MOST_ENUMERATED and number * len(group.elements) <= 40 * _MOST_CELLS:
        return all_assignments(counts)
    rows = group.elements[allowed][:20000]
    scores = np.stack([table[z][rows] for z in target], axis=1)
    best = best_assignments(counts, scores, _MOST_ENTRIES)
    return best[:MOST_ENUMERATED]


def _votes(
    group: Group,
    coloured: NDArray[np.int64],
    allowed: NDArray[np.bool_],
    table: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return the vote of each prototype for each assignment, shape (n_prototypes, n)."""
    weights = np.where(allowed, group.weights, 0.0)
    votes = np.zeros((len(group.prototypes), len(coloured)))
    step = max(1, _MOST_CELLS // len(group.elements))
    for start in range(0, len(coloured), step):
        part = coloured[start : start + step]
        score = np.zeros((len(group.elements), len(part)))
        for slot in range(part.shape[1]):
            score += table[group.elements[:, slot][:, None], part[:, slot][None, :]]
        np.exp(score, out=score)
        score *= weights[:, None]
        votes[:, start : start + step] = np.add.reduceat(score, group.starts[:-1], axis=0)
    return votes


def _folded(
    group: Group, assignments: NDArray[np.int64], votes: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Add up the votes of assignments that are the same from another origin.

    Returns the votes, 0 for an assignment that stands under another, and for each prototype and
    assignment the row under which it stands.
    """
    n_rows, n_slots = assignments.shape
    canonical = np.broadcast_to(np.arange(n_rows), votes.shape).copy()
    base = n_slots ** np.arange(n_slots, dtype=np.float64)[::-1]
    codes = assignments @ base
    order = np.argsort(codes)
    folded = votes.copy()
    for place, autos in group.symmetric if n_rows > 1 else ():
        images = np.stack([assignments[:, list(auto)] @ base for auto in autos])
        where = np.searchsorted(codes[order], images).clip(max=n_rows - 1)
        there = order[where]
        there[codes[there] != images] = n_rows  # not among the assignments considered
        canonical[place] = np.minimum(there.min(axis=0), np.arange(n_rows))
        folded[place] = np.bincount(canonical[place], weights=votes[place], minlength=n_rows)
    return folded, canonical


def _members(
    group: Group,
    place: int,
    colourings: NDArray[np.int64],
    allowed: NDArray[np.bool_],
    table: NDArray[np.float64],
    most: int,
) -> list[tuple[int, tuple[int, ...]]]:
    """Return the entries of a prototype, the most similar first, each in its best colouring."""
    first, last = int(group.starts[place]), int(group.starts[place + 1])
    elements = group.elements[first:last]
    score = np.zeros((last - first, len(colourings)))
    for slot in range(colourings.shape[1]):
        score += table[elements[:, slot][:, None], colourings[:, slot][None, :]]
    with np.errstate(divide="ignore"):
        score += np.log(np.where(allowed[first:last], group.weights[first:last], 0.0))[:, None]
    best = score.argmax(axis=1)
    value = score[np.arange(last - first), best]
    order = np.argsort(-value, kind="stable")[:most]
    return [
        (group.first + first + int(row), tuple(int(z) for z in colourings[best[row]]))
        for row in order
        if np.isfinite(value[row])
    ]


def weights_of(
    library: Library, elements: Sequence[int], counts: Sequence[int], hold_out: HoldOut
) -> dict[tuple[str, tuple[int, ...]], float]:
    """Return the share of the vote of the coloured prototypes, by label and least colouring."""
    found = {}
    for item in rank(library, elements, counts, hold_out, most=MOST_WEIGHTS, geometries=0):
        found[item.proto.label, least_colouring(item.proto, item.elements)] = item.weight
    return found


def least_colouring(proto: Protostructure, elements: Sequence[int]) -> tuple[int, ...]:
    """Return the least of the colourings that another origin or other axes give."""
    return min(tuple(elements[k] for k in auto) for auto in automorphisms(proto))
