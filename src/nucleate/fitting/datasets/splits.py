"""Splits in which no formula is on two sides."""

from __future__ import annotations

import hashlib
from math import gcd
from typing import TYPE_CHECKING

import numpy as np

from nucleate.crystal.composition import Composition
from nucleate.errors import InputError
from nucleate.fitting.datasets.dataset import SPLITS

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from nucleate.crystal.crystal import Crystal
    from nucleate.fitting.datasets.dataset import Dataset


def reduced_formula(crystal: Crystal) -> str:
    """Return a formula that is the same for every cell of a compound, such as ``8:1 22:1``."""
    return reduced_formula_of(*np.unique(crystal.numbers, return_counts=True))


def reduced_formula_of(numbers: NDArray[np.integer], counts: NDArray[np.integer]) -> str:
    """Return the same of atomic numbers, in any order, and how many atoms each has."""
    divisor = gcd(*counts.tolist())
    pairs = sorted(zip(numbers.tolist(), counts.tolist(), strict=True))
    return " ".join(f"{z}:{n // divisor}" for z, n in pairs)


def reduced_formulas(formulas: Sequence[str]) -> frozenset[str]:
    """Return :func:`reduced_formula` of formulas such as ``Ca3Ti2O7``."""
    compositions = [Composition.from_formula(formula) for formula in formulas]
    return frozenset(
        reduced_formula_of(np.array(c.elements), np.array(list(c.counts.values())))
        for c in compositions
    )


def training_crystals(
    dataset: Dataset, withheld: Collection[str], say: Callable[[str], None]
) -> list[Crystal]:
    """Return the crystals of the training split without those of withheld reduced formulas."""
    crystals = [dataset.crystals[row] for row in dataset.rows("train")]
    kept = [crystal for crystal in crystals if reduced_formula(crystal) not in withheld]
    if len(kept) < len(crystals):
        say(f"left out, formula of the benchmark: {len(crystals) - len(kept):,}")
    return kept


def split_by_formula(
    formulas: Sequence[str], *, val: float = 0.05, test: float = 0.05, seed: int = 0
) -> NDArray[np.str_]:
    """Return a split by a hash of the formula, which does not depend on the order of the rows."""
    names = np.empty(len(formulas), dtype="<U5")
    for row, formula in enumerate(formulas):
        digest = hashlib.sha256(f"{seed}/{formula}".encode()).digest()
        share = int.from_bytes(digest[:8], "big") / 2**64
        names[row] = "val" if share < val else "test" if share < val + test else "train"
    return names


def leaking_rows(formulas: Sequence[str], split: Sequence[str]) -> list[int]:
    """Return rows whose formula is also in a later split (train < val < test).

    Leaving them out makes a given split honest without touching its test side.
    """
    last: dict[str, int] = {}
    ranks = [SPLITS.index(name) for name in split]
    for formula, rank in zip(formulas, ranks, strict=True):
        last[formula] = max(rank, last.get(formula, 0))
    return [
        row
        for row, (formula, rank) in enumerate(zip(formulas, ranks, strict=True))
        if rank < last[formula]
    ]


def check_sides(data: Path, dataset: Dataset, sides: Mapping[str, int], limit: int | None) -> None:
    """Refuse data of which one side of the split has no crystal, before anything is made of them.

    Parameters
    ----------
    data
        Where they are from.
    dataset
        What was read.
    sides
        Crystals that can be used, by ``train`` and ``val``.
    limit
        Rows that were read at most.

    Raises
    ------
    InputError
        If a side is empty; the message says how the data were split, and what helps.
    """
    for side, number in sides.items():
        if number:
            continue
        ways = [f"give rows whose column split is {side}"]
        if "given by the file" in dataset.report.split_by:
            ways.append("leave the column out, so that formulas are split")
        else:
            ways = ["give more formulas"]
        if limit is not None:
            ways.insert(0, f"raise --limit = {limit}")
        raise InputError(
            f"{data} has no crystal of the split {side!r} that can be used "
            f"({dataset.report.split_by}): {', or '.join(ways)}."
        )
