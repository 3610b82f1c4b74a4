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
    pieces,
    plain_name,
    read_bytes,
)
from nucleate.crystal.formats.cif_reader import iter_cif_text
from nucleate.crystal.formats.cif_writer import within_cell
from nucleate.crystal.formats.extxyz import iter_extxyz_text, read_extxyz_blocks
from nucleate.crystal.formats.poscar import iter_poscar_text
from nucleate.crystal.formats.res import iter_res_text
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
    from collections.abc import Callable, Iterable, Iterator

    from numpy.typing import NDArray

    from nucleate.crystal.crystal import Crystal
    from nucleate.crystal.formats.structures import Info

__all__ = [
    "Item",
    "ReadStructure",
    "Unreadable",
    "iter_structures",
    "read_crystals",
    "read_frames",
    "read_structures",
    "structure_files_in",
    "write_cif",
    "write_extxyz",
    "write_poscar",
]

_READERS: dict[str, Callable[[str], Iterator[Item]]] = {
    "cif": iter_cif_text,
    "extxyz": iter_extxyz_text,
    "vasp": iter_poscar_text,
    "res": iter_res_text,
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
    return list(iter_structures(path))


STREAMED = 16_000_000
"""Bytes from which on an extxyz file is read piece by piece."""

COMPRESSED_BYTES = 100_000
"""The same for a compressed one, which may hold a hundred times as much."""

_PIECE = 1_000_000


def iter_structures(path: str | Path) -> Iterator[Item]:
    """Yield what :func:`read_structures` returns, one file of a folder after the other.

    A large extxyz file, compressed or not, is read piece by piece, so that any number of structures
    can be read. Of other files the text is read as a whole, and one structure after the other is
    made from it.
    """
    source = Path(path)
    if source.is_dir():
        yield from _read_folder(source)
        return
    if source.exists() and not source.is_file():
        raise InputError(f"{printable(source)} is a pipe or a device. Give a file or a folder.")
    if is_archive(source.name):
        yield from _read_archive(source)
        return
    kind = format_of(source.name)
    if kind is None:
        raise unknown_format(source)
    if kind == "extxyz" and _is_streamed(source):
        items = read_extxyz_blocks(pieces(source, _PIECE))
        yield from _named(items, kind, source.name, printable(source))
        return
    yield from _items(read_bytes(source), kind, source.name, printable(source))


def _is_streamed(path: Path) -> bool:
    """Return whether a file is large and begins like plain text with a number of atoms."""
    try:
        is_large = path.stat().st_size > (COMPRESSED_BYTES if _is_packed(path) else STREAMED)
        if not is_large:
            return False
        start = next(pieces(path, 100), "")
        return start.removeprefix("\ufeff").strip()[:1].isdigit()
    except (OSError, ValueError, InputError):
        return False  # which reading it reports


def _is_packed(path: Path) -> bool:
    return plain_name(path.name) != path.name


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
        ``forces`` of shape (n_atoms, 3), and ``move_mask``, bools of that shape, become columns;
        all else goes to the comment line.
    append
        Whether to add the frames to an existing file.
    """
    with Path(path).open("a" if append else "w", encoding="utf-8") as stream:
        for name, crystal, *more in items:
            stream.write(_extxyz_frame(name, crystal, more[0] if more else {}))


def write_poscar(
    path: str | Path,
    crystal: Crystal,
    *,
    title: str = "",
    fixed: NDArray[np.bool_] | None = None,
) -> None:
    """Write a VASP 5 POSCAR file, elements in chemical order, coordinates in [0, 1).

    A left-handed cell, which VASP refuses, is written as its right-handed equivalent.

    Parameters
    ----------
    path
        Replaced if it exists.
    crystal
        Any cell.
    title
        First line.
    fixed
        True for each fractional coordinate that stays, shape (n_atoms, 3): selective dynamics.
    """
    if np.linalg.det(crystal.cell) < 0.0:
        crystal = crystal.replace(cell=-crystal.cell, scaled=-crystal.scaled)
    order = chemical_ranks(crystal.numbers)
    counts = counts_of(crystal.numbers)
    lines = [" ".join(clean(title).split()) or crystal.formula, "1.0"]
    lines += ["  " + " ".join(f"{value:23.16f}" for value in row) for row in crystal.cell]
    lines.append("  " + " ".join(counts))
    lines.append("  " + " ".join(str(count) for count in counts.values()))
    lines += [] if fixed is None else ["Selective dynamics"]
    lines.append("Direct")
    places = within_cell(crystal.scaled[order], 16)
    rows = ["  " + " ".join(f"{x:20.16f}" for x in row) for row in places]
    if fixed is not None:
        rows = [
            row + "".join("  F" if flag else "  T" for flag in flags)
            for row, flags in zip(rows, fixed[order], strict=True)
        ]
    lines += rows
    Path(path).write_text("\n".join(lines) + "\n", encoding="utf-8")


def _extxyz_frame(name: str, crystal: Crystal, info: Info) -> str:
    shape = (crystal.n_atoms, 3)
    columns = {
        key: np.asarray(info[key])
        for key in ("forces", "move_mask")
        if key in info and np.shape(info[key]) == shape
    }
    kinds = {key: "L" if value.dtype == bool else "R" for key, value in columns.items()}
    comment = {key: value for key, value in info.items() if key not in columns}
    fields = [
        'Lattice="' + " ".join(repr(float(value)) for value in crystal.cell.ravel()) + '"',
        "Properties=species:S:1:pos:R:3" + "".join(f":{key}:{kinds[key]}:3" for key in columns),
        'pbc="T T T"',
        *(f"{key}={_extxyz_value(value)}" for key, value in {"name": name, **comment}.items()),
    ]
    lines = [str(crystal.n_atoms), " ".join(fields)]
    positions = crystal.positions
    for index, symbol in enumerate(symbols_of(crystal.numbers)):
        line = symbol + "".join(f" {value:.14f}" for value in positions[index])
        for key, values in columns.items():
            words = ("FT"[int(x)] if kinds[key] == "L" else f"{x:.14f}" for x in values[index])
            line += " " + " ".join(words)
        lines.append(line)
    return "\n".join(lines) + "\n"


_FLUORINE = "F1"
"""In place of the name or formula F, which readers take for the boolean, quotes or none."""


def _extxyz_value(value: str | float | bool | np.ndarray) -> str:
    if isinstance(value, bool | np.bool_):
        return "T" if value else "F"
    if isinstance(value, str):
        value = _FLUORINE if value == "F" else value
        return '"' + " ".join(clean(value).replace("\\", "/").replace('"', "'").split()) + '"'
    if isinstance(value, np.ndarray):
        return '"' + " ".join(repr(float(item)) for item in value.ravel()) + '"'
    return repr(value.item() if isinstance(value, np.generic) else value)


def _read_folder(folder: Path) -> Iterator[Item]:
    files = structure_files_in(folder)
    if not files:
        raise InputError(
            f"{printable(folder)}: the folder has no structure files. Give one with CIF, "
            "POSCAR or extxyz files."
        )
    for file in files:
        try:
            yield from iter_structures(file)
        except InputError as error:
            yield Unreadable(_stem(file.name), error)


def _read_archive(path: Path) -> Iterator[Item]:
    found = False
    for name, raw in members(path):
        kind = format_of(name)
        if kind is None:
            continue
        found = True
        shown = f"{printable(path)}: {printable(name)}"
        if isinstance(raw, InputError):
            yield Unreadable(_stem(name), InputError(f"{shown}: {raw}"))
            continue
        try:
            yield from _items(decompressed(raw, name, shown), kind, name, shown)
        except InputError as error:
            yield Unreadable(_stem(name), error)
    if not found:
        raise InputError(f"{printable(path)}: the archive has no structure files.")


def _items(raw: bytes, kind: str, file_name: str, shown: str) -> Iterator[Item]:
    """Yield the structures in the bytes of a file; errors name the file and the structure."""
    return _named(_read_items(raw, kind), kind, file_name, shown)


def _read_items(raw: bytes, kind: str) -> Iterator[Item]:
    try:
        text = decoded(raw)
        del raw
        items = _READERS[kind](text)
        del text  # large texts are not kept longer than they are needed
        yield from items
    except InputError as error:
        yield Unreadable("", error)
    except Exception as error:  # noqa: BLE001 - files from outside must never end in a traceback
        yield Unreadable("", InputError(f"it cannot be read ({first_line(error)})."))


def _named(items: Iterable[Item], kind: str, file_name: str, shown: str) -> Iterator[Item]:
    """Yield the structures of a file with their names; a single one has that of the file."""
    stem = _stem(file_name)
    ahead = iter(items)
    waiting = next(ahead, None)
    index = 0
    while waiting is not None:
        item, waiting = waiting, next(ahead, None)
        many = index > 0 or waiting is not None
        own = "" if kind == "cif" and not many else item.name
        name = own or (f"{stem}-{index}" if many else stem)
        if isinstance(item, Unreadable):
            where = f"{shown}: {name}" if many or own else shown
            item = Unreadable(name, InputError(f"{where}: {item.error}"))
        yield renamed(item, name)
        index += 1


def _stem(name: str) -> str:
    plain = PurePosixPath(printable(plain_name(name))).name
    return PurePosixPath(plain).stem if PurePosixPath(plain).suffix else plain
