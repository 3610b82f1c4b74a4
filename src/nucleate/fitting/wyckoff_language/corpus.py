"""The sentences of a data set in flat arrays, made once and kept."""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass, fields
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from nucleate.errors import InputError
from nucleate.fitting.datasets import check_sides, load_dataset, training_crystals
from nucleate.fitting.state import kept_arrays
from nucleate.generate.wyckoff_language.completions import (
    of_group,
    possible_groups,
    sentence_masks,
)
from nucleate.generate.wyckoff_language.sentence import (
    Sentence,
    described,
    expected_volume,
    sentence_of,
)
from nucleate.generate.wyckoff_language.tokens import places

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from nucleate.crystal.crystal import Crystal
    from nucleate.fitting.datasets import Dataset

MOST_ATOMS = 52
MOST_ORBITS = 40
AUGMENTED = 2
"""Random descriptions kept beside the canonical one."""

AT_ONCE = 4000


@dataclass(frozen=True, slots=True, eq=False)
class Corpus:
    """Sentences, one after the other.

    Attributes
    ----------
    crystal : ndarray of int64, shape (n,)
        Which crystal each sentence describes; the first of each crystal is the canonical one.
    group : ndarray of int64, shape (n,)
    stretch, log_volume : ndarray of float32, shape (n,)
        Logarithm of the volume relative to the expected one, and of the expected volume per atom.
    shape : ndarray of float32, shape (n, 5)
    element_start, orbit_start : ndarray of int64, shape (n + 1,)
    numbers, counts : ndarray of int64
        Of the elements of all sentences.
    kinds, positions : ndarray of int64
        Of the orbits of all sentences.
    allowed : ndarray of uint32
        Positions that the masks allow before each orbit, as bits.
    free : ndarray of float32, shape (n_orbits, 3)
    groups : ndarray of bool, shape (n_compositions, 231)
        Space groups that fit, and, in ``fits``, the row of each sentence.
    fits : ndarray of int64, shape (n,)
    """

    crystal: NDArray[np.int64]
    group: NDArray[np.int64]
    stretch: NDArray[np.float32]
    log_volume: NDArray[np.float32]
    shape: NDArray[np.float32]
    element_start: NDArray[np.int64]
    orbit_start: NDArray[np.int64]
    numbers: NDArray[np.int64]
    counts: NDArray[np.int64]
    kinds: NDArray[np.int64]
    positions: NDArray[np.int64]
    allowed: NDArray[np.uint32]
    free: NDArray[np.float32]
    groups: NDArray[np.bool_]
    fits: NDArray[np.int64]

    def __len__(self) -> int:
        return self.group.size

    @property
    def sizes(self) -> NDArray[np.int64]:
        """Elements and orbits of each sentence."""
        return np.diff(self.element_start) + np.diff(self.orbit_start)

    @property
    def largest(self) -> int:
        """Atoms of the largest cell."""
        return int(np.add.reduceat(self.counts, self.element_start[:-1]).max())

    @property
    def canonical(self) -> NDArray[np.int64]:
        """The first sentence of each crystal."""
        return np.unique(self.crystal, return_index=True)[1]

    @property
    def elements(self) -> tuple[int, ...]:
        """Atomic numbers that occur."""
        return tuple(int(z) for z in np.unique(self.numbers))


def read_corpora(
    data: Path,
    folder: Path,
    *,
    limit: int | None,
    seed: int,
    say: Callable[[str], None],
    withheld: Collection[str] = (),
) -> tuple[Corpus, Corpus, Dataset]:
    """Return the sentences for training and for validation, and the data that they are from.

    Parameters
    ----------
    data
        See :func:`~nucleate.fitting.datasets.load_dataset`; no energies are needed.
    folder
        Where sentences are kept.
    limit
        Read at most this number of rows.
    seed
        Of the split and of the random descriptions.
    say
        Called with lines of text.
    withheld
        Reduced formulas of which no crystal is learned.

    Raises
    ------
    InputError
        If no crystal can be used.
    """
    dataset = load_dataset(data, energies=False, seed=seed, limit=limit)
    for line in dataset.report.lines():
        say(line)
    train = training_crystals(dataset, withheld, say)
    val = [dataset.crystals[row] for row in dataset.rows("val")]
    small = [[c for c in crystals if c.n_atoms <= MOST_ATOMS] for crystals in (train, val)]
    check_sides(data, dataset, {"train": len(small[0]), "val": len(small[1])}, limit)
    found = []
    for name, crystals in zip(("training", "validation"), small, strict=True):
        made = _kept(crystals, folder, name, seed, say)
        if not len(made):
            raise InputError(
                f"{data} has no {name} crystal of at most {MOST_ATOMS} atoms and {MOST_ORBITS} "
                "orbits; give more structures"
            )
        found.append(made)
    return found[0], found[1], dataset


