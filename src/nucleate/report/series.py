"""The files of relaxed structures, written row by row."""

from __future__ import annotations

import csv
import json
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nucleate.crystal.files import write_extxyz
from nucleate.report.columns import columns
from nucleate.report.files import atoms_of, database_values, frame_of
from nucleate.report.render import UNITS, cell_of, row_dict
from nucleate.report.rows import Row
from nucleate.report.views import FILES
from nucleate.run.relaxation import StoredRecords, file_crystal_of
from nucleate.run.store import Store
from nucleate.writing import whole_files

if TYPE_CHECKING:
    from collections.abc import Iterable

SOON = 200
"""Structures whose files are written when somebody waits for the end of a command, at most."""

TOLD = 20
"""Failures that are reported in full."""


@dataclass(slots=True)
class Tally:
    """What became of a series of structures.

    Attributes
    ----------
    number, with_energy : int
        Structures, and those that any tier gave an energy.
    good, converged : int
        Those with an energy and no failure, and the converged ones of those.
    failures : Counter
        The failed ones by reason.
    told : list of str
        The first failures in words.
    """

    number: int = 0
    with_energy: int = 0
    good: int = 0
    converged: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    told: list[str] = field(default_factory=list)

    def add(self, row: Row) -> None:
        """Count a structure."""
        self.number += 1
        self.with_energy += row.relaxed is not None
        if row.failure is not None:
            self.failures[str(row.failure.reason)] += 1
            if len(self.told) < TOLD:
                self.told.append(f"{row.name} failed ({row.failure.reason}): {row.failure.message}")
        elif row.relaxed is not None:
            self.good += 1
            self.converged += row.relaxed.converged


def tally_of(rows: Iterable[Row]) -> Tally:
    """Return what became of some structures."""
    tally = Tally()
    for row in rows:
        tally.add(row)
    return tally


def tally_of_store(folder: str | Path) -> Tally:
    """Return what became of the structures of a folder that are done."""
    tally = Tally()
    with Store.read(folder) as store:
        for record, _ in store.records():
            tally.add(Row.of_file(file_crystal_of(record), record, with_symmetry=False))
    return tally


def export_series(folder: str | Path, out: str | Path | None = None) -> Tally:
    """Write the files of :func:`write_series` for the structures of a folder that are done.

    Parameters
    ----------
    folder
        Of ``relax``, which may be in use.
    out
        Where to write; None means the folder itself.
    """
    records = StoredRecords(Path(folder))
    rows = (
        Row.of_file(file_crystal_of(record), record)
        for record in map(records.__getitem__, sorted(records))
    )
    return write_series(Path(folder if out is None else out), rows)


def write_series(folder: Path, rows: Iterable[Row]) -> Tally:
    """Write ``relaxed.csv``, ``relaxed.extxyz`` and ``relaxed.db`` into a folder.

    Parameters
    ----------
    folder
        Exists; files of these names are replaced.
    rows
        Of structures of files; gone through once, none is kept.

    Returns
    -------
    Tally
        What became of them.
    """
    from ase.db import connect

    tally, keys = Tally(), set[str]()
    view = columns(*FILES)
    with whole_files(folder) as unfinished, ExitStack() as stack:
        lines = stack.enter_context((unfinished / "rows.json").open("w+", encoding="utf-8"))
        database: Any = connect(unfinished / "relaxed.db")
        stack.enter_context(database)

        def frames() -> Iterable[Any]:
            for row in rows:
                tally.add(row)
                values = row_dict(row, view)
                keys.update(values)
                lines.write(json.dumps(values, default=lambda value: value.item()) + "\n")
                if row.relaxed is not None:
                    pairs, rest = database_values(row)
                    database.write(atoms_of(row, row.relaxed), key_value_pairs=pairs, data=rest)
                    yield frame_of(row, row.relaxed)

        write_extxyz(unfinished / "relaxed.extxyz", frames())
        heads = [
            column.key_in(unit)
            for column in view
            for unit in (UNITS if column.has_unit else ("",))
            if not column.has_unit or column.key_in(unit) in keys
        ]
        lines.seek(0)
        _write_table(unfinished / "relaxed.csv", lines, heads)
        (unfinished / "rows.json").unlink()
    return tally


def _write_table(path: Path, lines: Iterable[str], heads: list[str]) -> None:
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        for place, line in enumerate(lines):
            if place == 0:
                writer.writerow(heads)
            values = json.loads(line)
            writer.writerow([cell_of(values.get(head)) for head in heads])
