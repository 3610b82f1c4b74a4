"""The crystals of a data set as the flow sees them, made once and kept."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nucleate.crystal.symmetry import symmetrised
from nucleate.errors import InputError
from nucleate.fitting.datasets import check_sides, load_dataset, training_crystals
from nucleate.fitting.state import kept_arrays
from nucleate.generate.flow.cells import expected_length, log_strain, niggli

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from nucleate.crystal.crystal import Crystal

MOST_IN_CELL = 4
"""Cells of as many times the largest size are looked at: their primitive cell may be small."""

LARGEST_STRAIN = 1.5
"""A cell that is further from the cube of the expected volume teaches nothing."""


@dataclass(frozen=True, slots=True, eq=False)
class Corpus:
    """Primitive crystals, one after the other.

    Attributes
    ----------
    start : ndarray of int64, shape (n + 1,)
        Atoms of crystal k are ``start[k]:start[k + 1]``.
    numbers : ndarray of int64, shape (n_atoms,)
    scaled : ndarray of float32, shape (n_atoms, 3)
        In the Niggli cell.
    length : ndarray of float32, shape (n,)
        Edge in Å of a cube of the expected volume.
    strain : ndarray of float32, shape (n, 6)
        Log-strain of the cell relative to that cube.
    """

    start: NDArray[np.int64]
    numbers: NDArray[np.int64]
    scaled: NDArray[np.float32]
    length: NDArray[np.float32]
    strain: NDArray[np.float32]

    def __len__(self) -> int:
        return self.length.size

    @property
    def sizes(self) -> NDArray[np.int64]:
        """Atoms of each crystal."""
        return np.diff(self.start)

    @property
    def elements(self) -> tuple[int, ...]:
        """Atomic numbers that occur."""
        return tuple(int(z) for z in np.unique(self.numbers))

    def atoms(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the places of the atoms of crystals of one size, shape (n_rows, size)."""
        return self.start[rows][:, None] + np.arange(int(self.sizes[rows[0]]))


def read_corpora(
    data: Path,
    folder: Path,
    *,
    most_atoms: int,
    limit: int | None,
    seed: int,
    say: Callable[[str], None],
    withheld: Collection[str] = (),
) -> tuple[Corpus, Corpus, str]:
    """Return the crystals for training and for validation, and the account of the data.

    Parameters
    ----------
    data
        See :func:`~nucleate.fitting.datasets.load_dataset`; no energies are needed.
    folder
        Where the crystals are kept.
    most_atoms
        Largest primitive cell.
    limit
        Read at most this number of rows.
    seed
        Of the split, where the file gives none.
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
    check_sides(data, dataset, {"train": len(train), "val": len(val)}, limit)
    found = []
    for name, crystals in (("training", train), ("validation", val)):
        corpus = _kept(crystals, folder, name, most_atoms)
        if not len(corpus):
            raise InputError(
                f"{data} has no {name} crystal of at most {most_atoms} atoms; give more structures"
            )
        found.append(corpus)
    return found[0], found[1], dataset.report.lines()[0]


def corpus_of(crystals: Iterable[Crystal]) -> Corpus:
    """Return crystals in their Niggli cells as flat arrays."""
    parts = list(crystals)
    lengths = [expected_length(crystal.numbers) for crystal in parts]
    strain = np.zeros((len(parts), 6), np.float32)
    for row, crystal, length in zip(strain, parts, lengths, strict=True):
        row[:] = log_strain(crystal.cell / length)
    return Corpus(
        start=np.concatenate([[0], np.cumsum([c.n_atoms for c in parts])]).astype(np.int64),
        numbers=np.concatenate([np.zeros(0, np.int64), *(c.numbers for c in parts)]),
        scaled=np.concatenate([np.zeros((0, 3)), *(c.scaled for c in parts)]).astype(np.float32),
        length=np.array(lengths, np.float32),
        strain=strain,
    )


def _kept(crystals: Sequence[Crystal], folder: Path, name: str, most_atoms: int) -> Corpus:
    """Make the primitive crystals, or read those of before."""
    digest = hashlib.sha256(str((most_atoms, MOST_IN_CELL, LARGEST_STRAIN)).encode())
    for crystal in crystals:
        for array in (crystal.numbers, crystal.cell, crystal.scaled):
            digest.update(array.tobytes())
    path = folder / f"crystals-{name}-{digest.hexdigest()[:10]}.npz"
    small = (c for c in crystals if c.n_atoms <= MOST_IN_CELL * most_atoms)
    return kept_arrays(path, Corpus, lambda: corpus_of(_primitive(small, most_atoms)))


def _primitive(crystals: Iterable[Crystal], most_atoms: int) -> Iterable[Crystal]:
    for crystal in crystals:
        primitive, _ = symmetrised(crystal)
        if primitive.n_atoms > most_atoms:
            continue
        try:
            found = niggli(primitive)
        except ValueError:
            continue
        strain = log_strain(found.cell / expected_length(found.numbers))
        if np.abs(strain).max() <= LARGEST_STRAIN:
            yield found
