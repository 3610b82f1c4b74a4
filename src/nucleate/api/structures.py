"""Structures of any kind that the face takes, as crystals."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from nucleate.crystal.crystal import Crystal
from nucleate.errors import InputError

if TYPE_CHECKING:
    from nucleate.run.listed_files import FileCrystal

KINDS = (
    "ASE Atoms, a pymatgen Structure, a nucleate Crystal, a trial or result of nucleate, or the "
    "path of a CIF, POSCAR or extxyz file"
)


def as_items(value: Any, *, argument: str = "structures") -> tuple[list[FileCrystal], bool]:
    """Return structures with their names, and whether a single one was given.

    A path gives all structures of its file, and counts as several.

    Raises
    ------
    InputError
        If a value is no structure, has no three lattice vectors, or is disordered.
    """
    from nucleate.run.listed_files import read_files

    if isinstance(value, str | Path):
        return read_files([value]), False
    if not _is_series(value):
        return [_item(value, argument, argument)], True
    items: list[FileCrystal] = []
    for number, one in enumerate(value):
        if isinstance(one, str | Path):
            items += read_files([one])
        else:
            items.append(_item(one, f"{argument}-{number}", f"{argument}[{number}]"))
    return items, False


def as_source(value: Any) -> Iterable[FileCrystal]:
    """Return structures as :func:`as_items`; those of files are read when it is their turn."""
    from nucleate.run.listed_files import Files

    given: Any = [value] if isinstance(value, str | Path) else value
    if isinstance(given, list | tuple):
        several = cast("list[Any]", given)
        if all(isinstance(path, str | Path) for path in several):
            return Files(several)
    return as_items(value)[0]


def _item(value: Any, name: str, argument: str) -> FileCrystal:
    """Return a structure that is not a file, with the atoms that its constraints hold."""
    from nucleate.run.listed_files import FileCrystal

    crystal = _converted(value, argument)
    if not getattr(value, "constraints", None):
        return FileCrystal("", name, crystal)
    from nucleate.crystal.constraints import fixed_by

    return FileCrystal("", name, crystal, fixed_by(value, argument))


def _is_series(value: Any) -> bool:
    """Return whether something is a series of structures, not one that can be iterated over."""
    if isinstance(value, list | tuple | set | frozenset):
        return True
    if _has_crystal(value) or hasattr(value, "get_scaled_positions"):
        return False
    return not hasattr(value, "frac_coords") and isinstance(value, Iterable)


def _has_crystal(value: Any) -> bool:
    return isinstance(value, Crystal) or hasattr(value, "crystal") or hasattr(value, "candidate")


def _converted(value: Any, argument: str) -> Crystal:
    if isinstance(value, Crystal):
        return value
    inner = getattr(value, "crystal", None)
    if inner is None and hasattr(value, "candidate"):
        inner = getattr(value.candidate, "crystal", None)
    if isinstance(inner, Crystal):
        return inner
    if hasattr(value, "get_scaled_positions"):
        return _from_ase(value, argument)
    if hasattr(value, "frac_coords") and hasattr(value, "lattice"):
        return _from_pymatgen(value, argument)
    raise InputError(f"{argument} is a {type(value).__name__}. Give {KINDS}.")


def _from_ase(atoms: Any, argument: str) -> Crystal:
    if not atoms.pbc.all() or atoms.cell.rank < 3:
        raise InputError(
            f"{argument} ({atoms.get_chemical_formula()}) is not periodic in three directions. "
            "Give it a cell of three vectors and pbc=True."
        )
    return Crystal.from_ase(atoms)


def _from_pymatgen(structure: Any, argument: str) -> Crystal:
    if not structure.is_ordered:
        raise InputError(
            f"{argument} ({structure.formula}) has sites shared by several elements. Give an "
            "ordered structure."
        )
    return Crystal.from_pymatgen(structure)
