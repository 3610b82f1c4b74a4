"""Crystal files: read in every dialect, with one bad structure costing only itself; written."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import numpy as np

from nucleate.crystal.cif import format_cif
from nucleate.crystal.elements import symbols_of
from nucleate.crystal.formats.archives import (
    decoded,
    decompressed,
    is_archive,
    members,
    plain_name,
    read_bytes,
)
from nucleate.crystal.formats.cif_reader import read_cif_text
from nucleate.crystal.formats.extxyz import read_extxyz_text
from nucleate.crystal.formats.poscar import read_poscar_text
from nucleate.crystal.formats.res import read_res_text
from nucleate.crystal.formats.sniffing import format_of, structure_files_in, unknown_format
from nucleate.crystal.formats.structures import (
    Item,
    ReadStructure,
    Unreadable,
    first_line,
    printable,
    renamed,
)
from nucleate.crystal.formula import chemical_ranks, counts_of
from nucleate.errors import InputError
from nucleate.text import clean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from nucleate.crystal.crystal import Crystal
    from nucleate.crystal.formats.structures import Info

__all__ = [
    "Item",
    "ReadStructure",
    "Unreadable",
    "read_crystals",
    "read_frames",
    "read_structures",
    "structure_files_in",
    "write_cif",
    "write_extxyz",
    "write_poscar",
]

_READERS: dict[str, Callable[[str], list[Item]]] = {
    "cif": read_cif_text,
    "extxyz": read_extxyz_text,
    "vasp": read_poscar_text,
    "res": read_res_text,
}


def read_structures(path: str | Path) -> list[Item]:
    """Return every structure of a file, an archive or a folder, in order.

    The format follows from the name: ``.cif`` or ``.mcif``; ``.extxyz`` or ``.xyz``; ``.res``;
    ``.vasp``, ``.poscar``, ``POSCAR*`` or ``CONTCAR*``; each also with ``.gz``, ``.bz2`` or
    ``.xz``. A ``.zip`` or ``.tar`` stands for the structure files in it, a folder for those
    directly in it. Each structure stands alone: one that cannot be used is an
    :class:`Unreadable`, whose error names file and structure.

    A single structure has the name of its file; several are named by their CIF block, by the
    ``name`` of their extxyz frame, or counted from 0.

    Raises
    ------
    InputError
        If the file cannot be opened, or its format is not known.
    """
    source = Path(path)
    if source.is_dir():
        return _read_folder(source)
    if is_archive(source.name):
        return _read_archive(source)
    kind = format_of(source.name)
    if kind is None:
        raise unknown_format(source)
    return _items(read_bytes(source), kind, source.name, printable(source))


def read_crystals(path: str | Path) -> list[tuple[str, Crystal]]:
    """Return the name and crystal of everything in a file, as :func:`read_structures`.

    Raises
    ------
    InputError
        If the file cannot be read, or holds something that is not an ordered crystal.
    """
    named = []
    for name, crystal in read_frames(path):
        if isinstance(crystal, InputError):
            raise crystal
        named.append((name, crystal))
    return named


def read_frames(path: str | Path) -> list[tuple[str, Crystal | InputError]]:
    """Return what :func:`read_crystals` does, with the error in place of a broken structure.

    Raises
    ------
    InputError
        If the file cannot be opened, or its format is not known.
    """
    return [
        (item.name, item.error if isinstance(item, Unreadable) else item.crystal)
        for item in read_structures(path)
    ]


def write_cif(
    path: str | Path, crystal: Crystal, *, symprec: float | None = None, title: str = ""
) -> None:
    """Write a CIF file.

    Parameters
    ----------
    path
        Replaced if it exists.
    crystal
        Any cell. CIF does not keep the orientation of a cell.
    symprec
        None writes the crystal as it is (P1); a tolerance in Å writes the symmetrised
        conventional cell with its symmetry operations.
    title
        Name of the data block and first comment.
    """
    Path(path).write_text(format_cif(crystal, symprec=symprec, title=title), encoding="utf-8")


def write_extxyz(
    path: str | Path,
    items: Iterable[tuple[str, Crystal] | tuple[str, Crystal, Info]],
    *,
    append: bool = False,
) -> None:
    """Write an extended XYZ file, a frame for each item.

    Parameters
    ----------
    path
        Replaced if it exists, unless ``append``.
    items
        Name, crystal, and optionally more values such as ``{"energy": -5.2}``;
        ``forces`` of shape (n_atoms, 3) become columns; all else goes to the comment line.
    append
        Whether to add the frames to an existing file.
    """
    with Path(path).open("a" if append else "w", encoding="utf-8") as stream:
        for name, crystal, *more in items:
            stream.write(_extxyz_frame(name, crystal, more[0] if more else {}))


def write_poscar(path: str | Path, crystal: Crystal, *, title: str = "") -> None:
    """Write a VASP 5 POSCAR file, elements in chemical order, coordinates in [0, 1).

    A left-handed cell, which VASP refuses, is written as its right-handed equivalent.
    """
    if np.linalg.det(crystal.cell) < 0.0:
        crystal = crystal.replace(cell=-crystal.cell, scaled=-crystal.scaled)
    order = chemical_ranks(crystal.numbers)
    counts = counts_of(crystal.numbers)
    places = np.round(crystal.scaled[order], 16) % 1.0
    places[places >= 1.0 - 5e-17] = 0.0
    lines = [" ".join(clean(title).split()) or crystal.formula, "1.0"]
    lines += ["  " + " ".join(f"{value:23.16f}" for value in row) for row in crystal.cell]
    lines.append("  " + " ".join(counts))
    lines.append("  " + " ".join(str(count) for count in counts.values()))
    lines.append("Direct")
    lines += ["  " + " ".join(f"{x:20.16f}" for x in row) for row in places]
    Path(path).write_text("\n".join(lines) + "\n", encoding="utf-8")


def _extxyz_frame(name: str, crystal: Crystal, info: Info) -> str:
    shape = (crystal.n_atoms, 3)
    columns = {
        key: value for key, value in info.items() if key == "forces" and np.shape(value) == shape
    }
    comment = {key: value for key, value in info.items() if key not in columns}
    fields = [
        'Lattice="' + " ".join(repr(float(value)) for value in crystal.cell.ravel()) + '"',
        "Properties=species:S:1:pos:R:3" + "".join(f":{key}:R:3" for key in columns),
        'pbc="T T T"',
        *(f"{key}={_extxyz_value(value)}" for key, value in {"name": name, **comment}.items()),
    ]
    lines = [str(crystal.n_atoms), " ".join(fields)]
    numbers = np.hstack([crystal.positions, *(np.asarray(value) for value in columns.values())])
    for symbol, row in zip(symbols_of(crystal.numbers), numbers, strict=True):
        lines.append(symbol + "".join(f" {value:.14f}" for value in row))
    return "\n".join(lines) + "\n"


def _extxyz_value(value: str | float | bool | np.ndarray) -> str:
    if isinstance(value, bool | np.bool_):
        return "T" if value else "F"
    if isinstance(value, str):
        return '"' + " ".join(clean(value).replace("\\", "/").replace('"', "'").split()) + '"'
    if isinstance(value, np.ndarray):
        return '"' + " ".join(repr(float(item)) for item in value.ravel()) + '"'
    return repr(value.item() if isinstance(value, np.generic) else value)


def _read_folder(folder: Path) -> list[Item]:
    files = structure_files_in(folder)
    if not files:
        raise InputError(f"{printable(folder)}: the folder has no structure files.")
    found: list[Item] = []
    for file in files:
        try:
            found += read_structures(file)
        except InputError as error:
            found.append(Unreadable(_stem(file.name), error))
    return found


def _read_archive(path: Path) -> list[Item]:
    found: list[Item] = []
    for name, raw in members(path):
        kind = format_of(name)
        if kind is None:
            continue
        shown = f"{printable(path)}: {printable(name)}"
        if isinstance(raw, InputError):
            found.append(Unreadable(_stem(name), InputError(f"{shown}: {raw}")))
            continue
        try:
            found += _items(decompressed(raw, name, shown), kind, name, shown)
        except InputError as error:
            found.append(Unreadable(_stem(name), error))
    if not found:
        raise InputError(f"{printable(path)}: the archive has no structure files.")
    return found


def _items(raw: bytes, kind: str, file_name: str, shown: str) -> list[Item]:
    """Return the structures in the bytes of a file; errors name the file and the structure."""
    stem = _stem(file_name)
    try:
        items = _READERS[kind](decoded(raw))
    except InputError as error:
        items = [Unreadable("", error)]
    except Exception as error:  # noqa: BLE001 - files from outside must never end in a traceback
        items = [Unreadable("", InputError(f"it cannot be read ({first_line(error)})."))]
    many = len(items) > 1
    named = []
    for index, item in enumerate(items):
        own = "" if kind == "cif" and not many else item.name
        name = own or (f"{stem}-{index}" if many else stem)
        if isinstance(item, Unreadable):
            where = f"{shown}: {name}" if many or own else shown
            item = Unreadable(name, InputError(f"{where}: {item.error}"))
        named.append(renamed(item, name))
    return named


def _stem(name: str) -> str:
    plain = PurePosixPath(printable(plain_name(name))).name
    return PurePosixPath(plain).stem if PurePosixPath(plain).suffix else plain
