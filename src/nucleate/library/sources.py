"""Known compounds from tables, folders, databases and downloads."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nucleate.crystal.crystal import Crystal
from nucleate.crystal.files import iter_structures
from nucleate.crystal.formats.archives import is_archive, plain_name
from nucleate.crystal.formats.cif_elements import DEUTERIUM
from nucleate.crystal.formats.sniffing import format_of
from nucleate.crystal.formats.structures import (
    ReadStructure,
    Unreadable,
    first_line,
    impossible,
)
from nucleate.errors import InputError, MissingDependencyError
from nucleate.library.documents import documents_in
from nucleate.library.entries import Known
from nucleate.reading import database_rows, guarded_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

_REMEDY = "Check what the file is, or write it again."
_DATABASES = (".db", ".aselmdb")
_HULL_KEYS = ("e_above_hull", "energy_above_hull")


def read_source(
    source: str | Path, *, splits: Sequence[str] | None = None
) -> Iterator[Known | Unreadable]:
    """Yield the compounds of a source, whose kind follows from its name.

    An entry that cannot be used, for example one with a partly occupied site, is an
    :class:`~nucleate.crystal.formats.structures.Unreadable` with the reason; the others can.

    ``.parquet``: columns ``material_id``, ``lattice``, ``species``, ``frac_coords`` and optionally
    ``split`` and the values below. A structure file, an archive, or a folder: every structure in
    it (:func:`nucleate.crystal.files.iter_structures`). ``.db``: an ASE database. ``.json``,
    also compressed: documents of the Materials Project, entries of pymatgen, tables of matbench,
    and documents of JARVIS (:mod:`nucleate.library.documents`). Values of a row, of the comment
    line of an extxyz frame, of the keys of a database and of a document are ``material_id``,
    ``e_above_hull`` or ``energy_above_hull`` (eV/atom), ``in_icsd``, and ``theoretical``, its
    opposite. Deuterium is read as hydrogen.

    Parameters
    ----------
    source
        A file or folder.
    splits
        Rows of a table to take, by its column ``split``; all by default.

    Raises
    ------
    InputError
        If it does not exist or cannot be read.
    """
    path = Path(source)
    if not path.exists():
        raise InputError(f"library: {path} does not exist. Check the path.")
    suffix = path.suffix.lower()
    if suffix == ".parquet" and not path.is_dir():
        return guarded_rows(_table(path, splits), f"library: {path}", _REMEDY)
    if suffix in _DATABASES and not path.is_dir():
        return guarded_rows(_database(path), f"library: {path}", _REMEDY)
    if plain_name(path.name).lower().endswith(".json") and not path.is_dir():
        return guarded_rows(_documents(path), f"library: {path}", _REMEDY)
    if path.is_dir() or is_archive(path.name) or format_of(path.name) is not None:
        return _structures(path)
    raise InputError(
        f"library: the kind of {path} cannot be determined from its name. Give .parquet, .cif, "
        ".extxyz, .vasp, .db, .json (or .json.gz) or a folder."
    )


def _structures(path: Path) -> Iterator[Known | Unreadable]:
    where = path.name if path.is_dir() else path.stem
    for item in iter_structures(path):
        if isinstance(item, Unreadable):
            yield item
            continue
        name = str(item.info.get("material_id", item.name))
        yield _entry(path, name, lambda item=item: item, item.info, where)


def _entry(
    path: Path,
    name: str,
    read: Callable[[], ReadStructure],
    values: Mapping[str, Any],
    where: str = "",
) -> Known | Unreadable:
    """Return an entry with its values, or why it cannot be used."""
    try:
        energy = next((values[key] for key in _HULL_KEYS if key in values), None)
        item, above_hull, in_icsd = read(), _energy(energy), _in_icsd(values)
    except (InputError, KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        plain = type(error) in (InputError, ValueError)
        reason = str(error) if plain else first_line(error)
        return Unreadable(name, InputError(f"{path}: {name}: {reason}"))
    problem = impossible(item.crystal)
    if problem is not None:
        return Unreadable(name, InputError(f"{path}: {name}: {problem}"))
    file = where or Path(plain_name(path.name)).stem
    has_deuterium = DEUTERIUM in item.notes
    return Known(name, item.crystal, above_hull, in_icsd, file, has_deuterium=has_deuterium)


def _energy(value: object) -> float | None:
    if value is None:
        return None
    number = float(value)  # type: ignore[arg-type]
    return number if np.isfinite(number) else None


def _in_icsd(values: Mapping[str, Any]) -> bool | None:
    """Return whether an entry is in the ICSD, from ``in_icsd`` or the opposite ``theoretical``."""
    for key, when_true in (("in_icsd", True), ("theoretical", False)):
        flag = values.get(key)
        if flag is None or flag != flag:
            continue
        if isinstance(flag, str):
            flag = {"true": True, "t": True, "1": True, "false": False, "f": False, "0": False}.get(
                flag.strip().lower()
            )
        if flag is None or flag not in (True, False):
            raise ValueError(f"{key} = {values[key]!r} is neither true nor false")
        return bool(flag) is when_true
    return None


def _table(path: Path, splits: Sequence[str] | None) -> Iterator[Known | Unreadable]:
    try:
        import pyarrow.parquet
    except ImportError as error:
        raise MissingDependencyError(
            "a parquet table needs pyarrow: pip install pyarrow"
        ) from error
    file = pyarrow.parquet.ParquetFile(path)
    needed = ["material_id", "lattice", "species", "frac_coords"]
    present = set(file.schema_arrow.names)
    missing = [name for name in needed if name not in present]
    if missing or (splits is not None and "split" not in present):
        raise InputError(
            f"library: {path} has no column {(missing or ['split'])[0]!r}. Columns needed: "
            f"{', '.join(needed)}."
        )
    more = (*_HULL_KEYS, "in_icsd", "theoretical", "split")
    wanted = [*needed, *(name for name in more if name in present)]
    for batch in file.iter_batches(batch_size=5000, columns=wanted):
        for row in batch.to_pylist():
            if splits is None or row["split"] in splits:
                yield _entry(path, str(row["material_id"]), lambda row=row: _of_row(row), row)


def _of_row(row: dict[str, Any]) -> ReadStructure:
    crystal = Crystal(
        np.array(row["species"]),
        np.array(row["lattice"], dtype=np.float64).reshape(3, 3),
        np.array(row["frac_coords"], dtype=np.float64).reshape(-1, 3),
    )
    return ReadStructure("", crystal)


def _database(path: Path) -> Iterator[Known | Unreadable]:
    for row in database_rows(path):
        keys = row.key_value_pairs
        name = str(keys.get("material_id", keys.get("name", f"{path.stem}-{row.id}")))
        yield _entry(path, name, lambda row=row: _of_ase(row), keys)


def _of_ase(row: Any) -> ReadStructure:
    return ReadStructure("", Crystal.from_ase(row.toatoms()))


def _documents(path: Path) -> Iterator[Known | Unreadable]:
    for document in documents_in(path):
        yield _entry(path, document.name, document.read, document.values)
