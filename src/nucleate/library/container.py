"""Library files (``.nlib``): arrays in a zip archive with a JSON header, read with NumPy alone."""

from __future__ import annotations

import io
import json
import lzma
import zipfile
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

from nucleate.errors import InputError
from nucleate.reading import guarded

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

FORMAT = "nucleate known structures"
VERSION = 1
SUFFIX = ".nlib"

_HEADER = "library.json"
LARGEST_MEMBER = 4 * 2**30
"""Bytes of an array."""

WORTH_IT = 1.1
"""How much larger an array may be for the faster of two compressions."""

_TIME = (2020, 1, 1, 0, 0, 0)  # the same data give the same bytes
_BROKEN = (zipfile.BadZipFile, KeyError, TypeError, ValueError, EOFError, OSError, RuntimeError)


def write_container(
    path: Path, header: Mapping[str, Any], arrays: Mapping[str, NDArray[Any] | list[str]]
) -> None:
    """Write a library file in one step.

    Parameters
    ----------
    path
        Replaced if it exists.
    header
        JSON-ready; format and version are added.
    arrays
        Arrays without objects, or lists of text without line breaks. A two-dimensional array is
        stored column by column, which compresses better.
    """
    part = path.with_name(path.name + ".part")
    with zipfile.ZipFile(part, "w") as archive:
        text = json.dumps({"format": FORMAT, "version": VERSION, **header}, indent=1)
        _write(archive, _HEADER, text.encode(), zipfile.ZIP_DEFLATED)
        for name, values in arrays.items():
            if isinstance(values, list):
                content, suffix = "\n".join(values).encode(), "txt"
            else:
                stream = io.BytesIO()
                np.lib.format.write_array(stream, np.asfortranarray(values), allow_pickle=False)
                content, suffix = stream.getvalue(), "npy"
            _write(archive, f"{name}.{suffix}", content, _method(content))
    part.replace(path)


class Container:
    """An open library file, whose arrays are read when they are asked for.

    Parameters
    ----------
    path : Path
        A file that :func:`write_container` wrote.

    Raises
    ------
    InputError
        If it cannot be read, is cut short, is no library, or is one of another version.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._archive = zipfile.ZipFile(path)
            self.header: dict[str, Any] = dict(json.loads(self._archive.read(_HEADER)))
        except FileNotFoundError as error:
            raise InputError(
                f"library: {path} does not exist. Give the path of a {SUFFIX} file, or 'shipped'."
            ) from error
        except (*_BROKEN, zlib.error, lzma.LZMAError, AttributeError) as error:
            raise InputError(
                f"library: {path} is cut short or is not a library ({error}). Build or download "
                "it again."
            ) from error
        if self.header.get("format") != FORMAT:
            raise InputError(
                f"library: {path} is not a library of known structures. Build one with "
                "build_library."
            )
        if self.header.get("version") != VERSION:
            raise InputError(
                f"library: {path} has version {self.header.get('version')}, this program reads "
                f"version {VERSION}. Build it again from its data."
            )

    def check(self) -> None:
        """Read the whole file, as arrays are otherwise read when they are asked for.

        Raises
        ------
        InputError
            If a part is damaged.
        """
        for member in self._archive.namelist():
            self._read(member)

    def array(self, name: str) -> NDArray[Any]:
        """Return an array.

        Raises
        ------
        InputError
            If it is missing or damaged.
        """
        data = io.BytesIO(self._read(f"{name}.npy"))
        try:
            return np.ascontiguousarray(np.lib.format.read_array(data, allow_pickle=False))
        except ValueError as error:
            raise self._damaged(name, error) from error

    def text(self, name: str) -> list[str]:
        """Return a list of text.

        Raises
        ------
        InputError
            If it is missing or damaged.
        """
        content = self._read(f"{name}.txt").decode()
        return content.split("\n") if content else []

    def _read(self, member: str) -> bytes:
        with guarded(f"library: {self.path} is damaged: {member}", "Build or download it again."):
            size = self._archive.getinfo(member).file_size
            if size > LARGEST_MEMBER:
                raise ValueError(f"it would have {size / 1e9:.1f} GB")
            return self._archive.read(member)

    def _damaged(self, name: str, error: Exception) -> InputError:
        return InputError(
            f"library: {self.path} is damaged: {name} cannot be read ({error}). Build or download "
            "it again."
        )


def _method(content: bytes) -> int:
    """Return DEFLATE, which is read ten times as fast, unless LZMA is clearly smaller."""
    small, quick = len(lzma.compress(content)), len(zlib.compress(content))
    return zipfile.ZIP_DEFLATED if quick <= WORTH_IT * small else zipfile.ZIP_LZMA


def _write(archive: zipfile.ZipFile, name: str, content: bytes, method: int) -> None:
    info = zipfile.ZipInfo(name, _TIME)
    info.compress_type = method
    archive.writestr(info, content)
