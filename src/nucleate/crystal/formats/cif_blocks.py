"""Data blocks of a CIF by gemmi's parser, each on its own so that one bad block stays alone."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from math import isfinite
from typing import TYPE_CHECKING

from nucleate.crystal.formats.structures import shortened
from nucleate.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

LARGEST_BLOCK = 8 * 2**20
"""Characters of one data block without its text fields, such as lists of reflections."""

_TEXT_FIELD = re.compile(r"^;.*?^;", re.DOTALL | re.MULTILINE)
_HEADER = re.compile(r"\s*data_\S*", re.IGNORECASE)
_MOST_DIGITS = 40
_FOREIGN = re.compile(r"[^\t\n\x20-\x7e]")
_NULL = ("?", ".")


@dataclass(frozen=True, slots=True)
class CifBlock:
    """One data block; tags are in small letters with ``.`` as ``_``.

    Attributes
    ----------
    name : str
        After ``data_``.
    pairs : dict of str to str
        Values outside loops.
    loops : list of dict of str to list of str
        Columns of each loop.
    """

    name: str
    pairs: dict[str, str] = field(default_factory=dict)
    loops: list[dict[str, list[str]]] = field(default_factory=list)

    def __contains__(self, tag: str) -> bool:
        return tag in self.pairs or any(tag in loop for loop in self.loops)

    def values(self, *tags: str) -> list[str]:
        """Return the values of the first tag that the block has; empty where it has none."""
        for tag in tags:
            if tag in self.pairs:
                return [self.pairs[tag]]
            for loop in self.loops:
                if tag in loop:
                    return loop[tag]
        return []

    def value(self, *tags: str) -> str | None:
        """Return the first known value (not ``?`` or ``.``) of the tags, or None."""
        for tag in tags:
            found = self.values(tag)
            if found and found[0] not in _NULL and found[0].strip():
                return found[0].strip()
        return None

    def number(self, *tags: str) -> float | None:
        """Return the first known value of the tags as a number, or None where there is none.

        Raises
        ------
        InputError
            If the value is not a number.
        """
        found = self.value(*tags)
        return None if found is None else number_of(found, tags[0])

    def table(self, tag: str) -> dict[str, list[str]]:
        """Return the loop with a tag, or the pairs as a loop of one row; empty where missing.

        A single row may be written without a loop.
        """
        for loop in self.loops:
            if tag in loop:
                return loop
        if tag in self.pairs:
            return {key: [value] for key, value in self.pairs.items()}
        return {}


def number_of(value: str, what: str) -> float:
    """Return a number with or without its uncertainty, such as ``5.64(2)``.

    Raises
    ------
    InputError
        If it is not a finite number.
    """
    text = re.sub(r"\(\d*\)?$", "", value.strip())
    if re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eEdD][+-]?\d{1,3})?", text, re.ASCII) is None:
        raise InputError(f"{what} {shortened(value)} is not a number.")
    if len(text) > _MOST_DIGITS:
        raise InputError(f"{what} {shortened(value)} has too many digits.")
    number = float(text.replace("d", "e").replace("D", "e"))
    if not isfinite(number):
        raise InputError(f"{what} {shortened(value)} is too large.")
    return number


def cif_blocks(text: str) -> Iterator[CifBlock | tuple[str, InputError]]:
    """Yield every data block of a file, or name and error of one that is not valid CIF."""
    chunks = _chunks(text)
    del text
    for name, line, chunk in chunks:
        try:
            yield from _parsed(chunk, line)
        except InputError as error:
            yield name, error


def _parsed(chunk: str, first: int) -> list[CifBlock]:
    from gemmi import cif

    if len(chunk) > LARGEST_BLOCK and len(_TEXT_FIELD.sub(";", chunk)) > LARGEST_BLOCK:
        raise InputError(
            f"it is larger than {LARGEST_BLOCK >> 20} MB. Keep its cell, symmetry and sites alone."
        )
    ascii_text = _FOREIGN.sub(lambda match: f"\\u{ord(match[0]):04x}", chunk.replace("\f", " "))
    try:
        document = cif.read_string(ascii_text, check_level=0)
    except (ValueError, RuntimeError) as error:
        repaired = _without_empty_loops(ascii_text)
        try:
            if repaired == ascii_text:
                raise
            document = cif.read_string(repaired, check_level=0)
        except (ValueError, RuntimeError):
            raise InputError(_translated(str(error), first)) from error
    return [_block(block) for block in document]


def _without_empty_loops(text: str) -> str:
    """Return the text without loops that have tags but no values, as GULP writes them.

    Such a loop shows by a tag with its value on one line right after its own tags; it becomes
    blank lines.
    """
    lines = text.split("\n")
    start = None
    for number, line in enumerate(lines):
        words = line.split(maxsplit=2)
        if len(words) == 1 and words[0].lower() == "loop_":
            start = number
        elif start is not None and len(words) > 1 and words[0].startswith("_"):
            lines[start:number] = [""] * (number - start)
            start = None
        elif words and not (len(words) == 1 and words[0].startswith("_")):
            start = None
    return "\n".join(lines)


def _block(block: object) -> CifBlock:
    from gemmi import cif

    found = CifBlock(block.name.strip())  # type: ignore[attr-defined]
    for item in block:  # type: ignore[attr-defined]
        if item.pair is not None:
            tag, raw = item.pair
            value = raw if cif.is_null(raw) else _text(cif.as_string(raw))
            _add(found, _key(tag), value)
        elif item.loop is not None:
            tags = [_key(tag) for tag in item.loop.tags]
            if not any(tag.startswith(_LOOPED) for tag in tags):
                continue
            raw = [v if cif.is_null(v) else _text(cif.as_string(v)) for v in item.loop.values]
            found.loops.append({tag: raw[column :: len(tags)] for column, tag in enumerate(tags)})
    _refuse_doubled(found)
    return found


def _add(block: CifBlock, tag: str, value: str) -> None:
    if block.pairs.get(tag, value) != value and _matters(tag):
        raise InputError(f"{tag} is given twice: {block.pairs[tag]!r} and {value!r}.")
    block.pairs.setdefault(tag, value)


def _refuse_doubled(block: CifBlock) -> None:
    seen = set(block.pairs)
    for loop in block.loops:
        for tag in loop:
            if tag in seen and _matters(tag):
                raise InputError(f"{tag} is given twice. Keep one of them.")
            seen.add(tag)


_LOOPED = ("_atom_site", "_cell", "_chemical", "_exptl", "_space_group", "_symmetry")
"""Beginnings of the tags whose loops say something about the crystal."""


def _matters(tag: str) -> bool:
    return tag.startswith(("_atom_site_", "_cell_", "_symmetry_", "_space_group"))


def _key(tag: str) -> str:
    return tag.lower().replace(".", "_")


def _text(value: str) -> str:
    return value.strip("\n")


def _translated(message: str, first: int) -> str:
    """Return gemmi's message with the line in the whole file and in our words."""
    match = re.match(r"string:(\d+)(?::\d+\(\d+\))?(?: in \S+)?:\s*(.*)", message.splitlines()[0])
    if match is None:
        return f"it is not valid CIF ({message.splitlines()[0][:200]})."
    line, problem = int(match[1]) + first, match[2]
    if "Wrong number of values" in problem:
        problem = "the number of values in a loop is not a multiple of the number of its tags"
    return f"it is not valid CIF at line {line}: {problem[:200]}."


def _chunks(text: str) -> Iterator[tuple[str, int, str]]:
    """Yield name, number of lines before, and text of every data block."""
    lines = text.split("\n")
    starts = _headers(lines, skip_text=True)
    if starts is None:  # a text field that does not end: headers count wherever they are
        starts = _headers(lines, skip_text=False) or []
    before = "\n".join(lines[: starts[0]] if starts else lines)
    ends = [*starts[1:], len(lines)]
    del text
    if "_fract_x" in before:
        yield "", -1, "data_\n" + before
    for start, end in zip(starts, ends[: len(starts)], strict=True):
        name = lines[start].strip().split()[0][5:]
        yield name, start, "\n".join(lines[start:end]) + "\n"


def _headers(lines: list[str], *, skip_text: bool) -> list[int] | None:
    found, inside = [], False
    for number, line in enumerate(lines):
        if skip_text and line.startswith(";"):
            inside = not inside
        elif not inside and _HEADER.match(line):
            found.append(number)
    return None if inside else found
