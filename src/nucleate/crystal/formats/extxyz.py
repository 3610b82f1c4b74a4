"""Extended XYZ: frames of atoms with a lattice, read line by line."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from nucleate.crystal.crystal import Crystal
from nucleate.crystal.elements import element, is_element
from nucleate.crystal.formats.cif_elements import DEUTERIUM
from nucleate.crystal.formats.structures import (
    MOST_ATOMS,
    ReadStructure,
    Unreadable,
    guarded,
    shortened,
)
from nucleate.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    from nucleate.crystal.formats.structures import Item

_LONGEST_COMMENT = 10_000_000
_LARGEST_FRAME = 32_000_000
"""Characters."""

_BLOCK = 1_000_000
_PAIR = re.compile(
    r"""\s*(?P<key>"[^"]*"|'[^']*'|[^\s="']+)
        (?:\s*=\s*(?P<value>"(?:[^"\\]|\\.)*"|'[^']*'|\{[^{}]*\}
        |\[(?:[^\[\]]|\[[^\[\]]{0,200}\]){0,1000}\]|[^\s"']\S*)?)?""",
    re.VERBOSE,
)
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eEdD][+-]?\d{1,4})?", re.ASCII)
_TRUE, _FALSE = ("t", "true", "1", ".true."), ("f", "false", "0", ".false.")


@dataclass(frozen=True, slots=True)
class _Frame:
    """Lines of one frame; ``first`` is the number of its first line in the file."""

    index: int
    first: int
    rows: list[str]
    comment: str
    count: int | None


def read_extxyz_text(text: str) -> list[Item]:
    """Return every frame, in order; a broken one costs only itself."""
    return list(iter_extxyz_text(text))


def iter_extxyz_text(text: str) -> Iterator[Item]:
    """Yield what :func:`read_extxyz_text` returns, frame by frame."""
    number = -1
    for number, item in enumerate(read_extxyz_blocks(_divided(text))):  # noqa: B007
        yield item
    if number < 0:
        yield Unreadable("", InputError("it holds no structure."))


def _divided(text: str) -> Iterator[str]:
    """Yield a text in blocks of whole lines."""
    place = 0
    while place < len(text):
        end = text.find("\n", place + _BLOCK) + 1 or len(text)
        yield text[place:end]
        place = end


def read_extxyz_blocks(blocks: Iterable[str]) -> Iterator[Item]:
    """Yield every frame of a text that comes in blocks of whole lines."""
    index = line = 0
    rest = ""
    for block in blocks:
        text = rest + block
        frames = list(_frames(text))
        if not frames:
            line, rest = line + text.count("\n"), ""
            continue
        last = frames.pop()
        for frame in frames:
            yield _item(replace(frame, index=index, first=line + frame.first))
            index += 1
        rest = "\n".join(text.split("\n")[last.first - 1 :])
        line += last.first - 1
        if len(rest) > _LARGEST_FRAME:
            what = f"structure {index} (line {line + 1}) is not valid extxyz: it is too long."
            yield Unreadable("", InputError(what))
            return
    for frame in _frames(rest):
        yield _item(replace(frame, index=index, first=line + frame.first))
        index += 1


def _item(frame: _Frame) -> Item:
    item = guarded(lambda: _structure(frame))
    if isinstance(item, Unreadable):
        what = f"structure {frame.index} (line {frame.first})"
        return Unreadable(item.name, InputError(f"{what} is not valid extxyz: {item.error}"))
    return item


def parse_comment(comment: str) -> dict[str, str]:
    """Return the keys and values of a comment line; a bare key has the value ``T``."""
    found: dict[str, str] = {}
    position = 0
    while position < len(comment):
        match = _PAIR.match(comment, position)
        if match is None or match.end() == position:
            position += 1
            continue
        key, value = _unquoted(match["key"]), match["value"]
        word = "T" if value is None else _unquoted(value)
        if found.setdefault(key, word) != word and key.lower() in _GEOMETRY:
            raise InputError(f"its comment gives {key} twice, with different values.")
        position = match.end()
    return found


