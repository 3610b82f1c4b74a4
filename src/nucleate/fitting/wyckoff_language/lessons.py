"""Batches of sentences with what is to be learnt from them, and the loss."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn import functional

from nucleate.generate.wyckoff_language.network import inputs_of, mixture_log_density
from nucleate.generate.wyckoff_language.settings import COARSE, FINE, MOST_POSITIONS
from nucleate.generate.wyckoff_language.tokens import (
    Batch,
    places,
    point_of,
    scaled_cell,
    write_cell,
    write_elements,
    write_group,
    write_next,
    write_orbit,
    write_place,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray
    from torch import Tensor

    from nucleate.fitting.wyckoff_language.corpus import Corpus
    from nucleate.generate.wyckoff_language.network import LanguageNetwork

MANY_FREE = 8
"""Sentences with more free coordinates count as if they had as many."""

PARTS = ("group", "orbits", "cell", "places")


@dataclass(slots=True, eq=False)
class Lesson:
    """A batch and its targets.

    Attributes
    ----------
    batch : Batch
    begin, last : ndarray of int64, shape (n,)
        Columns of BEGIN and of the last ORBIT.
    orbit : ndarray of int64, shape (n, length)
        Position in the group that follows, -1 where none does.
    allowed : ndarray of uint32, shape (n, length)
        What the masks allow there.
    freedom : ndarray of int64, shape (n, length)
        Free coordinates of the orbit that is placed next.
    free : ndarray of float32, shape (n, length, 3)
        They themselves.
    groups : ndarray of bool, shape (n, 231)
        Space groups that fit.
    """

    batch: Batch
    begin: NDArray[np.int64]
    last: NDArray[np.int64]
    orbit: NDArray[np.int64]
    allowed: NDArray[np.uint32]
    freedom: NDArray[np.int64]
    free: NDArray[np.float32]
    groups: NDArray[np.bool_]


def lengths_of(corpus: Corpus) -> NDArray[np.int64]:
    """Return the number of tokens of each sentence."""
    table = places()
    rows = _rows(corpus)
    free = np.concatenate([[0], np.cumsum(table.freedom[rows] > 0)])
    movable = free[corpus.orbit_start[1:]] - free[corpus.orbit_start[:-1]]
    return corpus.sizes + 3 + np.maximum(movable - 1, 0)


def lesson_of(corpus: Corpus, chosen: NDArray[np.int64], lengths: NDArray[np.int64]) -> Lesson:
    """Return the lesson of some sentences; ``lengths`` as :func:`lengths_of` gives."""
    n, length = chosen.size, int(lengths[chosen].max())
    batch = Batch.empty(n, length)
    lesson = Lesson(
        batch,
        np.zeros(n, np.int64),
        np.zeros(n, np.int64),
        np.full((n, length), -1, np.int64),
        np.zeros((n, length), np.uint32),
        np.zeros((n, length), np.int64),
        np.zeros((n, length, 3), np.float32),
        corpus.groups[corpus.fits[chosen]],
    )
    for n_, sentence in enumerate(chosen):
        _write(corpus, int(sentence), lesson, n_)
    return lesson


def batches(
    lengths: NDArray[np.int64],
    chosen: NDArray[np.int64],
    tokens: int,
    rng: np.random.Generator,
) -> Iterator[NDArray[np.int64]]:
    """Return batches of sentences of similar lengths, about ``tokens`` each, in random order."""
    noisy = lengths[chosen] + rng.random(chosen.size) * 2.0
    order = chosen[np.argsort(noisy, kind="stable")]
    found, first = [], 0
    while first < order.size:
        size = max(1, int(tokens / lengths[order[min(first + 8, order.size - 1)]]))
        found.append(order[first : first + size])
        first += size
    for k in rng.permutation(len(found)):
        yield found[k]


def losses(network: LanguageNetwork, lesson: Lesson, device: str = "cpu") -> dict[str, Tensor]:
    """Return the negative log-likelihood of each part of each sentence in nats, shape (n,)."""
    inputs = inputs_of(lesson.batch, device)
    x = network(inputs)
    every = torch.arange(len(x), device=device)
    begin, last = (torch.from_numpy(a).to(device) for a in (lesson.begin, lesson.last))
    group = inputs["group"]
    fits = torch.from_numpy(lesson.groups).to(device)
    scores = network.group_logits(x[every, begin]).masked_fill(~fits, -torch.inf)
    return {
        "group": functional.cross_entropy(scores, group, reduction="none"),
        "orbits": _orbit_loss(network, x, group, lesson, device),
        "cell": _cell_loss(network, x[every, last], inputs),
        "places": _place_loss(network, x, lesson, device),
    }


def objective(parts: dict[str, Tensor], lesson: Lesson) -> Tensor:
    """Return what is minimised: the mean of all parts, crystals without symmetry damped."""
    many = torch.from_numpy(lesson.freedom.sum(axis=1)).to(parts["places"].device)
    damping = (MANY_FREE / many.clamp(min=MANY_FREE)).float()
    total = parts["group"] + parts["orbits"] + parts["cell"] + parts["places"] * damping
    return total.mean()


def _orbit_loss(
    network: LanguageNetwork, x: Tensor, group: Tensor, lesson: Lesson, device: str
) -> Tensor:
    target = torch.from_numpy(lesson.orbit).to(device)
    bits = torch.from_numpy(lesson.allowed.astype(np.int64)).to(device)
    allowed = (bits[..., None] >> torch.arange(MOST_POSITIONS, device=device)) & 1 > 0
    asked = target >= 0
    scores = network.position_logits(x, group).masked_fill(~allowed, -torch.inf)
    scores = torch.where(asked[..., None], scores, 0.0)
    found = scores.log_softmax(-1).gather(-1, target.clamp(min=0)[..., None])[..., 0]
    return -(found * asked).sum(1)


def _cell_loss(network: LanguageNetwork, x: Tensor, inputs: dict[str, Tensor]) -> Tensor:
    total = torch.zeros(len(x), device=x.device)
    for number in range(6):
        has = torch.nonzero(inputs["cell_size"] > number)[:, 0]
        if has.numel():
            cell = inputs["cell"][has]
            mixture = network.cell_mixture(x[has], inputs["group"][has], cell, number)
            total = total.index_add(0, has, -mixture_log_density(mixture, cell[:, number]))
    return total


def _place_loss(network: LanguageNetwork, x: Tensor, lesson: Lesson, device: str) -> Tensor:
    total = torch.zeros(len(x), device=device)
    freedom = torch.from_numpy(lesson.freedom).to(device)
    free = torch.from_numpy(lesson.free).to(device)
    for number in range(3):
        row, column = torch.nonzero(freedom > number, as_tuple=True)
        if not row.numel():
            continue
        value = free[row, column]
        hidden = network.free_hidden(x[row, column], value, number)
        place = value[:, number] * COARSE
        near = torch.floor(place + 0.5)
        coarse = near.long() % COARSE
        fine = ((place - near + 0.5) * FINE).long().clamp(0, FINE - 1)
        wrong = functional.cross_entropy(network.coarse(hidden), coarse, reduction="none")
        wrong = wrong + functional.cross_entropy(
            network.fine_logits(hidden, coarse), fine, reduction="none"
        )
        total = total.index_add(0, row, wrong - float(np.log(COARSE * FINE)))
    return total


def _rows(corpus: Corpus) -> NDArray[np.int64]:
    groups = np.repeat(corpus.group, np.diff(corpus.orbit_start))
    return places().start[groups] + corpus.positions


def _write(corpus: Corpus, sentence: int, lesson: Lesson, n: int) -> None:
    table, batch = places(), lesson.batch
    part = slice(corpus.element_start[sentence], corpus.element_start[sentence + 1])
    numbers, counts = corpus.numbers[part], corpus.counts[part]
    part = slice(corpus.orbit_start[sentence], corpus.orbit_start[sentence + 1])
    kinds, positions, free = corpus.kinds[part], corpus.positions[part], corpus.free[part]
    group = int(corpus.group[sentence])
    rows = table.start[group] + positions
    elements, orbits = numbers[kinds], kinds.size
    begin = write_elements(batch, n, numbers, counts, float(corpus.log_volume[sentence])) - 1
    write_group(batch, n, begin + 1, group, numbers, counts)
    held = np.exp(table.features[rows, 16]).round().astype(np.int64)
    ends = np.cumsum(held)[:]
    placed = np.concatenate([[0], np.cumsum(counts)])
    following = np.append(kinds[1:], -1)
    rest = np.where(following >= 0, placed[following + 1] - ends, 0)
    columns = begin + 2 + np.arange(orbits)
    write_orbit(
        batch,
        n,
        columns,
        np.arange(1, orbits + 1),
        rows,
        elements,
        kinds + 1,
        np.append(elements[1:], 0),
        rest,
        counts[following],
    )
    lesson.begin[n], lesson.last[n] = begin, begin + 1 + orbits
    lesson.orbit[n, columns - 1] = positions
    lesson.allowed[n, columns - 1] = corpus.allowed[part]
    size = int(table.shape_size[group])
    cell = scaled_cell(float(corpus.stretch[sentence]), corpus.shape[sentence, :size])
    batch.cell_size[n] = size + 1
    column = begin + 2 + orbits
    write_cell(batch, n, column, cell)
    movable = np.flatnonzero(table.freedom[rows] > 0)
    if movable.size == 0:
        return
    columns = column + np.arange(movable.size)
    write_next(batch, n, columns, movable + 1, rows[movable], elements[movable])
    lesson.freedom[n, columns] = table.freedom[rows[movable]]
    lesson.free[n, columns] = free[movable]
    before = movable[:-1]
    points = point_of(rows[before], free[before])
    write_place(batch, n, columns[1:], rows[before], elements[before], kinds[before] + 1, points)
