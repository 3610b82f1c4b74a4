"""Readers of one kind of file each; all yield :class:`RawRow`."""

from __future__ import annotations

import csv
import gzip
import json
import sqlite3
import sys
from contextlib import closing
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from nucleate.crystal.crystal import Crystal
from nucleate.errors import InputError, MissingDependencyError
from nucleate.fitting.datasets.dataset import RawRow

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

ENERGY_COLUMNS = (
    "e_form_mp2018",
    "e_form",
    "formation_energy_per_atom",
    "e_form_per_atom",
    "formation_energy",
)
KEY_COLUMNS = ("material_id", "id", "mbid", "name")
Source = tuple["Iterator[RawRow]", str, list[str]]
"""Rows, the energy column (empty if there is none), the columns that nothing is read from."""


def read_parquet(path: Path, energy: str | None) -> Source:
    """Read a parquet table with ``lattice``, ``species`` and ``frac_coords`` columns."""
    try:
        import pyarrow.parquet as pq
    except ImportError as error:
        raise MissingDependencyError(
            "reading parquet needs pyarrow: pip install 'nucleate[train]'"
        ) from error
    names = pq.ParquetFile(path).schema_arrow.names
    wanted = ("lattice", "species", "frac_coords")
    _require(path, names, wanted)
    column = choose_energy(path, names, energy)
    optional = [name for name in (*KEY_COLUMNS[:1], "split") if name in names]
    used = [*wanted, *([column] if column else []), *optional]
    table = pq.read_table(path, columns=used)

    def rows() -> Iterator[RawRow]:
        number = 0
        for batch in table.to_batches(max_chunksize=4096):
            for record in batch.to_pylist():
                key = str(record.get("material_id") or number)
                number += 1
                crystal, problem = _from_lists(
                    record["species"], record["lattice"], record["frac_coords"]
                )
                split = str(record.get("split") or "")
                yield RawRow(key, crystal, _number(record.get(column)), problem, split)

    return rows(), column, [name for name in names if name not in used]


def read_matbench(path: Path, energy: str | None) -> Source:
    """Read matbench's JSON: ``index``, ``columns`` and ``data`` with pymatgen structures."""
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8") as stream:
        try:
            data = json.load(stream)
        except ValueError as error:
            raise InputError(f"{path} is not JSON ({error}); download the file again") from error
    if not isinstance(data, dict) or not {"columns", "data"} <= data.keys():
        raise InputError(
            f"{path} is not a matbench file: it needs the keys 'index', 'columns' and 'data'"
        )
    names = list(data["columns"])
    _require(path, names, ("structure",))
    column = choose_energy(path, names, energy)
    at = names.index("structure")
    energy_at = names.index(column) if column else None
    keys = data.get("index") or range(len(data["data"]))
    if len(keys) != len(data["data"]):
        raise InputError(
            f"{path}: 'index' has {len(keys)} entries and 'data' {len(data['data'])}; download "
            "the file again"
        )

    def rows() -> Iterator[RawRow]:
        for key, record in zip(keys, data["data"], strict=True):
            if not isinstance(record, list) or len(record) != len(names):
                yield RawRow(str(key), None, None, "broken structure")
                continue
            crystal, problem = _from_pymatgen(record[at])
            energy = None if energy_at is None else _number(record[energy_at])
            yield RawRow(str(key), crystal, energy, problem)

    return rows(), column, [name for name in names if name not in ("structure", column)]


def read_csv(path: Path, energy: str | None) -> Source:
    """Read a CSV with a ``cif`` column, as CDVAE and its relatives use."""
    from nucleate.crystal.cif import read_cif

    csv.field_size_limit(sys.maxsize)
    with path.open(newline="", encoding="utf-8") as stream:
        names = next(csv.reader(stream), [])
    _require(path, names, ("cif",))
    column = choose_energy(path, names, energy)
    key_column = next((name for name in KEY_COLUMNS if name in names), None)
    used = {"cif", column, key_column, "split"}

    def rows() -> Iterator[RawRow]:
        with path.open(newline="", encoding="utf-8") as stream:
            for number, record in enumerate(csv.DictReader(stream)):
                key = record[key_column] if key_column else str(number)
                crystal, problem = None, "broken structure"
                try:
                    found = read_cif(record["cif"] or "")
                    if len(found) == 1:
                        crystal, problem = found[0][1], ""
                except (InputError, ValueError):
                    pass
                split = record.get("split") or ""
                yield RawRow(key, crystal, _number(record.get(column)), problem, split)

    return rows(), column, [name for name in names if name not in used]


