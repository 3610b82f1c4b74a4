"""Reading, filtering and selecting the structures that potentials are derived from."""

from __future__ import annotations

import warnings
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nucleate.crystal.crystal import Crystal
from nucleate.errors import InputError
from nucleate.potentials.model import expected_volume

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


_HULL = 0.1  # eV/atom: structures further above the hull are left out


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """One structure of the data with its name and formula."""

    name: str
    formula: str
    crystal: Crystal


def read_structures(path: Path | str, *, split: str | None = None) -> list[Sample]:
    """Read a structure set: a parquet table, a folder, or any file of crystals.

    Parameters
    ----------
    path
        A parquet table with ``lattice``, ``species``, ``frac_coords`` (and, where present,
        ``split``, ``formula``, ``material_id``, ``e_above_hull``), a file or a folder of CIF,
        extended xyz or POSCAR files.
    split
        Keep only rows of this split (tables only).

    Raises
    ------
    InputError
        If nothing can be read.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f"structures = {path}: there is no such file or folder.")
    if path.suffix == ".parquet":
        samples = list(_read_table(path, split))
    else:
        named = _readable(path)
        samples = [Sample(name, formula_of(crystal), crystal) for name, crystal in named]
    if not samples:
        raise InputError(f"structures = {path}: no usable structure was found.")
    return samples


def _readable(path: Path) -> list[tuple[str, Crystal]]:
    """Return the crystals of a file or folder; what cannot be read is counted in a warning."""
    from nucleate.crystal.files import Unreadable, read_structures

    items = read_structures(path)
    broken = [item for item in items if isinstance(item, Unreadable)]
    if len(broken) == len(items):
        raise broken[0].error
    if broken:
        warnings.warn(
            f"structures: {len(broken)} of {len(items)} cannot be read and are left out, for "
            f"example {broken[0].error}",
            stacklevel=2,
        )
    return [(item.name, item.crystal) for item in items if not isinstance(item, Unreadable)]


def _read_table(path: Path, split: str | None) -> Iterator[Sample]:
    try:
        import pyarrow.compute as pc
        import pyarrow.parquet as pq
    except ImportError as error:
        raise InputError("reading parquet needs pyarrow: pip install pyarrow") from error

    table = pq.read_table(path)
    if split and "split" in table.column_names:
        chosen = pc.equal(table.column("split"), split)  # pyright: ignore[reportAttributeAccessIssue]
        table = table.filter(chosen)
    if "e_above_hull" in table.column_names:
        hull = pc.fill_null(table.column("e_above_hull"), 0.0)
        near = pc.less_equal(hull, _HULL)  # pyright: ignore[reportAttributeAccessIssue]
        table = table.filter(near)
    lists = {}
    for name in ("lattice", "species", "frac_coords"):
        column = table.column(name).combine_chunks()
        lists[name] = np.split(column.values.to_numpy(), column.offsets.to_numpy()[1:-1])
    names = (
        table.column("material_id").to_pylist()
        if "material_id" in table.column_names
        else [f"row-{row}" for row in range(table.num_rows)]
    )
    for name, lattice, species, scaled in zip(names, *lists.values(), strict=True):
        crystal = Crystal(species, lattice.reshape(3, 3), scaled.reshape(-1, 3))
        yield Sample(str(name), formula_of(crystal), crystal)


def formula_of(crystal: Crystal) -> str:
    """Return a key that is the same for the same reduced composition."""
    unique, counts = np.unique(crystal.numbers, return_counts=True)
    divisor = np.gcd.reduce(counts)
    return " ".join(f"{z}:{n // divisor}" for z, n in zip(unique, counts, strict=True))


def is_sane(crystal: Crystal, *, max_atoms: int) -> bool:
    """Return whether a structure is dense, of sensible contacts and not too large."""
    from nucleate.potentials.kernels import neighbours

    if crystal.n_atoms > max_atoms:
        return False
    ratio = crystal.volume / expected_volume(crystal)
    if not 0.5 < ratio < 1.8:
        return False
    cell = np.array(crystal.cell)
    first, _, _ = neighbours(crystal.scaled @ cell, cell, 0.7)
    return first[-1] == 0


def select(
    samples: Sequence[Sample],
    *,
    count: int,
    max_atoms: int,
    rng: np.random.Generator,
    excluded: frozenset[str] = frozenset(),
) -> list[Sample]:
    """Draw structures so that rare pairs of elements come first, one for each formula.

    Parameters
    ----------
    samples
        What to draw from.
    count
        How many at most.
    max_atoms
        Largest structure.
    rng
        Order of drawing.
    excluded
        Formula keys never to be taken.
    """
    seen: dict[tuple[int, int], int] = {}
    formulas = set(excluded)
    chosen: list[Sample] = []
    order = rng.permutation(len(samples))
    for wanted in (8, 40, 10**9):
        for index in order:
            sample = samples[index]
            if len(chosen) == count:
                return chosen
            if sample.formula in formulas or sample.crystal.n_atoms > max_atoms:
                continue
            unique = [int(z) for z in np.unique(sample.crystal.numbers)]
            pairs = [(a, b) for i, a in enumerate(unique) for b in unique[i:]]
            if min(seen.get(pair, 0) for pair in pairs) >= wanted:
                continue
            if not is_sane(sample.crystal, max_atoms=max_atoms):
                formulas.add(sample.formula)
                continue
            formulas.add(sample.formula)
            chosen.append(sample)
            for pair in pairs:
                seen[pair] = seen.get(pair, 0) + 1
    return chosen


def split_samples(path: Path | str) -> tuple[list[Sample], list[Sample]]:
    """Return structures to learn from and structures held out, without a common formula.

    A table with a column ``split`` gives its rows ``train`` and ``val``; anything else every
    tenth formula (in order of its hash) is held out.
    """
    path = Path(path)
    if path.suffix == ".parquet" and path.exists():
        import pyarrow.parquet as pq

        if "split" in pq.read_schema(path).names:
            return read_structures(path, split="train"), read_structures(path, split="val")
    samples = read_structures(path)
    held = [zlib.crc32(sample.formula.encode()) % 10 == 0 for sample in samples]
    return (
        [sample for sample, out in zip(samples, held, strict=True) if not out],
        [sample for sample, out in zip(samples, held, strict=True) if out],
    )
