"""Known structures: names for structures, and libraries to build, look up and describe."""

from __future__ import annotations

import math
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nucleate.crystal.composition import Composition
from nucleate.crystal.files import Unreadable, iter_structures
from nucleate.crystal.symmetry import space_group_symbol
from nucleate.errors import InputError
from nucleate.library.library import SHIPPED, SHIPPED_LACKS, Library
from nucleate.library.names import Identity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nucleate.crystal.files import Item
    from nucleate.library.groups import Entry


NOTHING = Identity("", "", "", 0, "", False, "", "", math.nan)
"""The names of what cannot be read."""


def identify(
    files: Sequence[str | Path], *, library: Sequence[str | Path] = (SHIPPED,)
) -> list[dict[str, Any]]:
    """Return names for the structures of files as JSON-ready dictionaries.

    Where one cannot be read or named, ``problem`` says why, and its names are empty or None.

    Parameters
    ----------
    files
        Structure files, folders or archives.
    library
        Libraries of known structures: ``shipped``, or files.

    Raises
    ------
    InputError
        If a library cannot be read.
    """
    known = _opened(library)
    return [row for file in files for row in _identified(known, Path(file))]


def _identified(library: Library, file: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    try:
        rows.extend(_named(library, file, item) for item in iter_structures(file))
    except InputError as error:
        rows.append(_row(file.name, "", str(error), NOTHING))
    return rows


def _named(library: Library, file: Path, item: Item) -> dict[str, Any]:
    if isinstance(item, Unreadable):
        return _row(item.name, "", str(item.error), NOTHING)
    formula = Composition.from_numbers(item.crystal.numbers).formula
    try:
        return _row(item.name, formula, "", library.identify(item.crystal))
    except ValueError as error:
        return _row(item.name, formula, f"{file}: it cannot be named ({error}).", NOTHING)


def _row(name: str, formula: str, problem: str, found: Identity) -> dict[str, Any]:
    return {"structure": name, "formula": formula, "problem": problem, **_names(found)}


def _names(found: Identity) -> dict[str, Any]:
    return {
        "structure_type": found.structure_type,
        "pearson": found.pearson,
        "space_group": space_group_symbol(found.space_group) if found.space_group else "",
        "space_group_number": found.space_group or None,
        "aflow": found.aflow,
        "known": found.known,
        "nearest": found.nearest,
        "nearest_formula": found.nearest_formula,
        "distance": None if math.isnan(found.distance) else round(found.distance, 4),
    }


def known_structures(
    formula: str, *, library: Sequence[str | Path] = (SHIPPED,)
) -> list[dict[str, Any]]:
    """Return the known structures of a formula as JSON-ready dictionaries.

    The lowest above the hull (eV/atom) come first.
    """
    entries = _opened(library).known_structures(Composition.from_formula(formula))
    return [_entry(entry) for entry in entries]


def _opened(names: Sequence[str | Path]) -> Library:
    """Return libraries as one, with a warning where identifiers had to be told apart."""
    library = Library.load(tuple(names))
    if library.remark:
        warnings.warn(library.remark, stacklevel=3)
    return library


def lacks_in_words(library: Sequence[str | Path] = (SHIPPED,)) -> str:
    """Return what libraries leave out on purpose, a sentence; empty without the shipped one."""
    return f"The shipped library lacks {SHIPPED_LACKS}." if SHIPPED in library else ""


def _entry(entry: Entry) -> dict[str, Any]:
    return {
        "name": entry.name,
        "formula": entry.formula,
        "space_group": entry.space_group,
        "space_group_number": entry.proto.number,
        "pearson": entry.proto.pearson,
        "above_hull": entry.above_hull,
        "in_icsd": entry.in_icsd,
        "label": entry.proto.label,
    }


def library_header(file: str | Path = SHIPPED) -> dict[str, Any]:
    """Return what a library holds, where it is from and under which licence."""
    return dict(Library.load((file,)).headers[0])


def build_library(
    data: Sequence[Path],
    out: Path,
    *,
    splits: Sequence[str] | None = None,
    provenance: dict[str, str] | None = None,
) -> dict[str, Any]:
    """Build a library from structures, deduplicated by formula and protostructure.

    Parameters
    ----------
    data
        Parquet tables, folders of CIF, extxyz, ASE databases, JSON of the Materials Project,
        pymatgen, matbench or JARVIS, also ``.json.gz``.
    out
        File to write; must not exist.
    splits
        Splits of a table to take; default all.
    provenance
        ``source``, ``licence`` and ``citation`` of the data.

    Returns
    -------
    dict
        The header of the library.

    Raises
    ------
    InputError
        If ``out`` exists or cannot be written, or the data cannot be read.
    """
    from nucleate.library.build import build_library as build

    if out.exists():
        raise InputError(f"--out = {out} exists already. Choose another name, or remove it.")
    words = {key: word for key, word in (provenance or {}).items() if word}
    try:
        return build(list(data), out, splits=None if splits is None else list(splits),
                     provenance=words)  # fmt: skip
    except OSError as error:
        raise InputError(
            f"--out = {out}: cannot be written ({error.strerror}). Choose another place."
        ) from error
