"""Fit the volumes of the elements on known structures: ``fit_volumes.py STRUCTURES [OUT]``.

The volume of a crystal is a sum over its atoms; the volume of an atom depends on its element and
on the family of the compound (``nucleate.crystal.volumes.family``). Least absolute logarithms by
re-weighting, each family's volumes drawn to the element's overall volume, with structures far
from a first fit (cells with vacuum) left out of the second.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import spsolve
from structure_table import StructureTable, read_structures

from nucleate.crystal.elements import MAX_NUMBER, element
from nucleate.crystal.volumes import FAMILIES, family

SHRINKAGE = 3e-3
SMALLEST_VOLUME = 2.0  # Å³
FEWEST_STRUCTURES = 5  # that an element needs in a family for a volume of its own
LARGEST_RATIO = 2.5

# Elements with too few structures: volume of the element in Å³ per atom (or an analogue's).
FILLED = {
    "He": 16.0, "Ne": 19.0, "Ar": 38.0, "Kr": 46.0, "Po": 37.0, "At": 50.0, "Rn": 70.0,
    "Fr": 70.0, "Ra": 45.0, "Ac": 37.0, "Am": 29.0, "Cm": 30.0, "Bk": 28.0, "Cf": 28.0,
    "Es": 28.0, "Fm": 28.0, "Md": 28.0, "No": 28.0, "Lr": 28.0,
}  # fmt: skip


def fractions_of(table: StructureTable) -> sparse.csr_matrix:
    """Return the fraction of each element in each structure."""
    size = MAX_NUMBER + 1
    rows = [np.bincount(c.numbers, minlength=size) / c.n_atoms for c in table.crystals]
    return sparse.csr_matrix(np.array(rows))


def families_of(table: StructureTable) -> np.ndarray:
    """Return the family of each structure."""
    found = []
    for crystal in table.crystals:
        unique, counts = np.unique(crystal.numbers, return_counts=True)
        symbols = [element(int(number)).symbol for number in unique]
        found.append(family(dict(zip(symbols, counts, strict=True))))
    return np.array(found)


def by_family(fractions: sparse.csr_matrix, families: np.ndarray) -> sparse.csr_matrix:
    """Return the fractions of the elements in a block of columns for each family."""
    blocks = [sparse.diags((families == name).astype(float)) @ fractions for name in FAMILIES]
    return sparse.hstack(blocks).tocsr()


def fit(
    design: sparse.csr_matrix, volumes: np.ndarray, prior: np.ndarray, shrinkage: float
) -> np.ndarray:
    """Return the atomic volumes of least absolute logarithmic error, drawn to ``prior``."""
    predicted, weight = volumes.copy(), np.ones(volumes.size)
    fitted = prior
    for _ in range(25):
        scale = np.sqrt(weight) / predicted
        scaled = sparse.diags(scale) @ design
        normal = (scaled.T @ scaled + shrinkage * sparse.identity(design.shape[1])).tocsc()
        change = spsolve(normal, scaled.T @ (scale * (volumes - design @ prior)))
        fitted = np.maximum(prior + change, SMALLEST_VOLUME)
        predicted = design @ fitted
        weight = 0.04 / np.maximum(np.abs(np.log(volumes / predicted)), 0.04)
    return fitted


def errors(predicted: np.ndarray, volumes: np.ndarray) -> str:
    """Return the mean and median relative error in words."""
    error = np.abs(predicted / volumes - 1.0)
    return f"mean {100 * error.mean():.1f} %, median {100 * np.median(error):.1f} %"


def table_text(
    general: np.ndarray, special: np.ndarray, present: np.ndarray, families: np.ndarray
) -> str:
    """Return the table as CSV."""
    blocks = special.reshape(len(FAMILIES), -1)
    lines = [",".join(["symbol", "structures", "any", *FAMILIES])]
    for number in range(1, MAX_NUMBER + 1):
        symbol = element(number).symbol
        cells = [str(int(present[:, number].sum())), f"{general[number]:.2f}"]
        for name, block in zip(FAMILIES, blocks, strict=True):
            own = present[families == name, number].sum() >= FEWEST_STRUCTURES
            cells.append(f"{block[number]:.2f}" if own else "")
        lines.append(",".join([symbol, *cells]))
    return "\n".join(lines) + "\n"


def main() -> None:
    """Fit, report the hold-out errors and write the table."""
    table = read_structures(Path(sys.argv[1]))
    fractions, families = fractions_of(table), families_of(table)
    design = by_family(fractions, families)
    train = table.usable & (table.splits == "train")
    held_out = table.usable & (table.splits == "val")
    start = np.full(MAX_NUMBER + 1, 20.0)
    for symbol, volume in FILLED.items():
        start[element(symbol).number] = volume
    first = fit(fractions[train], table.volumes[train], start, 1e-2)
    ratio = table.volumes / np.maximum(fractions @ first, 1.0)
    solid = (ratio > 1.0 / LARGEST_RATIO) & (ratio < LARGEST_RATIO)
    train, kept = train & solid, held_out & solid
    general = fit(fractions[train], table.volumes[train], start, 1e-2)
    special = fit(design[train], table.volumes[train], np.tile(general, len(FAMILIES)), SHRINKAGE)
    report = [
        f"Held-out error with families: {errors(design[kept] @ special, table.volumes[kept])}",
        f"Held-out error without:       {errors(fractions[kept] @ general, table.volumes[kept])}",
    ]
    print("\n".join(report))
    if len(sys.argv) < 3:
        return
    header = [
        "Volume of an atom in Å³ by element and family of compounds (nucleate.crystal.volumes):",
        "  any: overall; where a family has too few structures its cell is empty and this counts.",
        "Fitted by benchmarks/fit_volumes.py on structures of the Materials Project (CC-BY 4.0;",
        f"  Jain et al., APL Mater. 1, 011002, 2013): {train.sum()} to fit, {kept.sum()} held out",
        "  by formula. Left out: contacts below 0.7 Å, isolated atoms, above 250 Å³ per atom, and",
        f"  volumes off by more than a factor {LARGEST_RATIO} (wires and slabs in vacuum;",
        f"  {(held_out & ~solid).sum()} of the held-out).",
        *report,
        f"Set by hand where there is no structure to fit: {' '.join(FILLED)}.",
    ]
    text = "".join(f"# {line}\n" for line in header)
    text += table_text(general, special, fractions[train].toarray() > 0.0, families[train])
    Path(sys.argv[2]).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
