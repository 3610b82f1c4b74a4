"""Whether the reference structures of any list of compositions are found."""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from nucleate.benchmark.experiments import experiment_input
from nucleate.benchmark.matrix import Cell, is_done
from nucleate.benchmark.rates import RANKS, classes, measured_row
from nucleate.benchmark.references import REFERENCES, relaxed_structures
from nucleate.benchmark.results import SAME_ENERGY, read_result, tiers_of
from nucleate.benchmark.statistics import wilson_interval
from nucleate.crystal.composition import Composition
from nucleate.crystal.crystal import Crystal
from nucleate.crystal.symmetry import symmetrised
from nucleate.errors import InputError, MissingDependencyError
from nucleate.names import safe_name
from nucleate.run.folder import check_same_run
from nucleate.run.listed_files import FileCrystal, iter_files
from nucleate.run.store import Store

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from nucleate.benchmark.experiments import Experiment
    from nucleate.benchmark.references import RelaxedStructure
    from nucleate.benchmark.results import RunResult
    from nucleate.run.events import Callback

_log = logging.getLogger(__name__)

CLOSE = 0.1
"""Normalised rms displacement of a match that is not a loose one."""


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """A composition with its reference structure in the primitive cell."""

    name: str
    crystal: Crystal

    @property
    def formula(self) -> str:
        """The reduced formula."""
        return Composition.from_numbers(self.crystal.numbers).formula

    @property
    def problem(self) -> dict[str, Any]:
        """What the search is given: the formula and the size of the cell."""
        composition = Composition.from_numbers(self.crystal.numbers)
        units = composition.formula_units_of(self.crystal.numbers)
        return {"formula_units": [units], "max_atoms": self.crystal.n_atoms}


def read_entries(
    path: Path,
    *,
    number: int,
    seed: int,
    split: str = "val",
    atoms: tuple[int, int] = (4, 20),
) -> list[Entry]:
    """Return a seeded sample of the structures of a parquet table or a folder of CIF files.

    Parameters
    ----------
    path
        Table with ``lattice``, ``species``, ``frac_coords`` (and ``split``, ``material_id``), or
        folder.
    number, seed
        Of the sample; the same seed gives the same sample, and a larger one begins with it.
    split
        Part of the table.
    atoms
        Smallest and largest primitive cell.

    Raises
    ------
    InputError
        If nothing fits.
    """
    named = _from_table(path, split, atoms) if path.is_file() else _from_folder(path)
    order = np.random.default_rng(seed).permutation(len(named))
    entries: list[Entry] = []
    for index in order:
        name, crystal = named[index]
        primitive, _ = symmetrised(crystal)
        if atoms[0] <= primitive.n_atoms <= atoms[1]:
            entries.append(Entry(name, primitive))
        if len(entries) == number:
            break
    if not entries:
        raise InputError(f"{path} has no structure of {atoms[0]} to {atoms[1]} atoms.")
    return entries


def run_entry(
    out: Path,
    entry: Entry,
    experiment: Experiment,
    *,
    seed: int,
    core_time_s: float,
    workers: int,
    known: str = "off",
    library: Sequence[str] = ("shipped",),
    callback: Callback | None = None,
) -> str:
    """Search for one entry until its budget is spent; return why the run stopped.

    Parameters
    ----------
    out, entry, experiment
        Where, for what and how.
    seed, core_time_s, workers
        As in :func:`~nucleate.benchmark.experiments.experiment_input`.
    known
        Which known structures may be used: a hold-out.
    library
        Libraries of them.
    callback
        As in :func:`~nucleate.run.predict.predict`.

    Raises
    ------
    InputError
        If the folder of the entry holds a run that was set up otherwise.
    """
    from nucleate.run.predict import predict

    folder = entry_folder(out, entry, known)
    settings = experiment_input(
        experiment,
        entry.formula,
        seed=seed,
        core_time_s=core_time_s,
        workers=workers,
        problem=entry.problem,
        known=known,
        library=library,
    )
    check_same_run(folder, settings)
    if is_done(folder, core_time_s):
        return "done before"
    return predict(settings, folder, callback=callback).reason