def read_frames(path: Path, energy: str | None) -> Source:
    """Read an ASE database, or whatever else holds structures; energies are in the frames' info.

    A broken frame or row is a :class:`RawRow` with a problem; the others are read.
    """
    frames = list(_database_rows(path) if path.suffix == ".db" else _file_frames(path))
    names = sorted({name for frame in frames for name in frame.facts})
    if not names and frames and all(frame.problem for frame in frames):
        raise InputError(f"{path}: none of its {len(frames)} structures can be read")
    column = choose_energy(path, names, energy)

    def rows() -> Iterator[RawRow]:
        for key, crystal, problem, facts in frames:
            split = str(facts.get("split", ""))
            yield RawRow(key, crystal, _number(facts.get(column)), problem, split)

    used = {column, "split", "material_id"}
    return rows(), column, [name for name in names if name not in used]


class _Frame(NamedTuple):
    """A structure of a file, or why it cannot be used, and the values given with it."""

    key: str
    crystal: Crystal | None
    problem: str
    facts: dict[str, Any]


def _file_frames(path: Path) -> Iterator[_Frame]:
    from nucleate.crystal.files import ReadStructure, iter_structures

    for item in iter_structures(path):
        if isinstance(item, ReadStructure):
            key = str(item.info.get("material_id", item.name))
            yield _Frame(key, item.crystal, "", dict(item.info))
        else:
            unperiodic = "not periodic" in str(item.error)
            problem = "not periodic" if unperiodic else "broken structure"
            yield _Frame(item.name, None, problem, {})


def _database_rows(path: Path) -> Iterator[_Frame]:
    from ase.db import connect

    try:
        with closing(sqlite3.connect(path)) as tables:
            ids = [number for (number,) in tables.execute("SELECT id FROM systems ORDER BY id")]
        database: Any = connect(path)
    except (sqlite3.Error, OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read ({error}); check the format") from error
    for number in ids:
        try:
            row = database.get(id=number)
            facts = dict(row.key_value_pairs) | dict(row.data)
            atoms = row.toatoms()
            key = str(row.get("material_id", number))
            if atoms.pbc.all() and atoms.cell.rank == 3:
                yield _Frame(key, Crystal.from_ase(atoms), "", facts)
            else:
                yield _Frame(key, None, "not periodic", facts)
        except Exception:  # noqa: BLE001 - whatever a damaged row raises costs only that row
            yield _Frame(str(number), None, "broken structure", {})


def choose_energy(path: Path, names: Sequence[str], energy: str | None) -> str:
    """Return the column of formation energies: the one asked for, else the first known one.

    It is empty where there is none: crystals alone teach generators.

    Raises
    ------
    InputError
        If the column asked for does not exist.
    """
    if energy is not None:
        _require(path, names, (energy,))
        return energy
    return next((name for name in ENERGY_COLUMNS if name in names), "")


def _require(path: Path, names: Sequence[str], wanted: Sequence[str]) -> None:
    missing = [name for name in wanted if name not in names]
    if missing:
        raise InputError(
            f"{path.name} has no column {', '.join(map(repr, missing))}; it has "
            f"{', '.join(names) or 'none'}. Rename its columns, or give another file."
        )


def _number(value: Any) -> float | None:
    if value is None or value == "":
        return None
    try:
        return float(value)
    except (TypeError, ValueError):
        return float("nan")


def _from_lists(species: Any, lattice: Any, scaled: Any) -> tuple[Crystal | None, str]:
    try:
        cell = np.asarray(lattice, dtype=np.float64).reshape(3, 3)
        inside = np.asarray(scaled, dtype=np.float64).reshape(-1, 3)
        return Crystal(np.asarray(species, dtype=np.int64), cell, inside), ""
    except (TypeError, ValueError):
        return None, "broken structure"


def _from_pymatgen(structure: Any) -> tuple[Crystal | None, str]:
    from ase.data import atomic_numbers

    try:
        sites = structure["sites"]
        if any(len(s["species"]) != 1 or s["species"][0]["occu"] != 1 for s in sites):
            return None, "disordered"
        numbers = [atomic_numbers[site["species"][0]["element"]] for site in sites]
        scaled = [site["abc"] for site in sites]
        return _from_lists(numbers, structure["lattice"]["matrix"], scaled)
    except (KeyError, IndexError, TypeError):
        return None, "broken structure"
