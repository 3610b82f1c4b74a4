"""Crystal files: CIF, extended XYZ and POSCAR, read and written without loss."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nucleate.crystal.cif import format_cif, read_cif
from nucleate.crystal.crystal import Crystal
from nucleate.crystal.distances import is_solid_cell
from nucleate.crystal.elements import MAX_NUMBER, symbols_of
from nucleate.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    Info = Mapping[str, str | int | float | bool | np.ndarray]

_READ_ERRORS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
)


def read_crystals(path: str | Path) -> list[tuple[str, Crystal]]:
    """Return the name and crystal of everything in a file.

    The format follows from the name: ``.cif``; ``.extxyz`` or ``.xyz`` (any number of frames);
    ``.vasp``, ``.poscar``, ``POSCAR*`` or ``CONTCAR*``. A single crystal has the name of its
    file; several are named by their CIF block, by the ``name`` of their extxyz frame, or
    counted from 0.

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

    A structure of an extxyz file that is broken leaves the others unaffected.

    Raises
    ------
    InputError
        If the file cannot be opened, or its format is not known.
    """
    source = Path(path)
    kind = _format_of(source)
    try:
        text = source.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise InputError(f"{source}: cannot be read ({error.strerror}). Check the path.") from error
    frames = [_checked(source, name, frame) for name, frame in _frames(text, kind)]
    if len(frames) == 1:
        name = frames[0][0] if kind == "extxyz" else ""
        return [(name or _stem(source), frames[0][1])]
    return [
        (name or f"{_stem(source)}-{index}", frame) for index, (name, frame) in enumerate(frames)
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
    """Write a VASP 5 POSCAR file, atoms grouped by element.

    A left-handed cell, which VASP refuses, is written as its right-handed equivalent.
    """
    if np.linalg.det(crystal.cell) < 0.0:
        crystal = crystal.replace(cell=-crystal.cell, scaled=-crystal.scaled)
    order = np.argsort(crystal.numbers, kind="stable")
    unique, counts = np.unique(crystal.numbers, return_counts=True)
    lines = [" ".join(title.split()) or crystal.formula, "1.0"]
    lines += ["  " + " ".join(f"{value:23.16f}" for value in row) for row in crystal.cell]
    lines.append("  " + " ".join(symbols_of(unique)))
    lines.append("  " + " ".join(str(count) for count in counts))
    lines.append("Direct")
    lines += ["  " + " ".join(f"{x:20.16f}" for x in row) for row in crystal.scaled[order]]
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
        return '"' + " ".join(value.replace("\\", "/").replace('"', "'").split()) + '"'
    if isinstance(value, np.ndarray):
        return '"' + " ".join(repr(float(item)) for item in value.ravel()) + '"'
    return repr(value.item() if isinstance(value, np.generic) else value)


def _format_of(path: Path) -> str:
    suffix = path.suffix.lower()
    if suffix == ".cif":
        return "cif"
    if suffix in (".extxyz", ".xyz"):
        return "extxyz"
    if suffix in (".vasp", ".poscar") or path.name.upper().startswith(("POSCAR", "CONTCAR")):
        return "vasp"
    raise InputError(
        f"{path}: the format cannot be told from the name. Use .cif, .extxyz, .xyz, .vasp, "
        ".poscar or a name that starts with POSCAR or CONTCAR."
    )


def _stem(path: Path) -> str:
    return path.stem if path.suffix else path.name


def _frames(text: str, kind: str) -> list[tuple[str, Crystal | InputError]]:
    if kind == "cif":
        try:
            return list(read_cif(text))
        except InputError as error:
            return [("", error)]
    if kind == "vasp":
        return [_read_with_ase(text, kind, "it")]
    return [
        _read_with_ase(frame, kind, f"structure {index}")
        for index, frame in enumerate(_extxyz_texts(text))
    ] or [("", InputError("it holds no structure."))]


def _extxyz_texts(text: str) -> Iterator[str]:
    """Yield the text of each frame; what cannot be divided any further comes as one."""
    lines = text.splitlines(keepends=True)
    start = 0
    while start < len(lines):
        count = lines[start].strip()
        if not count:
            start += 1
            continue
        end = start + 2 + int(count) if count.isdecimal() else len(lines)
        yield "".join(lines[start:end])
        start = end


def _read_with_ase(text: str, kind: str, what: str) -> tuple[str, Crystal | InputError]:
    from io import StringIO

    from ase import Atoms
    from ase.io import read

    try:
        atoms = read(StringIO(text), format=kind)
        assert isinstance(atoms, Atoms)
        crystal = Crystal.from_ase(atoms)
    except _READ_ERRORS as error:
        return "", InputError(f"{what} is not valid {kind} ({error}).")
    name = str(atoms.info.get("name", ""))
    if not atoms.pbc.all():
        return name, InputError(
            f"{what} is not periodic in three directions. Give its three lattice vectors."
        )
    return name, crystal


def _checked(
    source: Path, name: str, frame: Crystal | InputError
) -> tuple[str, Crystal | InputError]:
    where = f"{source}: {name}" if name else f"{source}"
    if isinstance(frame, InputError):
        return name, InputError(f"{where}: {frame}")
    if frame.n_atoms == 0:
        return name, InputError(f"{where}: it has no atoms.")
    if frame.numbers.min() < 1 or frame.numbers.max() > MAX_NUMBER:
        return name, InputError(f"{where}: it has an atom that is not an element from H to Lr.")
    if not (np.isfinite(frame.scaled).all() and np.isfinite(frame.cell).all()):
        return name, InputError(f"{where}: it has a coordinate that is not a number.")
    if not is_solid_cell(frame.cell):
        return name, InputError(f"{where}: its cell has no volume. Give three lattice vectors.")
    return name, frame
