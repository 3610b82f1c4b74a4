"""The text of a file: decompressed, decoded, with line ends of one kind, and bounded."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
import zlib
from typing import TYPE_CHECKING

from nucleate.crystal.formats.structures import first_line, printable
from nucleate.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO

LARGEST_TEXT = 32 * 2**20
"""Bytes of one file that is read as a whole, after decompression."""

COMPRESSED = (".gz", ".bz2", ".xz")
"""Endings of compressed single files."""

ARCHIVES = (".zip", ".tar", ".tgz", ".tbz2", ".txz", ".tar.gz", ".tar.bz2", ".tar.xz")
"""Endings of archives with several members."""

_MOST_MEMBERS = 100_000
_MAGIC = ((b"\x1f\x8b", ".gz"), (b"BZh", ".bz2"), (b"\xfd7zXZ\x00", ".xz"), (b"PK\x03\x04", ".zip"))
_OPENERS = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
_DAMAGED = (
    EOFError,
    OSError,
    RuntimeError,  # of zipfile: encrypted
    NotImplementedError,
    lzma.LZMAError,
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    ValueError,
)


def plain_name(name: str) -> str:
    """Return a file name without the ending of its compression."""
    for ending in COMPRESSED:
        if name.lower().endswith(ending):
            return name[: -len(ending)]
    return name


def is_archive(name: str) -> bool:
    """Return whether a file name is that of an archive with members."""
    return name.lower().endswith(ARCHIVES)


def read_bytes(path: Path) -> bytes:
    """Return the bytes of a file, decompressed where its first bytes say so.

    Raises
    ------
    InputError
        If the file cannot be opened, is damaged, or is too large.
    """
    shown = printable(path)
    try:
        with path.open("rb") as stream:
            raw = _bounded(stream, shown)
    except OSError as error:
        raise InputError(
            f"{shown}: cannot be read ({error.strerror or first_line(error)}). Check the path."
        ) from error
    except ValueError as error:  # a NUL in the name
        raise InputError(f"{shown}: cannot be read ({error}). Check the path.") from error
    return decompressed(raw, path.name, shown)


def pieces(path: Path, size: int) -> Iterator[str]:
    """Yield the text of a file, compressed or not, in pieces of whole lines.

    Parameters
    ----------
    path
        The file.
    size
        Bytes of a piece, to the end of whose last line is read on.

    Raises
    ------
    InputError
        If the file cannot be opened, is damaged, or has a line that is far too long.
    """
    shown = printable(path)
    try:
        with path.open("rb") as raw, unpacked(raw) as stream:
            while piece := stream.read(size):
                line = stream.readline(LARGEST_TEXT)
                if len(line) == LARGEST_TEXT:
                    raise InputError(f"{shown}: it has a line of {LARGEST_TEXT >> 20} MB.")
                yield decoded(piece + line)
    except _DAMAGED as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            f"{shown}: the file is damaged ({first_line(error)}). Copy it again."
        ) from error


def unpacked(raw: BinaryIO) -> BinaryIO:
    """Return a stream that decompresses another one where its first bytes say so."""
    start = raw.read(6)
    raw.seek(0)
    kind = next((ending for magic, ending in _MAGIC if start.startswith(magic)), "")
    return _OPENERS[kind](raw) if kind in _OPENERS else raw  # type: ignore[operator]


def decompressed(raw: bytes, name: str, shown: str) -> bytes:
    """Return the content of a compressed file by its first bytes; others as they are."""
    kind = next((ending for magic, ending in _MAGIC if raw.startswith(magic)), "")
    if kind not in _OPENERS:
        ending = next((item for item in COMPRESSED if name.lower().endswith(item)), "")
        if ending and raw:
            raise InputError(
                f"{shown}: it is not compressed as its ending {ending} says. Rename it, or copy "
                "it again."
            )
        return raw
    try:
        with _OPENERS[kind](io.BytesIO(raw)) as stream:  # type: ignore[operator]
            return _bounded(stream, shown)
    except _DAMAGED as error:
        raise InputError(
            f"{shown}: the {kind[1:]} file is damaged ({first_line(error)}). Copy it again."
        ) from error


def members(path: Path) -> Iterator[tuple[str, bytes | InputError]]:
    """Yield name and bytes of every file in a zip or tar archive, in order of their names.

    Raises
    ------
    InputError
        If the archive cannot be opened or is damaged.
    """
    shown = printable(path)
    kind = "zip" if path.name.lower().endswith(".zip") else "tar"
    try:
        yield from _zip_members(path, shown) if kind == "zip" else _tar_members(path, shown)
    except FileNotFoundError as error:
        raise InputError(f"{shown}: cannot be read ({error.strerror}). Check the path.") from error
    except _DAMAGED as error:
        raise InputError(
            f"{shown}: the {kind} archive cannot be read ({first_line(error)}). Copy it again, or "
            "unpack it and give the folder."
        ) from error


def decoded(raw: bytes) -> str:
    """Return bytes as text: UTF-8 with or without a mark, UTF-16 with one, else Latin-1.

    Lines end in a newline, whatever they ended in; other separators of Unicode stay as they are.

    Raises
    ------
    InputError
        If the bytes are no text.
    """
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        text = raw.decode("utf-16", errors="replace")
    else:
        try:
            text = raw.decode("utf-8-sig")
        except UnicodeDecodeError:
            text = raw.decode("latin-1")
    if "\0" in text:
        raise InputError("it is not a text file (it holds a NUL byte). Check what it is.")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _zip_members(path: Path, shown: str) -> Iterator[tuple[str, bytes | InputError]]:
    with zipfile.ZipFile(path) as archive:
        found = [item for item in archive.infolist() if not item.is_dir()]
        _check_count(len(found), shown)
        for item in sorted(found, key=lambda item: item.filename):
            try:
                with archive.open(item) as stream:
                    yield item.filename, _bounded(stream, f"{shown}: {item.filename}")  # type: ignore[arg-type]
            except (*_DAMAGED, InputError) as error:
                yield item.filename, InputError(f"it cannot be unpacked ({first_line(error)}).")


def _tar_members(path: Path, shown: str) -> Iterator[tuple[str, bytes | InputError]]:
    with tarfile.open(path) as archive:
        found = []
        for item in archive:
            if item.isfile():
                found.append(item)
            _check_count(len(found), shown)
        for item in sorted(found, key=lambda item: item.name):
            stream = archive.extractfile(item)
            if stream is not None:
                yield item.name, _bounded(stream, f"{shown}: {item.name}")  # type: ignore[arg-type]


def _check_count(count: int, shown: str) -> None:
    if count > _MOST_MEMBERS:
        raise InputError(
            f"{shown}: it has more than {_MOST_MEMBERS} members. Unpack it and give the folder."
        )


def _bounded(stream: BinaryIO, shown: str) -> bytes:
    raw = stream.read(LARGEST_TEXT + 1)
    if len(raw) > LARGEST_TEXT:
        raise InputError(
            f"{shown}: it is larger than {LARGEST_TEXT // 2**20} MB. Divide it into smaller files."
        )
    return raw