def _frames(text: str) -> Iterator[_Frame]:
    """Yield frames; where a count is wrong, the next count before a lattice starts a frame."""
    lines = text.split("\n")
    place = index = 0
    while place < len(lines):
        if not lines[place].strip():
            place += 1
            continue
        count = _count(lines[place])
        end = place + 2
        wanted = len(lines) if count is None else min(len(lines), place + 2 + count)
        while end < wanted and not _begins(lines, end):
            end += 1
        if count is not None and end == wanted:  # rows beyond the count belong to this frame
            while end < len(lines) and lines[end].strip() and _count(lines[end]) is None:
                end += 1
        comment = lines[place + 1] if place + 1 < len(lines) else ""
        yield _Frame(index, place + 1, lines[place + 2 : end], comment, count)
        place, index = end, index + 1


def _begins(lines: list[str], place: int) -> bool:
    """Return whether a count and a comment with a lattice stand at a place."""
    return (
        place + 1 < len(lines)
        and _count(lines[place]) is not None
        and "lattice=" in lines[place + 1][:100_000].lower()
    )


def _count(line: str) -> int | None:
    word = line.strip()
    return int(word) if re.fullmatch(r"\d{1,18}", word, re.ASCII) else None


def _structure(frame: _Frame) -> ReadStructure:
    rows = [row.split() for row in frame.rows if row.strip()]
    if frame.count is None:
        raise InputError("it does not begin with the number of its atoms.")
    if frame.count != len(rows):
        raise InputError(f"it has {len(rows)} rows of atoms, its first line says {frame.count}.")
    if frame.count > MOST_ATOMS or len(frame.comment) > _LONGEST_COMMENT:
        raise InputError(f"it has {frame.count} atoms; at most {MOST_ATOMS} can be read.")
    pairs = parse_comment(frame.comment)
    info = {key: _value(text) for key, text in pairs.items() if key not in _STRUCTURAL}
    name = str(pairs.get("name", ""))
    cell = _cell(pairs)
    columns = _columns(pairs.get("Properties", pairs.get("properties")), rows)
    positions = _floats(columns["pos"], "a position", 3)
    notes: list[str] = []
    numbers = _atomic_numbers(columns, notes)
    crystal = _checked_crystal(numbers, cell, positions)
    fixed = _fixed(columns.get("move_mask"), len(rows))
    return ReadStructure(name, crystal, fixed, "cartesian", tuple(notes), info)


_GEOMETRY = ("lattice", "properties", "pbc")
_ELEMENTS = ("species", "element", "symbols", "Z", "numbers", "atomic_numbers")
_STRUCTURAL = ("Lattice", "lattice", "Properties", "properties", "pbc", "name")


def _checked_crystal(
    numbers: NDArray[np.int64], cell: NDArray[np.float64], positions: NDArray[np.float64]
) -> Crystal:
    from nucleate.crystal.formats.structures import impossible_cell

    problem = impossible_cell(cell, len(numbers)) if len(numbers) else "it has no atoms."
    if problem is not None:
        raise InputError(problem)
    return Crystal.from_positions(numbers, cell, positions)


def _cell(pairs: dict[str, str]) -> NDArray[np.float64]:
    text = pairs.get("Lattice", pairs.get("lattice"))
    if text is None:
        raise InputError("it is not periodic: it has no Lattice. Give its three lattice vectors.")
    numbers = _words(text)
    if len(numbers) != 9:
        raise InputError(f"its Lattice has {len(numbers)} numbers, not nine.")
    cell = np.array([_float(word, "Lattice") for word in numbers]).reshape(3, 3)
    periodic = [word.lower() for word in _words(pairs.get("pbc", "T T T"))]
    if len(periodic) == 1:
        periodic *= 3
    if len(periodic) != 3 or not all(word in _TRUE for word in periodic):
        raise InputError(
            "it is not periodic in three directions (pbc). Give a crystal with three lattice "
            "vectors."
        )
    return cell


def _columns(properties: str | None, rows: list[list[str]]) -> dict[str, list[list[str]]]:
    """Return the words of each property, a row for each atom.

    Without ``Properties``, as in plain XYZ, a symbol and three coordinates begin each row.
    """
    if properties is None:
        short = next((row for row in rows if len(row) < 4), None)
        if short is not None:
            raise InputError(f"the row {shortened(' '.join(short))} has no three coordinates.")
        return {"species": [row[:1] for row in rows], "pos": [row[1:4] for row in rows]}
    fields = _fields(properties)
    width = sum(count for _, count in fields)
    wrong = next((row for row in rows if len(row) != width), None)
    if wrong is not None:
        raise InputError(
            f"the row {shortened(' '.join(wrong))} has {len(wrong)} columns, its Properties say "
            f"{width}."
        )
    columns, start = {}, 0
    for name, count in fields:
        columns[name] = [row[start : start + count] for row in rows]
        start += count
    if "pos" not in columns:
        raise InputError("its Properties have no column 'pos'.")
    return columns


