"""Structures in JSON, in the forms in which databases are downloaded."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from nucleate.crystal.crystal import Crystal
from nucleate.crystal.elements import element
from nucleate.crystal.formats.archives import unpacked
from nucleate.crystal.formats.cif_elements import DEUTERIUM
from nucleate.crystal.formats.structures import ReadStructure, shortened
from nucleate.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

_IDENTIFIERS = ("material_id", "entry_id", "jid", "mat_id")
_PLACES = ("structure", "atoms")
_LISTS = ("data", "entries")
_SHOWN_KEYS = 5
_READ = (
    "Give documents with structure (Materials Project, entries of pymatgen) or atoms (JARVIS) in a "
    "list, under data or entries, or by identifier, or a table of pandas with a column structure "
    "(matbench)."
)


@dataclass(frozen=True, slots=True)
class Document:
    """A document of a file.

    Attributes
    ----------
    name : str
        Its identifier, or its place where it has none.
    values : mapping
        What it says of its structure.
    structure : any
        As it stands in the file; None where it has none.
    """

    name: str
    values: Mapping[str, Any]
    structure: Any

    def read(self) -> ReadStructure:
        """Return the crystal.

        Raises
        ------
        ValueError, KeyError, TypeError, InputError
            If it has none that can be used.
        """
        if self.structure is None:
            raise ValueError("it has no structure")
        if "lattice_mat" in self.structure:
            symbols, cell, scaled = _jarvis(self.structure)
        else:
            symbols, cell, scaled = _pymatgen(self.structure)
        numbers = [1 if symbol == "D" else element(symbol).number for symbol in symbols]
        notes = (DEUTERIUM,) if "D" in symbols else ()
        return ReadStructure(self.name, Crystal(np.array(numbers), cell, scaled), notes=notes)


def documents_in(path: Path) -> list[Document]:
    """Return the documents of a JSON file, which may be compressed.

    Raises
    ------
    InputError
        If it is no JSON, or none of its documents has a structure.
    """
    try:
        with path.open("rb") as raw, unpacked(raw) as stream:
            content = json.load(stream)
    except (OSError, EOFError, ValueError) as error:
        raise InputError(f"library: {path} cannot be read as JSON ({error}).") from error
    found = [_document(name, item) for name, item in _items(content)]
    if all(item.structure is None for item in found):
        raise InputError(f"library: {path} holds {_described(content)}, no structure. {_READ}")
    return found


def _items(content: Any) -> Iterable[tuple[str, Any]]:
    """Return the documents of a file, each with a name for where it has none."""
    if isinstance(content, dict):
        if _structure_in(content) is not None:
            return [("document 0", content)]
        if isinstance(content.get("columns"), list) and isinstance(content.get("data"), list):
            return _rows(content)
        if isinstance(content.get("structure"), dict):
            return _columns(content)
        listed = next((content[key] for key in _LISTS if isinstance(content.get(key), list)), None)
        if listed is None:
            return content.items()
        content = listed
    if not isinstance(content, list):
        return []
    return ((f"document {place}", item) for place, item in enumerate(content))


def _rows(table: dict[str, Any]) -> list[tuple[str, Any]]:
    """Return the rows of a table of pandas with the orientation ``split``."""
    index = table.get("index", range(len(table["data"])))
    rows = (dict(zip(table["columns"], row, strict=False)) for row in table["data"])
    return [(_name_of_row(place), row) for place, row in zip(index, rows, strict=False)]


def _columns(table: dict[str, Any]) -> list[tuple[str, Any]]:
    """Return the rows of a table of pandas with the orientation ``columns``."""
    columns = {key: column for key, column in table.items() if isinstance(column, dict)}
    return [
        (_name_of_row(place), {key: column.get(place) for key, column in columns.items()})
        for place in table["structure"]
    ]


def _name_of_row(place: object) -> str:
    return f"row {place}" if str(place).isdigit() else str(place)


def _document(name: str, item: Any) -> Document:
    if not isinstance(item, dict):
        return Document(name, {}, None)
    more = item.get("data")
    values = {**more, **item} if isinstance(more, dict) else item
    found = next((values[key] for key in _IDENTIFIERS if values.get(key)), name)
    if values.get("ehull", "na") != "na":  # of JARVIS, where "na" stands for nothing
        values = {**values, "e_above_hull": values["ehull"]}
    return Document(str(found), values, _structure_in(item))


def _structure_in(item: Any) -> Any:
    """Return the structure of a document, which may be one itself; None where there is none."""
    if not isinstance(item, dict):
        return None
    for place in (item, *(item.get(key) for key in _PLACES)):
        if isinstance(place, dict) and ("lattice_mat" in place or {"lattice", "sites"} <= {*place}):
            return place
    return None


def _pymatgen(structure: dict[str, Any]) -> tuple[list[str], Any, Any]:
    """Return symbols, cell and fractional coordinates of a structure of pymatgen."""
    symbols = []
    for site in structure["sites"]:
        species = site["species"]
        if len(species) != 1 or float(species[0].get("occu", 1.0)) != 1.0:
            raise ValueError("a site is partly occupied")
        symbols.append(species[0]["element"])
    scaled = np.array([site["abc"] for site in structure["sites"]], dtype=np.float64)
    return symbols, np.array(structure["lattice"]["matrix"], dtype=np.float64), scaled


def _jarvis(atoms: dict[str, Any]) -> tuple[list[str], Any, Any]:
    """Return symbols, cell and fractional coordinates of atoms of JARVIS."""
    cell = np.array(atoms["lattice_mat"], dtype=np.float64)
    places = np.array(atoms["coords"], dtype=np.float64)
    if atoms.get("cartesian"):
        places = np.linalg.solve(cell.T, places.T).T
    return [symbol.strip() for symbol in atoms["elements"]], cell, places


def _described(content: Any) -> str:
    """Return what a file holds in words."""
    if isinstance(content, dict):
        return _with_keys("a dictionary", content)
    if isinstance(content, list):
        if not content:
            return "an empty list"
        first = content[0]
        if isinstance(first, dict):
            return _with_keys("a list whose first item is a dictionary", first)
        return f"a list whose first item is {shortened(json.dumps(first))}"
    return shortened(json.dumps(content))


def _with_keys(what: str, keys: Iterable[str]) -> str:
    names = list(keys)
    if not names:
        return f"{what} without keys"
    shown = ", ".join(shortened(name, 30) for name in names[:_SHOWN_KEYS])
    more = ", ..." if len(names) > _SHOWN_KEYS else ""
    return f"{what} with the key{'' if len(names) == 1 else 's'} {shown}{more}"