def entry_folder(out: Path, entry: Entry, known: str = "off") -> Path:
    """Return the run folder of an entry under a hold-out."""
    return out / ("csp" if known == "off" else f"csp-{known}") / safe_name(entry.name)


def entry_rows(
    out: Path,
    entries: Sequence[Entry],
    *,
    known: Sequence[str] = ("off",),
    above_hull: Mapping[str, float] | None = None,
    workers: int = 1,
) -> list[dict[str, Any]]:
    """Return a row for each entry and hold-out that has been begun.

    It says whether the reference was found, its rank, gap and core seconds. The references are
    relaxed by the tier of the runs first, unless that was done for as many.

    Parameters
    ----------
    out, entries
        The folder of the runs, and what was searched for.
    known
        Hold-outs.
    above_hull
        eV/atom by the name of the entry, where known.
    workers
        Worker processes.
    """
    begun = _begun(out, entries, known)
    if not begun:
        return []
    references = entry_references(out, entries, entry_folder(out, *begun[0]), workers=workers)
    rows = []
    for entry, use in begun:
        row = entry_row(entry_folder(out, entry, use), entry, references.get(entry.name))
        rows.append({"known": use, **row, "above_hull": (above_hull or {}).get(entry.name)})
    return rows


def entry_references(
    out: Path, entries: Sequence[Entry], run: Path, *, workers: int = 1
) -> dict[str, RelaxedStructure]:
    """Return the references, relaxed once by the last tier of a run, by name.

    Parameters
    ----------
    out
        Where they are kept.
    entries
        All of them.
    run
        The folder of a run.
    workers
        Worker processes.
    """
    items = [FileCrystal(entry.name, entry.name, entry.crystal) for entry in entries]
    folder = out / f"{REFERENCES}-csp-{len(items)}"
    found = relaxed_structures(folder, items, tiers_of(run)[-1:], workers=workers)
    return {item.name: item for item in found}


def entry_row(folder: Path, entry: Entry, reference: RelaxedStructure | None) -> dict[str, Any]:
    """Return what a run has found of its reference.

    Parameters
    ----------
    folder
        The run folder.
    entry
        What was searched for.
    reference
        As :func:`entry_references` gives it; None where it has no energy.

    Returns
    -------
    dict
        Whether it was found, rank, rms displacements, core seconds, and gap in meV/atom.
    """
    result = read_result(folder, Cell(entry.name, "csp", 0), reference)
    return _row(entry, result, None if reference is None else reference.energy_ev_per_atom)


def ranked_rows(
    out: Path,
    entries: Sequence[Entry],
    *,
    known: Sequence[str] = ("off",),
    above_hull: Mapping[str, float] | None = None,
) -> list[dict[str, Any]]:
    """Return where the reference is in the structures of each run, ranked by energy.

    The rows are those of candidates that are not relaxed
    (:func:`nucleate.benchmark.generate_only.measure`), with the first distinct structures of a
    run, lowest first, as the candidates, and the reference as it is given. Parameters are those
    of :func:`entry_rows`.
    """
    from nucleate.report.light import overview
    from nucleate.report.ranking import ENERGY

    rows = []
    for entry, use in _begun(out, entries, known):
        with Store.read(entry_folder(out, entry, use)) as store:
            ranked = overview(store, best=RANKS[-1], order=ENERGY).ranked
        crystals = [item.crystal for item in ranked]
        rows.append(measured_row(entry, use, crystals, (above_hull or {}).get(entry.name)))
    return rows


