"""SHELX and AIRSS ``.res`` files: cell, lattice type, operations and sites."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from nucleate.crystal.formats.cif_blocks import number_of
from nucleate.crystal.formats.cif_cell import whole_cell
from nucleate.crystal.formats.cif_elements import element_of_type
from nucleate.crystal.formats.cif_sites import CifSite, refuse_disorder
from nucleate.crystal.formats.cif_symmetry import MOST_OPERATIONS, Symmetry, parse_operation
from nucleate.crystal.formats.structures import (
    Item,
    ReadStructure,
    Unreadable,
    cell_from_file,
    guarded,
    shortened,
)
from nucleate.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

_CENTRINGS: dict[int, list[tuple[float, float, float]]] = {
    1: [],
    2: [(0.5, 0.5, 0.5)],
    3: [(2 / 3, 1 / 3, 1 / 3), (1 / 3, 2 / 3, 2 / 3)],
    4: [(0.0, 0.5, 0.5), (0.5, 0.0, 0.5), (0.5, 0.5, 0.0)],
    5: [(0.0, 0.5, 0.5)],
    6: [(0.5, 0.0, 0.5)],
    7: [(0.5, 0.5, 0.0)],
}


def read_res_text(text: str) -> list[Item]:
    """Return every structure of a ``.res`` file; each begins with ``TITL`` or ``CELL``."""
    return list(iter_res_text(text))


def iter_res_text(text: str) -> Iterator[Item]:
    """Yield what :func:`read_res_text` returns, one by one."""
    found = False
    for name, lines in _divided(text.split("\n")):
        if any(row[0].upper() == "CELL" for row in lines):
            found = True
            yield guarded(lambda name=name, lines=lines: _structure(name, lines), name)
    if not found:
        yield Unreadable("", InputError("it has no CELL line."))


def _divided(lines: list[str]) -> Iterator[tuple[str, list[list[str]]]]:
    """Yield the title and the words of the lines of every part."""
    name, rows = "", []
    for line in lines:
        words = line.split()
        if not words:
            continue
        if words[0].upper() == "TITL":
            if rows:
                yield name, rows
            name, rows = words[1] if len(words) > 1 else "", []
        rows.append(words)
    if rows:
        yield name, rows


def _structure(name: str, rows: list[list[str]]) -> ReadStructure:
    cell, symbols, sites = None, [], []
    lattice, operations = 1, []
    for words in rows:
        key = words[0].upper()
        if key == "CELL":
            values = [number_of(word, "CELL") for word in words[-6:]]
            if len(values) < 6:
                raise InputError("its CELL line has fewer than six numbers.")
            cell = cell_from_file(values)
        elif key == "LATT":
            lattice = int(number_of(words[1], "LATT")) if len(words) > 1 else 1
        elif key == "SYMM":
            operations.append(parse_operation(" ".join(words[1:])))
        elif key == "SFAC":
            symbols += [element_of_type(word, "SFAC") for word in words[1:] if word[0].isalpha()]
        elif key == "END":
            break
        elif symbols and len(words) >= 5 and re.fullmatch(r"\d{1,3}", words[1], re.ASCII):
            sites.append(_site(words, symbols))
    if cell is None or not sites:
        raise InputError("it has no cell, or no atoms below SFAC.")
    refuse_disorder(sites)
    symmetry = _symmetry(lattice, operations)
    crystal, notes, _ = whole_cell(sites, symmetry, cell)
    return ReadStructure(name, crystal, notes=tuple(notes))


def _site(words: list[str], symbols: list[str]) -> CifSite:
    kind = int(words[1])
    if not 1 <= kind <= len(symbols):
        raise InputError(
            f"atom {shortened(words[0])} has the type {kind}, SFAC lists {len(symbols)}."
        )
    scaled = np.array([number_of(word, "coordinate") for word in words[2:5]])
    occupancy = number_of(words[5], "occupancy") if len(words) > 5 else 1.0
    # SHELX adds 10 to what is not refined, and divides by the site's own symmetry.
    occupancy = occupancy % 10.0 if occupancy >= 10.0 else occupancy
    return CifSite(words[0], symbols[kind - 1], scaled, occupancy)


def _symmetry(lattice: int, operations: list[tuple[np.ndarray, np.ndarray]]) -> Symmetry:
    if abs(lattice) not in _CENTRINGS or len(operations) > MOST_OPERATIONS // 8:
        raise InputError(f"LATT {lattice} is none of the types 1 to 7 (or -1 to -7).")
    pairs = [(np.eye(3), np.zeros(3)), *operations]
    if lattice > 0:
        pairs += [(-rotation, -shift) for rotation, shift in pairs]
    shifts = [np.zeros(3), *map(np.array, _CENTRINGS[abs(lattice)])]
    rotations = np.array([rotation for _ in shifts for rotation, _ in pairs])
    translations = np.array([own + shift for shift in shifts for _, own in pairs])
    return Symmetry(
        f"LATT {lattice}", rotations, translations, "none" if len(rotations) == 1 else "listed"
    )
