"""Further lessons: crystals in which one or two elements are exchanged for similar ones.

Elements that often take each other's place in the training data are likely to do so elsewhere.
What the language learns of rare elements from its own crystals alone it soon knows by heart;
exchanges keep the assignments of the validation crystals improving.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from nucleate.fitting.datasets.splits import reduced_formula_of
from nucleate.generate.wyckoff_language.sentence import expected_volume, usual_order
from nucleate.library.similarity import SIZE, count_swaps, swap_chances

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from numpy.typing import NDArray

    from nucleate.fitting.wyckoff_language.corpus import Corpus

LEAST_CHANCE = 0.45
"""Least share of the same protostructure among pairs of compounds that differ in two elements."""

LEAST_PAIRS = 15
"""Pairs of elements of which fewer such compounds are known are not exchanged."""

SHARPNESS = 4
"""Power of the chance by which the other element is drawn."""

SECOND = 0.4
"""Share of these crystals in which two elements are exchanged."""


class Exchanges:
    """Exchanges elements in sentences.

    Parameters
    ----------
    corpus : Corpus
        Sentences from which it is counted what can be exchanged.
    withheld : collection of str
        Formulas, as ``reduced_formula`` writes them, that are not made.
    """

    def __init__(self, corpus: Corpus, withheld: Collection[str] = ()) -> None:
        same, total = count_swaps(_compounds(corpus))
        chances = swap_chances(same, total)
        chances[(chances < LEAST_CHANCE) | (total < LEAST_PAIRS)] = 0.0
        np.fill_diagonal(chances, 0.0)
        self.weights: NDArray[np.float64] = chances**SHARPNESS
        self._withheld = frozenset(withheld)

    def read(
        self, corpus: Corpus, chosen: NDArray[np.int64], share: float, rng: np.random.Generator
    ) -> Corpus:
        """Return the corpus with elements exchanged in a share of the chosen sentences.

        Space group, positions, shape and free coordinates stay; the volume keeps its ratio to
        the expected one. Where elements would come in another order, or the formula is withheld,
        the sentence stays as it is.
        """
        numbers, log_volume = corpus.numbers.copy(), corpus.log_volume.copy()
        for sentence in chosen[rng.random(chosen.size) < share]:
            part = slice(corpus.element_start[sentence], corpus.element_start[sentence + 1])
            before, counts = corpus.numbers[part], corpus.counts[part]
            after = self._exchanged(before, rng)
            if after is None or reduced_formula_of(after, counts) in self._withheld:
                continue
            if _is_in_order(before) and not _is_in_order(after):
                continue
            numbers[part] = after
            log_volume[sentence] = np.log(expected_volume(after, counts) / counts.sum())
        return replace(corpus, numbers=numbers, log_volume=log_volume)

    def _exchanged(
        self, numbers: NDArray[np.int64], rng: np.random.Generator
    ) -> NDArray[np.int64] | None:
        """Return other elements, None where none of them has a similar one."""
        after = numbers.copy()
        for _ in range(2 if rng.random() < SECOND else 1):
            weights = self.weights[after]
            weights[:, after] = 0.0
            total = weights.sum()
            if total == 0.0:
                break
            slot, other = divmod(int(rng.choice(weights.size, p=weights.ravel() / total)), SIZE)
            after[slot] = other
        return None if np.array_equal(after, numbers) else after


def _is_in_order(numbers: NDArray[np.int64]) -> bool:
    return bool(np.all(usual_order(numbers) == np.arange(numbers.size)))


def _compounds(corpus: Corpus) -> Iterator[tuple[tuple[tuple[int, int], ...], str]]:
    """Return formula and protostructure of each crystal."""
    for sentence in corpus.canonical:
        elements = slice(corpus.element_start[sentence], corpus.element_start[sentence + 1])
        orbits = slice(corpus.orbit_start[sentence], corpus.orbit_start[sentence + 1])
        numbers, counts = corpus.numbers[elements], corpus.counts[elements]
        kinds, positions = corpus.kinds[orbits], corpus.positions[orbits]
        held = sorted(
            (int(count), positions[kinds == kind].tolist()) for kind, count in enumerate(counts)
        )
        units = np.gcd.reduce(counts)
        formula = tuple((int(z), int(n // units)) for z, n in zip(numbers, counts, strict=True))
        yield formula, f"{corpus.group[sentence]} {held}"
