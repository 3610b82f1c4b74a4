"""POSCAR files: VASP 4 and 5, selective dynamics, several one after another."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nucleate.crystal.crystal import Crystal
from nucleate.crystal.elements import element, is_element
from nucleate.crystal.formats.cif_elements import DEUTERIUM
from nucleate.crystal.formats.structures import (
    MOST_ATOMS,
    ReadStructure,
    guarded,
    impossible_cell,
    shortened,
)
from nucleate.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from nucleate.crystal.formats.structures import Item

_FLAGS = {"t": False, "f": True, ".true.": False, ".false.": True}  # True: fixed
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eEdD][+-]?\d{1,3})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class _Text:
    """Lines of a file, and where a structure begins and ends in it."""

    lines: list[str]
    start: int
    end: int

    def words(self, offset: int) -> list[str]:
        """Return the words of a line of the structure; none beyond the end."""
        place = self.start + offset
        line = self.lines[place] if place < self.end else ""
        return re.split(r"[!#]", line, maxsplit=1)[0].split()

    def fail(self, offset: int, problem: str) -> InputError:
        """Return an error that names the line."""
        return InputError(f"line {self.start + offset + 1}: {problem}")


def read_poscar_text(text: str) -> list[Item]:
    """Return every structure of a POSCAR, in order; a broken one costs only itself."""
    return list(iter_poscar_text(text))


def iter_poscar_text(text: str) -> Iterator[Item]:
    """Yield what :func:`read_poscar_text` returns, one by one."""
    lines = text.rstrip().split("\n")
    del text
    starts = _starts(lines)
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        own = _Text(lines, start, end)
        yield guarded(lambda own=own: _structure(own))


def _starts(lines: list[str]) -> list[int]:
    """Return the lines at which structures begin: the first, and every later whole header."""
    starts, place = [0], 6
    while place < len(lines):
        if _is_header(lines, place):
            starts.append(place)
            place += 6
        else:
            place += 1
    return starts


def _is_header(lines: list[str], place: int) -> bool:
    """Return whether title, scale, three vectors and counts (with or without symbols) follow."""
    if place + 6 >= len(lines) or len(_numbers(lines[place + 1].split()) or ()) not in (1, 3):
        return False
    if any(len(_numbers(lines[place + 2 + k].split()[:3]) or ()) != 3 for k in range(3)):
        return False
    after = [lines[place + 5].split(), lines[place + 6].split()]
    counts = [bool(words) and all(word.isdecimal() for word in words) for words in after]
    return counts[0] or (counts[1] and bool(after[0]) and after[0][0][0].isalpha())


def _structure(text: _Text) -> ReadStructure:
    cell = _cell(text)
    notes: list[str] = []
    symbols, counts, place = _composition(text, notes)
    words = text.words(place)
    selective = bool(words) and words[0][0] in "sS"
    place += selective
    cartesian = _is_cartesian(text, place)
    place += 1
    total = sum(counts)
    _check_length(text, place, total)
    rows = [_row(text, place + index, selective=selective) for index in range(total)]
    tails = [tail for _, _, tail in rows]
    expected = [
        symbol for symbol, count in zip(symbols or [], counts, strict=False) for _ in range(count)
    ]
    expected = _from_tails(text, place, tails, expected)
    _refuse_more_rows(text, place + total, total)
    points = np.array([point for point, _, _ in rows])
    scaled = points
    if cartesian:
        problem = impossible_cell(cell, total)
        if problem is not None:
            raise InputError(problem)
        scaled = np.linalg.solve(cell.T, (points * _scale(text)[1]).T).T.astype(np.float64)
    numbers = np.array([1 if symbol == "D" else element(symbol).number for symbol in expected])
    if "D" in expected:
        notes.append(DEUTERIUM)
    fixed = np.array([flags for _, flags, _ in rows]) if selective else None
    if fixed is not None and not fixed.any():
        fixed = None
    return ReadStructure("", Crystal(numbers, cell, scaled), fixed=fixed, notes=tuple(notes))


def _scale(text: _Text) -> tuple[float, NDArray[np.float64]]:
    """Return the volume that the cell must have (0 for any) and the factors on x, y, z."""
    numbers = _numbers(text.words(1))
    if numbers is None or len(numbers) not in (1, 3):
        raise text.fail(1, "expected the scale of the cell, one number or three.")
    if len(numbers) == 3:
        if min(numbers) <= 0.0:
            raise text.fail(1, "three scales of the cell must be positive.")
        return 0.0, np.array(numbers)
    if numbers[0] == 0.0:
        raise text.fail(1, "the scale of the cell is 0. Give a factor, or minus the volume in Å³.")
    if numbers[0] > 0.0:
        return 0.0, np.full(3, numbers[0])
    volume = abs(float(np.linalg.det(_vectors(text))))
    if volume < 1e-12:
        raise text.fail(2, "the lattice vectors span no volume.")
    return -numbers[0], np.full(3, (-numbers[0] / volume) ** (1 / 3))


def _vectors(text: _Text) -> NDArray[np.float64]:
    rows = []
    for offset in (2, 3, 4):
        row = _numbers(text.words(offset)[:3])
        if row is None or len(row) != 3:
            raise text.fail(offset, "expected a lattice vector of three numbers.")
        rows.append(row)
    return np.array(rows)


def _cell(text: _Text) -> NDArray[np.float64]:
    return _vectors(text) * _scale(text)[1]


def _composition(text: _Text, notes: list[str]) -> tuple[list[str] | None, list[int], int]:
    """Return the symbols (None where only atoms tell), the counts, and the next line."""
    words = text.words(5)
    if not words:
        raise text.fail(5, "expected the element symbols, or the counts of atoms.")
    title = re.split(r"\s+", text.lines[text.start].strip())
    if all(word.isdecimal() for word in words):  # VASP 4
        counts = _counts(text, 5, words)
        return _from_title(title, counts), counts, 6
    symbols = [_symbol(text, word) for word in words]
    counts = _counts(text, 6, text.words(6))
    if len(counts) != len(symbols):
        raise text.fail(
            6, f"{len(counts)} counts ({' '.join(map(str, counts))}) for {len(symbols)} element "
            f"symbols ({' '.join(symbols)}). Give one count for each symbol.",
        )  # fmt: skip
    if all(is_element(word) for word in title) and set(title) != set(symbols):
        notes.append(
            f"the title says {' '.join(title)[:60]}, the line of symbols {' '.join(symbols)}: "
            "the symbols are used"
        )
    return symbols, counts, 7


def _counts(text: _Text, offset: int, words: list[str]) -> list[int]:
    if not words or not all(word.isdecimal() and len(word) < 12 for word in words):
        raise text.fail(offset, "expected the counts of atoms as whole numbers.")
    counts = [int(word) for word in words]
    if min(counts) == 0:
        raise text.fail(offset, f"a count of atoms is 0 ({' '.join(words)}). Leave the symbol out.")
    if sum(counts) > MOST_ATOMS:
        raise text.fail(offset, f"{sum(counts)} atoms; at most {MOST_ATOMS} can be read.")
    return counts


def _symbol(text: _Text, word: str) -> str:
    """Return the element of a word such as ``Mg``, ``Ti_sv``, ``O/1a2b``."""
    plain = re.split(r"[_/]", word, maxsplit=1)[0]
    if re.fullmatch(r"H\d*\.\d+", plain):
        raise text.fail(
            5, f"{word} is a pseudo-hydrogen of fractional charge, which only its own VASP "
            "potential describes. Use H, or take these atoms out.",
        )  # fmt: skip
    if plain == "D" or is_element(plain):
        return plain
    if plain.isalpha() and is_element(plain.capitalize()):
        return plain.capitalize()
    raise text.fail(5, f"{shortened(word)} is not an element.")


def _from_title(title: list[str], counts: list[int]) -> list[str] | None:
    """Return the symbols of a VASP 4 file if its title lists them or is their formula."""
    if len(title) >= len(counts):
        first = title[: len(counts)]
        if all(is_element(word) for word in first) and not any(
            map(is_element, title[len(counts) :])
        ):
            return first
    spaced = [] if any(map(is_element, title[len(counts) :])) else title[: len(counts)]
    for formula in (title[0], "".join(spaced)):
        parts = re.findall(r"([A-Z][a-z]?)(\d{0,6})", formula)
        whole = "".join(symbol + number for symbol, number in parts) == formula
        if whole and len(parts) == len(counts) and all(is_element(symbol) for symbol, _ in parts):
            given = [int(number or 1) for _, number in parts]
            if all(a * counts[0] == b * given[0] for a, b in zip(given, counts, strict=True)):
                return [symbol for symbol, _ in parts]
    return None


def _is_cartesian(text: _Text, place: int) -> bool:
    words = text.words(place)
    first = words[0][0].lower() if words else ""
    if first not in ("d", "c", "k", "f"):
        raise text.fail(place, "expected 'Direct' or 'Cartesian' before the coordinates.")
    return first in "ck"


def _check_length(text: _Text, place: int, total: int) -> None:
    there = 0
    while there < total and text.words(place + there):
        there += 1
    if there < total:
        raise text.fail(
            place + there,
            f"the file ends after {there} of {total} atoms. Correct the counts or add the rest.",
        )


def _row(text: _Text, offset: int, *, selective: bool) -> tuple[list[float], list[bool], str]:
    """Return coordinates, fixed axes and the element symbol behind them (or nothing)."""
    words = text.words(offset)
    point = _numbers(words[:3])
    if point is None or len(point) != 3:
        raise text.fail(offset, "expected three coordinates.")
    rest, flags = words[3:], [False] * 3
    if selective:
        given = [_FLAGS.get(word.lower()) for word in rest[:3]]
        if len(given) != 3 or None in given:
            raise text.fail(offset, "expected three flags T or F (selective dynamics).")
        flags, rest = [bool(flag) for flag in given], rest[3:]
    tail = rest[0] if rest else ""
    return point, flags, tail if is_element(tail) or tail == "D" else ""


def _from_tails(text: _Text, place: int, tails: list[str], expected: list[str]) -> list[str]:
    """Return the symbols of the atoms, from those behind the coordinates where need be."""
    if expected:
        for index, (tail, symbol) in enumerate(zip(tails, expected, strict=True)):
            if tail and tail != symbol and tail != "D":
                raise text.fail(
                    place + index, f"the atom is labelled {tail}, but it is {symbol} by the "
                    "symbols and counts above. Correct one of them.",
                )  # fmt: skip
        return expected
    if all(tails):
        return tails
    raise text.fail(
        5, "there are counts but no element symbols. Put a line of symbols above the counts.",
    )  # fmt: skip


def _refuse_more_rows(text: _Text, offset: int, total: int) -> None:
    """Raise an error if rows of more atoms follow; velocities (as many rows) come after a gap."""
    if _is_row(text, offset):
        raise text.fail(offset, "there are coordinates of more atoms than the counts say.")
    end = text.end - text.start
    while offset < end and not text.words(offset):
        offset += 1
    rows = 0
    while offset + rows < end and _is_row(text, offset + rows):
        rows += 1
    if rows not in (0, total):
        raise text.fail(
            offset, f"{rows} rows of numbers follow the {total} atoms; velocities would be {total}."
        )


def _is_row(text: _Text, offset: int) -> bool:
    words = text.words(offset)
    return len(words) >= 3 and _numbers(words[:3]) is not None


def _numbers(words: list[str]) -> list[float] | None:
    """Return words as numbers, or None if one is none."""
    if not all(len(word) < 60 and _NUMBER.fullmatch(word) for word in words):
        return None
    return [float(word.replace("d", "e").replace("D", "e")) for word in words]
