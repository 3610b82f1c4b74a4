"""Known compounds from tables, folders, databases and downloads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nucleate.crystal.crystal import Crystal
from nucleate.crystal.files import read_crystals
from nucleate.errors import InputError, MissingDependencyError
from nucleate.library.entries import Known
from nucleate.reading import database_rows, guarded_rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_REMEDY = "Check what the file is, or write it again."
_FILES = (".cif", ".extxyz", ".xyz", ".vasp", ".poscar")
_DATABASES = (".db", ".aselmdb")
_HULL_KEYS = ("e_above_hull", "energy_above_hull")


def read_source(source: str | Path, *, splits: Sequence[str] | None = None) -> Iterator[Known]:
    """Yield the compounds of a source, whose kind follows from its name.

    ``.parquet``: columns ``material_id``, ``lattice``, ``species``, ``frac_coords`` and optionally
    ``e_above_hull`` (eV/atom), ``in_icsd``, ``split``. A folder: every structure file in it.
    ``.cif``, ``.extxyz``, ``.vasp``: every structure of the file. ``.db``: an ASE database, with
    the key ``e_above_hull`` or ``energy_above_hull`` where it has one. ``.json``: documents of the
    Materials Project (a list, or under ``data``) with ``material_id``, ``structure``,
    ``energy_above_hull`` and ``theoretical``.

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
    if path.is_dir():
        return _folder(path)
    if suffix == ".parquet":
        return guarded_rows(_table(path, splits), f"library: {path}", _REMEDY)
    if suffix in _FILES:
        return (Known(name, crystal) for name, crystal in read_crystals(path))
    if suffix in _DATABASES:
        return guarded_rows(_database(path), f"library: {path}", _REMEDY)
    if suffix == ".json":
        return guarded_rows(_documents(path), f"library: {path}", _REMEDY)
    raise InputError(
        f"library: the kind of {path} cannot be determined from its name. Give .parquet, .cif, "
        ".extxyz, .vasp, .db, .json or a folder."
    )


def _folder(path: Path) -> Iterator[Known]:
    files = sorted(item for item in path.iterdir() if item.suffix.lower() in _FILES)
    if not files:
        raise InputError(f"library: the folder {path} holds no structure file.")
    for file in files:
        for name, crystal in read_crystals(file):
            yield Known(name, crystal)


def _table(path: Path, splits: Sequence[str] | None) -> Iterator[Known]:
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
    wanted = [*needed, *(n for n in ("e_above_hull", "in_icsd", "split") if n in present)]
    for batch in file.iter_batches(batch_size=5000, columns=wanted):
        for row in batch.to_pylist():
            if splits is None or row["split"] in splits:
                yield Known(
                    str(row["material_id"]),
                    _crystal(path, row["material_id"], row),
                    _energy(row.get("e_above_hull")),
                    row.get("in_icsd"),
                )


def _crystal(path: Path, name: object, row: dict[str, Any]) -> Crystal:
    try:
        return Crystal(
            np.array(row["species"]),
            np.array(row["lattice"], dtype=np.float64).reshape(3, 3),
            np.array(row["frac_coords"], dtype=np.float64).reshape(-1, 3),
        )
    except (TypeError, ValueError) as error:
        raise InputError(
            f"library: {path}: the entry {name!r} cannot be read ({error})."
        ) from error


def _database(path: Path) -> Iterator[Known]:
    for row in database_rows(path):
        keys = row.key_value_pairs
        energy = next((keys[key] for key in _HULL_KEYS if key in keys), None)
        name = str(keys.get("material_id", keys.get("name", f"{path.stem}-{row.id}")))
        yield Known(name, Crystal.from_ase(row.toatoms()), _energy(energy))


def _documents(path: Path) -> Iterator[Known]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"library: {path} cannot be read as JSON ({error}).") from error
    documents = content.get("data", content) if isinstance(content, dict) else content
    for place, document in enumerate(documents):
        try:
            name = str(document["material_id"])
            crystal = _from_structure(document["structure"])
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise InputError(
                f"library: {path}: document {place} has no usable structure ({error!r}). Give "
                "documents with material_id and structure."
            ) from error
        theoretical = document.get("theoretical")
        energy = next((document[key] for key in _HULL_KEYS if key in document), None)
        yield Known(
            name, crystal, _energy(energy), None if theoretical is None else not theoretical
        )


def _from_structure(structure: dict[str, Any]) -> Crystal:
    from nucleate.crystal.elements import element

    numbers = []
    for site in structure["sites"]:
        species = site["species"]
        if len(species) != 1 or float(species[0].get("occu", 1.0)) != 1.0:
            raise ValueError("a site is partly occupied")
        numbers.append(element(species[0]["element"]).number)
    return Crystal(
        np.array(numbers),
        np.array(structure["lattice"]["matrix"], dtype=np.float64),
        np.array([site["abc"] for site in structure["sites"]], dtype=np.float64),
    )


def _energy(value: object) -> float | None:
    if value is None:
        return None
    number = float(value)  # type: ignore[arg-type]
    return number if np.isfinite(number) else None