def summary_rows(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return success rates with Wilson's interval: by hold-out, and in it by class."""
    summary = []
    for use in dict.fromkeys(row["known"] for row in rows):
        summary += _rates(use, [row for row in rows if row["known"] == use])
    return summary


def _begun(out: Path, entries: Sequence[Entry], known: Sequence[str]) -> list[tuple[Entry, str]]:
    pairs = [(entry, use) for use in known for entry in entries]
    return [(entry, use) for entry, use in pairs if Store.exists(entry_folder(out, entry, use))]


def _rates(known: str, rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    summary = []
    for name, group in classes(rows):
        matched = [row for row in group if row["verdict"] == "found"]
        found = len(matched)
        lower = sum(row["verdict"] == "lower" for row in group)
        low, high = wilson_interval(found, len(group))
        summary.append(
            {
                "known": known,
                "entries": name,
                "number": len(group),
                "found": found,
                "rate": f"{found / len(group):.2f}",
                "95 %": f"{low:.2f}-{high:.2f}",
                f"of these within rms {CLOSE}": sum(row["closest_rms"] <= CLOSE for row in matched),
                "found as the lowest": sum(row["rank"] == 1 for row in group),
                "another one lower": lower,
            }
        )
    return summary


def reasons(rows: Sequence[dict[str, Any]]) -> Counter[str]:
    """Return how often the reference was not found, by what was found instead."""
    return Counter(row["verdict"] for row in rows)


def _row(entry: Entry, result: RunResult, target: float | None) -> dict[str, Any]:
    best, hit = result.best_ev_per_atom, result.hit
    gap = None if target is None or best is None else 1000.0 * (best - target)
    if hit is not None:
        verdict = "found"
    elif gap is None:
        verdict = "no energy"
    elif gap < -1000.0 * SAME_ENERGY:
        verdict = "lower"
    else:
        verdict = "not found"
    return {
        "entry": entry.name,
        "formula": entry.formula,
        "atoms": entry.crystal.n_atoms,
        "elements": len(set(entry.crystal.numbers.tolist())),
        "verdict": verdict,
        "rank": "" if hit is None else hit.rank,
        "rms": "" if hit is None else round(hit.rms, 4),
        "closest_rms": "" if hit is None else round(hit.closest_rms, 4),
        "found_core_s": "" if hit is None else round(hit.core_s, 1),
        "found_by": "" if hit is None else hit.source,
        "gap_mev_per_atom": "" if gap is None else round(gap, 1),
        "core_s": round(result.core_s, 1),
        "structures": result.structures,
    }


def _from_folder(path: Path) -> list[tuple[str, Crystal]]:
    if not path.is_dir():
        raise InputError(f"{path} is neither a parquet file nor a folder of CIF files.")
    found, problems = [], []
    for file in sorted(path.rglob("*.cif")):
        for number, item in enumerate(iter_files([file])):
            if isinstance(item.crystal, Crystal):
                found.append((f"{file.stem}-{number}" if number else file.stem, item.crystal))
            else:
                problems.append(str(item.crystal))
    if problems:
        _log.warning("%d left out as they cannot be used: %s", len(problems), problems[0])
    if not found:
        raise InputError(f"{path} has no CIF file that can be read.")
    return found


def _from_table(path: Path, split: str, atoms: tuple[int, int]) -> list[tuple[str, Crystal]]:
    try:
        import pyarrow.parquet as parquet
    except ImportError as error:
        raise MissingDependencyError(
            "a parquet table needs pyarrow: pip install 'nucleate[benchmark]'"
        ) from error
    names = set(parquet.ParquetFile(path).schema_arrow.names)
    columns = ["lattice", "species", "frac_coords"]
    missing = [name for name in columns if name not in names]
    if missing:
        raise InputError(f"{path} has no column {missing[0]!r}. Give a table of structures.")
    extra = [name for name in ("split", "material_id") if name in names]
    found = []
    part = [("split", "=", split)] if names >= {"split", "material_id"} else None
    table = parquet.read_table(path, columns=columns + extra, filters=part)
    for number, row in enumerate(table.to_pylist()):
        if row.get("split", split) != split or not atoms[0] <= len(row["species"]) <= 4 * atoms[1]:
            continue
        crystal = Crystal(
            np.array(row["species"]),
            np.array(row["lattice"], dtype=np.float64).reshape(3, 3),
            np.array(row["frac_coords"], dtype=np.float64).reshape(-1, 3),
        )
        found.append((str(row.get("material_id") or f"row-{number}"), crystal))
    return found
