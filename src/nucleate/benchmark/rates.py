"""The rates of the field for ranked lists of candidates, by hold-out and by class.

Candidates as they are generated and the structures of finished runs are measured by the same code.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any

import numpy as np

from nucleate.benchmark.metrics import (
    LOOSE,
    TIGHT,
    Reference,
    crmse,
    match_at,
    mean_displacement,
    metre,
    pooled_displacements,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from nucleate.benchmark.csp import Entry
    from nucleate.crystal.crystal import Crystal

Row = dict[str, Any]

RANKS = (1, 5, 20, 100)

SIZES = ((1, 6), (7, 10), (11, 14), (15, 20), (21, 10**6))
"""Classes of the number of atoms."""

ON_HULL = 1e-4
"""eV/atom."""


def measured_row(
    entry: Entry, known: str, candidates: Sequence[Crystal], above_hull: float | None
) -> Row:
    """Return what an entry is and where in its candidates, best first, the reference is."""
    return {
        "entry": entry.name,
        "known": known,
        "formula": entry.formula,
        "atoms": entry.crystal.n_atoms,
        "elements": len(set(entry.crystal.numbers.tolist())),
        "above_hull": above_hull,
        "candidates": len(candidates),
        "list": sha256("".join(map(digest_of, candidates)).encode()).hexdigest()[:12],
        **matches(Reference(entry.crystal), candidates),
    }


def digest_of(crystal: Crystal) -> str:
    """Return a digest of a crystal to 1e-6."""
    geometry = np.round(np.vstack([crystal.cell, crystal.scaled]), 6) + 0.0  # no negative zeros
    return sha256(crystal.numbers.astype("<i8").tobytes() + geometry.tobytes()).hexdigest()[:16]


def matches(reference: Reference, candidates: Sequence[Crystal]) -> Row:
    """Return the rms displacement of each candidate that matches, by rank (from 1) as text.

    Under ``loose`` and ``tight``, the tolerances.
    """
    found: Row = {"loose": {}, "tight": {}}
    for rank, crystal in enumerate(candidates, start=1):
        displacement = reference.displacement(crystal)
        if displacement is None:
            continue
        found["loose"][str(rank)] = round(displacement, 5)
        displacement = reference.displacement(crystal, TIGHT)
        if displacement is not None:
            found["tight"][str(rank)] = round(displacement, 5)
    return found


def by_rank(rows: Sequence[Row], kind: str) -> list[dict[int, float]]:
    """Return the ``loose`` or ``tight`` displacements of each row by rank."""
    return [{int(rank): value for rank, value in row[kind].items()} for row in rows]


def summary_rows(rows: Sequence[Row], *, most: int = RANKS[-1]) -> list[Row]:
    """Return the rates, in per cent with Wilson's interval: by hold-out, and in it by class.

    Ranks beyond ``most``, the number of candidates that were made, are left out.
    """
    summary = []
    for use in dict.fromkeys(row["known"] for row in rows):
        held = [row for row in rows if row["known"] == use]
        for name, group in classes(held):
            summary.append({"known": use, "entries": name, **_measures(group, most)})
    return summary


def hull_distances(table: Path) -> dict[str, float]:
    """Return eV/atom above the hull by identifier; empty where the table has no such column."""
    if not table.is_file():
        return {}
    import pyarrow.parquet as parquet

    names = ["material_id", "e_above_hull"]
    if not set(names) <= set(parquet.ParquetFile(table).schema_arrow.names):
        return {}
    rows = parquet.read_table(table, columns=names).to_pylist()
    return {str(row[names[0]]): row[names[1]] for row in rows if row[names[1]] is not None}


def classes(rows: Sequence[Row]) -> list[tuple[str, list[Row]]]:
    """Return rows by size, number of elements and hull distance; the first class holds all.

    Empty classes are left out.
    """
    groups = [("all", list(rows))]
    for low, high in SIZES:
        name = f"{low} to {high} atoms" if high < 10**6 else f"{low} atoms and more"
        groups.append((name, [row for row in rows if low <= row["atoms"] <= high]))
    groups += [
        (f"{count} elements", [row for row in rows if row["elements"] == count])
        for count in sorted({row["elements"] for row in rows})
    ]
    hull = [row for row in rows if row["above_hull"] is not None]
    groups.append(("on the hull", [row for row in hull if row["above_hull"] <= ON_HULL]))
    groups.append(("above the hull", [row for row in hull if row["above_hull"] > ON_HULL]))
    groups.append(("hull distance not known", [row for row in rows if row["above_hull"] is None]))
    return [(name, group) for name, group in groups if group]


def _measures(rows: Sequence[Row], most: int) -> Row:
    found = {kind: by_rank(rows, kind) for kind in ("loose", "tight")}
    measures: Row = {"number": len(rows)}
    for kind, head in (("loose", "match"), ("tight", "tight")):
        first = [min(item, default=None) for item in found[kind]]
        measures |= {f"{head}@{k}": str(match_at(first, k)) for k in RANKS if k <= most}
    shared = [f"{row['formula']} {row.get('list', '')}" for row in rows]
    pooled = pooled_displacements(shared, found["loose"], 1)
    return {
        **measures,
        "rms@1": f"{mean_displacement([item.get(1) for item in found['loose']]):.3f}",
        "METRe": str(metre(pooled)),
        "cRMSE": f"{crmse(pooled, LOOSE):.3f}",
    }
