"""From a file to a screened data set with an honest split."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nucleate.errors import InputError
from nucleate.fitting.datasets.dataset import SPLITS, Dataset, DatasetReport
from nucleate.fitting.datasets.screening import MISSING_ENERGY, ScreenSettings, rejection
from nucleate.fitting.datasets.sources import (
    ENERGY_COLUMNS,
    read_csv,
    read_frames,
    read_matbench,
    read_parquet,
)
from nucleate.fitting.datasets.splits import leaking_rows, reduced_formula, split_by_formula
from nucleate.reading import guarded, guarded_rows

if TYPE_CHECKING:
    from nucleate.crystal.crystal import Crystal
    from nucleate.fitting.datasets.dataset import RawRow
    from nucleate.fitting.datasets.sources import Source

_REMEDY = "Check the format, or write the file again."

READERS = {
    ".parquet": read_parquet,
    ".json": read_matbench,
    ".json.gz": read_matbench,
    ".csv": read_csv,
}


def load_dataset(
    path: str | Path,
    *,
    energy_column: str | None = None,
    energies: bool = True,
    screen: ScreenSettings | None = None,
    seed: int = 0,
    limit: int | None = None,
) -> Dataset:
    """Read a data file, leave out what cannot teach, and split it by formula.

    Parameters
    ----------
    path
        ``.parquet``, matbench ``.json`` or ``.json.gz``, ``.csv`` with a ``cif`` column, an ASE
        ``.db``, or a file, archive or folder of structures, see
        :func:`~nucleate.crystal.files.read_structures`.
    energy_column
        Column (or info key) of formation energies in eV/atom; by default a known name.
    energies
        Leave out crystals without an energy. Otherwise they are kept, with NaN in its place.
    screen
        Limits of a usable crystal.
    seed
        Of the split, where the file gives none.
    limit
        Read at most this number of rows.

    Raises
    ------
    InputError
        If the file or a needed column is missing, or nothing is left.
    """
    source = Path(path)
    rows, column, ignored = _open(source, energy_column)
    if energies and not column:
        raise InputError(_without_energies(source.name, ignored))
    report = DatasetReport(source.name, column, ignored_columns=ignored)
    settings = screen or ScreenSettings()
    kept: list[RawRow] = []
    unlabelled: list[Crystal] = []
    withheld: set[str] = set()
    for row in rows:
        if limit is not None and report.rows >= limit:
            break
        report.rows += 1
        reason = rejection(row, settings, energies=energies)
        if not reason and row.split and row.split not in SPLITS:
            reason = "unknown split"
        lacks_only_energy = reason == MISSING_ENERGY and not rejection(
            row, settings, energies=False
        )
        if lacks_only_energy and row.split == "train" and row.crystal is not None:
            unlabelled.append(row.crystal)
        if row.split not in ("", "train") and row.crystal is not None:
            withheld.add(reduced_formula(row.crystal))
        if reason:
            report.leave_out(reason, row.key)
        else:
            kept.append(row)
    made = _split(kept, report, seed)
    held = [made.crystals[row] for row in np.flatnonzero(made.split != "train")]
    withheld.update(reduced_formula(crystal) for crystal in held)
    return replace(made, unlabelled=tuple(unlabelled), withheld=frozenset(withheld))


def _split(kept: list[RawRow], report: DatasetReport, seed: int) -> Dataset:
    if not kept:
        why = "; ".join(
            f"{reason}: {len(keys):,}" for reason, keys in sorted(report.left_out.items())
        )
        raise InputError(
            f"{report.source}: none of {report.rows} rows has a structure that can be used"
            f"{f' ({why})' if why else ''}. {_REMEDY}"
        )
    formulas = [reduced_formula(row.crystal) for row in kept if row.crystal is not None]
    given = [row.split for row in kept]
    if all(given):
        report.split_by = "split given by the file"
        split = np.array(given)
        leaks = set(leaking_rows(formulas, given))
        for row in sorted(leaks):
            report.leave_out("formula in a later split", kept[row].key)
    else:
        if any(given):
            report.split_by = f"some rows had no split: all split by formula, seed {seed}"
        else:
            report.split_by = f"split by formula, seed {seed}"
        split = split_by_formula(formulas, seed=seed)
        leaks = set()
    rest = [number for number in range(len(kept)) if number not in leaks]
    split = split[rest]
    report.kept = len(rest)
    report.sizes = {name: int((split == name).sum()) for name in SPLITS}
    crystals = [kept[number].crystal for number in rest]
    return Dataset(
        keys=tuple(kept[number].key for number in rest),
        crystals=tuple(crystal for crystal in crystals if crystal is not None),
        energies=np.array(
            [np.nan if kept[n].energy is None else kept[n].energy for n in rest], dtype=np.float32
        ),
        split=split,
        report=report,
    )


def _without_energies(name: str, columns: list[str]) -> str:
    """Return what is missing and what helps, where a file has no known column of energies."""
    known = ", ".join(ENERGY_COLUMNS)
    if columns:
        return (
            f"{name} has no column of formation energies that nucleate knows ({known}); name one "
            f"of its columns with --energy-column: {', '.join(columns)}"
        )
    return (
        f"{name} has no formation energies, nor a column that could hold them. Give a table "
        "(parquet, CSV with the CIFs, matbench JSON), an extxyz file or an ASE database with "
        f"energies in eV/atom in a column or info key of one of these names: {known}."
    )


def _open(path: Path, energy_column: str | None) -> Source:
    if not path.exists():
        raise InputError(f"data file {path} does not exist")
    reader = next((found for end, found in READERS.items() if path.name.endswith(end)), read_frames)
    with guarded(str(path), _REMEDY):
        rows, column, ignored = reader(path, energy_column)
    return guarded_rows(rows, str(path), _REMEDY), column, ignored