def _fields(properties: str) -> list[tuple[str, int]]:
    """Return name and number of columns of each property; a name may hold colons."""
    parts = properties.split(":")
    fields, name = [], []
    place = 0
    while place < len(parts):
        digits = parts[place + 1] if place + 1 < len(parts) else ""
        if (
            name
            and parts[place] in ("S", "R", "I", "L")
            and re.fullmatch(r"\d{1,4}", digits, re.ASCII)
        ):
            fields.append((":".join(name), int(digits)))
            name, place = [], place + 2
        else:
            name.append(parts[place])
            place += 1
    if name or not fields or any(count < 1 for _, count in fields):
        raise InputError(f"its Properties {shortened(properties)} cannot be read.")
    return fields


def _atomic_numbers(columns: dict[str, list[list[str]]], notes: list[str]) -> NDArray[np.int64]:
    """Return the atomic numbers by the columns that say them, which must agree."""
    keys = [key for key in _ELEMENTS if key in columns]
    if not keys:
        raise InputError("its Properties have no column 'species'.")
    found = []
    for key in keys:
        words = [row[0] for row in columns[key]]
        if "D" in words:
            notes.append(DEUTERIUM)
        found.append(np.array([_number_of(word) for word in words], dtype=np.int64))
    other = next((k for k, numbers in enumerate(found) if (numbers != found[0]).any()), None)
    if other is not None:
        raise InputError(f"its columns {keys[0]!r} and {keys[other]!r} name different elements.")
    return found[0]


def _number_of(word: str) -> int:
    if word == "D":
        return 1
    if word.isdecimal() and 0 < len(word) < 4:
        return element(int(word)).number
    for spelling in (word, word.capitalize()):
        if is_element(spelling):
            return element(spelling).number
    raise InputError(f"{shortened(word)} is not an element.")


def _fixed(column: list[list[str]] | None, n_atoms: int) -> NDArray[np.bool_] | None:
    """Return what ``move_mask`` fixes: F where an atom, or one axis of it, does not move."""
    if column is None:
        return None
    words = [[word.lower() for word in row] for row in column]
    if any(word not in (*_TRUE, *_FALSE) for row in words for word in row):
        raise InputError("its move_mask holds something other than T and F.")
    flags = np.array([[word in _FALSE for word in row] for row in words], dtype=bool)
    if flags.shape not in ((n_atoms, 1), (n_atoms, 3)):
        raise InputError("its move_mask has neither one column nor three.")
    fixed = np.array(np.broadcast_to(flags, (n_atoms, 3)))
    return fixed if fixed.any() else None


def _floats(rows: list[list[str]], what: str, width: int) -> NDArray[np.float64]:
    if rows and len(rows[0]) != width:
        raise InputError(f"{what} has {len(rows[0])} numbers, not {width}.")
    return np.array([[_float(word, what) for word in row] for row in rows], dtype=np.float64)


def _float(word: str, what: str) -> float:
    if len(word) > 60 or _NUMBER.fullmatch(word) is None:
        raise InputError(f"{what} {shortened(word)} is not a number.")
    return float(word.replace("d", "e").replace("D", "e"))


def _words(text: str) -> list[str]:
    return re.sub(r"[\[\]{},]", " ", text).split()


def _unquoted(text: str) -> str:
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
        return text[1:-1]
    return text


def _value(text: str) -> str | int | float | bool | NDArray[np.float64]:
    """Return a value of the comment line as a truth value, number, array or text."""
    if text in ("T", "F", "True", "False"):
        return text in ("T", "True")
    words = _words(text) if len(text) < 100_000 else []
    if not words or not all(len(word) < 60 and _NUMBER.fullmatch(word) for word in words):
        return text
    if len(words) == 1 and re.fullmatch(r"[+-]?\d{1,15}", words[0], re.ASCII):
        return int(words[0])
    numbers = np.array([float(word.replace("d", "e").replace("D", "e")) for word in words])
    return float(numbers[0]) if len(words) == 1 else numbers