def corpus_of(sentences: Sequence[Sequence[Sentence]]) -> Corpus:
    """Return sentences in flat arrays: a sequence for each crystal, its canonical one first."""
    flat = [sentence for group in sentences for sentence in group]
    crystal = np.repeat(np.arange(len(sentences)), [len(group) for group in sentences])
    compositions: dict[tuple[int, ...], int] = {}
    fits = []
    for sentence in flat:
        key = tuple(sorted(sentence.counts.tolist()))
        fits.append(compositions.setdefault(key, len(compositions)))
    shape = np.zeros((len(flat), 5), np.float32)
    for row, sentence in zip(shape, flat, strict=True):
        row[: sentence.shape.size] = sentence.shape
    return Corpus(
        crystal=crystal.astype(np.int64),
        group=np.array([s.group for s in flat]),
        stretch=np.array([s.stretch for s in flat], np.float32),
        log_volume=np.array([log_volume_per_atom(s) for s in flat], np.float32),
        shape=shape,
        element_start=_starts([s.numbers.size for s in flat]),
        orbit_start=_starts([s.kinds.size for s in flat]),
        numbers=_whole([s.numbers for s in flat]),
        counts=_whole([s.counts for s in flat]),
        kinds=_whole([s.kinds for s in flat]),
        positions=_whole([s.positions for s in flat]),
        allowed=np.concatenate([np.zeros(0, np.uint32), *(_bits(s) for s in flat)]),
        free=np.concatenate([np.zeros((0, 3)), *(s.free for s in flat)]).astype(np.float32),
        groups=np.array([possible_groups(key) for key in compositions]),
        fits=np.array(fits),
    )


def _whole(parts: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    return np.concatenate([np.zeros(0, np.int64), *parts])


def sentence_at(corpus: Corpus, place: int) -> Sentence:
    """Return a sentence of a corpus."""
    elements = slice(corpus.element_start[place], corpus.element_start[place + 1])
    orbits = slice(corpus.orbit_start[place], corpus.orbit_start[place + 1])
    group = int(corpus.group[place])
    return Sentence(
        group,
        corpus.numbers[elements],
        corpus.counts[elements],
        corpus.kinds[orbits],
        corpus.positions[orbits],
        corpus.free[orbits].astype(np.float64),
        corpus.shape[place, : places().shape_size[group]].astype(np.float64),
        float(corpus.stretch[place]),
    )


def log_volume_per_atom(sentence: Sentence) -> float:
    """Return the logarithm of the expected volume in Å³ per atom."""
    volume = expected_volume(sentence.numbers, sentence.counts)
    return float(np.log(volume / sentence.counts.sum()))


def joined(parts: Sequence[Corpus]) -> Corpus:
    """Return several corpora as one."""
    first = {}
    for item in fields(Corpus):
        arrays = [getattr(part, item.name) for part in parts]
        if item.name.endswith("_start"):
            ends = np.cumsum([0, *(array[-1] for array in arrays)])
            arrays = [a[:-1] + e for a, e in zip(arrays, ends[:-1], strict=True)]
            first[item.name] = np.concatenate([*arrays, ends[-1:]])
            continue
        if item.name in ("crystal", "fits"):
            sizes = [
                int(part.crystal.max()) + 1 if item.name == "crystal" else len(part.groups)
                for part in parts
            ]
            shifts = np.cumsum([0, *sizes])
            arrays = [a + s for a, s in zip(arrays, shifts[:-1], strict=True)]
        first[item.name] = np.concatenate(arrays)
    return Corpus(**first)


def _kept(
    crystals: list[Crystal], folder: Path, name: str, seed: int, say: Callable[[str], None]
) -> Corpus:
    """Make the sentences of crystals, or read those of before; an interruption costs one part."""
    logging.getLogger("moyo").setLevel(logging.ERROR)
    digest = hashlib.sha256(str((seed, MOST_ORBITS, AUGMENTED)).encode())
    for crystal in crystals:
        for array in (crystal.numbers, crystal.cell, crystal.scaled):
            digest.update(array.tobytes())

    def described_from(first: int) -> Corpus:
        made = [
            descriptions_of(crystal, np.random.default_rng([seed, 7, first + k]))
            for k, crystal in enumerate(crystals[first : first + AT_ONCE])
        ]
        say(f"{name} sentences: {min(first + AT_ONCE, len(crystals)):,} of {len(crystals):,}")
        return corpus_of([item for item in made if item])

    parts = []
    for first in range(0, len(crystals), AT_ONCE):
        path = folder / f"sentences-{name}-{digest.hexdigest()[:10]}-{first // AT_ONCE:03d}.npz"
        parts.append(kept_arrays(path, Corpus, partial(described_from, first)))
    full = [part for part in parts if len(part)]
    return joined(full) if full else parts[0]


def descriptions_of(crystal: Crystal, rng: np.random.Generator) -> list[Sentence]:
    """Return the canonical sentence and random equal ones; nothing for a crystal of no use."""
    sentence = sentence_of(crystal)
    if sentence is None or sentence.kinds.size > MOST_ORBITS:
        return []
    found = [sentence]
    for _ in range(AUGMENTED):
        order = rng.permutation(sentence.numbers.size)
        found.append(described(sentence, order=order, rng=rng))
    return found


def _bits(sentence: Sentence) -> NDArray[np.uint32]:
    masks = sentence_masks(
        *of_group(sentence.group), sentence.counts, sentence.kinds, sentence.positions
    )
    rows = np.arange(masks.shape[0])
    if not masks[rows, sentence.positions].all():
        raise AssertionError(f"the masks exclude a real crystal: {sentence}")
    return (masks * (1 << np.arange(masks.shape[1], dtype=np.uint64))).sum(axis=1).astype(np.uint32)


def _starts(sizes: Sequence[int]) -> NDArray[np.int64]:
    return np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
