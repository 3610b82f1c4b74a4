"""Which files hold structures, and in which format: from their names."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from nucleate.crystal.formats.archives import COMPRESSED, is_archive, plain_name
from nucleate.crystal.formats.structures import printable
from nucleate.errors import InputError

_SUFFIXES = {
    ".cif": "cif",
    ".mcif": "cif",
    ".extxyz": "extxyz",
    ".xyz": "extxyz",
    ".vasp": "vasp",
    ".poscar": "vasp",
    ".contcar": "vasp",
    ".res": "res",
}
_PREFIXES = ("POSCAR", "CONTCAR")


def format_of(name: str) -> str | None:
    """Return ``cif``, ``extxyz``, ``vasp`` or ``res`` by the name of a file, or None.

    The ending of a compression (``.gz``, ``.bz2``, ``.xz``) is left out first.
    """
    plain = PurePosixPath(plain_name(name)).name
    suffix = PurePosixPath(plain).suffix.lower()
    if suffix in _SUFFIXES:
        return _SUFFIXES[suffix]
    return "vasp" if plain.upper().startswith(_PREFIXES) else None


def unknown_format(path: Path) -> InputError:
    """Return the error for a file whose name does not tell its format."""
    return InputError(
        f"{printable(path)}: the format cannot be determined from the name. Use .cif, .mcif, "
        ".extxyz, .xyz, .res, .vasp, .poscar or a name that starts with POSCAR or CONTCAR, each "
        f"also with {', '.join(COMPRESSED)}, or a .zip or .tar of them."
    )


def structure_files_in(folder: Path) -> list[Path]:
    """Return the structure files of a folder, sorted by name; folders in it are not searched.

    Raises
    ------
    InputError
        If the folder cannot be listed.
    """
    try:
        items = sorted(folder.iterdir())
    except OSError as error:
        raise InputError(
            f"{printable(folder)}: the folder cannot be listed ({error.strerror})."
        ) from error
    return [
        item
        for item in items
        if not item.name.startswith(".")
        and (format_of(item.name) or is_archive(item.name))
        and item.is_file()
    ]
