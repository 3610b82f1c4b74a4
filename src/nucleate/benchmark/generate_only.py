"""How often a generator has the reference structure, before anything is relaxed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from nucleate.benchmark.csp import SIZES
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
from nucleate.crystal.composition import Composition
from nucleate.crystal.space import SearchSpace
from nucleate.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from nucleate.benchmark.csp import Entry
    from nucleate.crystal.crystal import Crystal
    from nucleate.generate.generator import Generator
    from nucleate.generate.mix import GeneratorMix
    from nucleate.plugins import Component

Row = dict[str, Any]

RANKS = (1, 5, 20, 100)
LARGEST_CELL = 60
"""Atoms; candidates may have as many whatever the size of the reference, which is not given."""

ON_HULL = 1e-4
"""eV/atom."""

FAILURES_IN_A_ROW = 50


def measure(
    path: Path,
    entries: Sequence[Entry],
    generators: Sequence[Component],
    *,
    known: Sequence[str],
    library: tuple[str, ...] = ("shipped",),
    most: int = RANKS[-1],
    seed: int = 0,
    same_size: bool = False,
    above_hull: dict[str, float] | None = None,
    report: Callable[[str], None] = lambda _: None,
) -> list[Row]:
    """Measure the candidates of every entry under every hold-out; continue a file of before.

    Parameters
    ----------
    path
        File with one JSON line for each entry and hold-out, written as they are done.
    entries
        The references.
    generators
        What makes the candidates.
    known
        Hold-outs; see :class:`nucleate.library.hold_out.HoldOut`.
    library
        Libraries of known structures.
    most
        Candidates of each entry.
    seed
        Of the generators.
    same_size
        Give the number of atoms of the reference, as in the published match rates.
    above_hull
        eV/atom by the name of the entry, where known.
    report
        Called with a line for each entry.

    Raises
    ------
    InputError
        If the file was made with other generators, libraries, seed or number of candidates.
    """
    setup = {
        "generators": [item.model_dump(mode="json") for item in generators],
        "library": list(library),
        "most": most,
        "seed": seed,
    }
    if same_size:
        setup["same_size"] = True
    done = {(row["entry"], row["known"]): row for row in _continued(path, setup)}
    with path.open("a", encoding="utf-8") as stream:
        for use in known:
            for entry in entries:
                if (entry.name, use) in done:
                    continue
                space = space_of(entry.crystal, same_size=same_size)
                candidates = _candidates(entry, space, generators, use, library, most, seed)
                row = _row(entry, use, candidates, (above_hull or {}).get(entry.name))
                done[entry.name, use] = row
                stream.write(json.dumps(row) + "\n")
                stream.flush()
                report(f"{entry.name} {entry.formula} {use}: {len(candidates)} candidates")
    return [done[entry.name, use] for use in known for entry in entries]


def summary_rows(rows: Sequence[Row], *, most: int = RANKS[-1]) -> list[Row]:
    """Return the rates, in per cent with Wilson's interval: by hold-out, and in it by class.

    Ranks beyond ``most``, the number of candidates that were made, are left out.
    """
    summary = []
    for use in dict.fromkeys(row["known"] for row in rows):
        held = [row for row in rows if row["known"] == use]
        for name, group in _classes(held):
            if group:
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


def space_of(reference: Crystal, *, same_size: bool = False) -> SearchSpace:
    """Return what may be proposed for the composition of a reference."""
    composition = Composition.from_numbers(reference.numbers)
    if same_size:
        units = composition.formula_units_of(reference.numbers) or 1
        return SearchSpace.create(composition, formula_units=(units,), max_atoms=reference.n_atoms)
    return SearchSpace.create(composition, max_atoms=max(LARGEST_CELL, composition.n_atoms))


def drawn(generator: Generator | GeneratorMix, most: int, seed: int) -> list[Crystal]:
    """Return the first candidates of a generator; fewer where it gives nothing 50 times in a row.

    Parameters
    ----------
    generator
        What makes them.
    most
        Candidates.
    seed
        With the number of the trial the seed of each.
    """
    found: list[Crystal] = []
    failures = trial = 0
    while len(found) < most and failures < FAILURES_IN_A_ROW:
        candidate = generator.generate(rng=np.random.default_rng([seed, trial]))
        trial += 1
        failures = failures + 1 if candidate is None else 0
        if candidate is not None:
            generator.note(candidate.origin)
            found.append(candidate.crystal)
    return found


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


def read_rows(path: Path) -> list[Row]:
    """Return the rows of a file of JSON lines, without one that an interruption cut short."""
    rows = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            rows.append(json.loads(line))
        except ValueError:
            continue
    return rows


def _candidates(
    entry: Entry,
    space: SearchSpace,
    generators: Sequence[Component],
    known: str,
    library: tuple[str, ...],
    most: int,
    seed: int,
) -> list[Crystal]:
    from nucleate.generate.context import GeneratorContext
    from nucleate.generate.mix import GeneratorMix

    context = GeneratorContext(
        space,
        seed=seed,
        known=known,
        library=library,
        target=entry.crystal,
        warn=lambda _: None,
    )
    built = [(item.build(context), float(getattr(item, "weight", 1.0))) for item in generators]
    sources = [(source, weight) for source, weight in built if source is not None]
    if not sources:
        return []
    return drawn(GeneratorMix(sources), most, seed)


def _row(entry: Entry, known: str, candidates: Sequence[Crystal], above_hull: float | None) -> Row:
    return {
        "entry": entry.name,
        "known": known,
        "formula": entry.formula,
        "atoms": entry.crystal.n_atoms,
        "elements": len(set(entry.crystal.numbers.tolist())),
        "above_hull": above_hull,
        "candidates": len(candidates),
        **matches(Reference(entry.crystal), candidates),
    }


def _continued(path: Path, setup: Row) -> list[Row]:
    """Return the rows of a file, and write the setup to a new one."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"setup": setup}) + "\n", encoding="utf-8")
        return []
    rows = read_rows(path)
    if not rows or rows[0] != {"setup": setup}:
        raise InputError(
            f"{path} was made with other generators, libraries, --seed or --most. Choose another "
            "--out."
        )
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return rows[1:]


def _classes(rows: Sequence[Row]) -> list[tuple[str, list[Row]]]:
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
    return groups


def _measures(rows: Sequence[Row], most: int) -> Row:
    found = {kind: by_rank(rows, kind) for kind in ("loose", "tight")}
    measures: Row = {"number": len(rows)}
    for kind, head in (("loose", "match"), ("tight", "tight")):
        first = [min(item, default=None) for item in found[kind]]
        measures |= {f"{head}@{k}": str(match_at(first, k)) for k in RANKS if k <= most}
    pooled = pooled_displacements([row["formula"] for row in rows], found["loose"], 1)
    return {
        **measures,
        "rms@1": f"{mean_displacement([item.get(1) for item in found['loose']]):.3f}",
        "METRe": str(metre(pooled)),
        "cRMSE": f"{crmse(pooled, LOOSE):.3f}",
    }
