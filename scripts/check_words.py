"""Find phrases that nucleate's prose does not use, and print what to write instead.

The rules are in ``words.txt`` beside this file, accepted occurrences in ``words_allowed.txt``. Of
Markdown files everything but code is read, of Python files docstrings, comments and strings that
contain a space (messages and help texts; single words are names or keys).

    python scripts/check_words.py [PATH ...]

Without paths the README, the changelog, ``docs`` and ``src`` are checked. The exit status is 1 if
anything was found.
"""

from __future__ import annotations

import io
import re
import sys
import tokenize
from bisect import bisect_right
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

ROOT = Path(__file__).resolve().parent.parent
CHECKED = ("README.md", "CHANGELOG.md", "docs", "src")
"""What is checked where no path is given, relative to the root of the repository."""

AROUND = 60
"""Characters on either side of a match that an accepted occurrence is looked for in."""

_FENCE = re.compile(r"^(```|~~~).*?^\1[^\n]*$", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"(`+)(?:(?!`)[^\n]|\n(?!\s*\n))+?\1")
_LINK = re.compile(r"\]\([^)\s]*\)")
_PROMPT = re.compile(r"^\s*(>>>|\.\.\. ).*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Rule:
    """A phrase to avoid.

    Attributes
    ----------
    pattern : re.Pattern
        What is found.
    advice : str
        What to write instead.
    markdown_only : bool
        Whether Python files are left out.
    """

    pattern: re.Pattern[str]
    advice: str
    markdown_only: bool


@dataclass(frozen=True, slots=True)
class Passage:
    """Connected prose of a file.

    Attributes
    ----------
    text : str
        With code blanked out.
    offsets, lines : tuple of int
        Where a new line of the file begins in ``text``, and its number.
    """

    text: str
    offsets: tuple[int, ...]
    lines: tuple[int, ...]

    def line(self, position: int) -> int:
        """Return the line of the file that a position in the text belongs to."""
        return self.lines[bisect_right(self.offsets, position) - 1]


@dataclass(frozen=True, slots=True)
class Finding:
    """An occurrence of a phrase to avoid."""

    path: Path
    line: int
    phrase: str
    advice: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.phrase!r}: write {self.advice}"


def read_rules(path: Path) -> list[Rule]:
    """Return the rules of a file."""
    rules, markdown_only = [], False
    for line in path.read_text(encoding="utf-8").splitlines():
        if line in ("[all]", "[markdown]"):
            markdown_only = line == "[markdown]"
        elif line and not line.startswith("#"):
            pattern, _, advice = line.rpartition(" => ")
            spaced = pattern.replace(" ", r"\s+")
            compiled = re.compile(spaced, re.IGNORECASE | re.MULTILINE)
            rules.append(Rule(compiled, advice.strip(), markdown_only))
    return rules


def read_allowed(path: Path) -> list[tuple[str, str]]:
    """Return accepted occurrences: a pattern of paths and a part of the text."""
    lines = path.read_text(encoding="utf-8").splitlines()
    pairs = (line.split(maxsplit=1) for line in lines if line and not line.startswith("#"))
    return [(where, text) for where, text in pairs]


def check_file(
    path: Path, rules: Sequence[Rule], allowed: Iterable[tuple[str, str]] = ()
) -> list[Finding]:
    """Return what one file has of the phrases to avoid."""
    text = path.read_text(encoding="utf-8")
    is_python = path.suffix == ".py"
    shown = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path
    accepted = [part for where, part in allowed if fnmatch(shown.as_posix(), where)]
    found = []
    for passage in _python(text) if is_python else [_passage(_without_code(text))]:
        for rule in rules:
            if is_python and rule.markdown_only:
                continue
            for match in rule.pattern.finditer(passage.text):
                around = passage.text[max(match.start() - AROUND, 0) : match.end() + AROUND]
                around = " ".join(around.split())
                if not any(part in around for part in accepted):
                    phrase = " ".join(match[0].split())
                    line = passage.line(match.start())
                    found.append(Finding(shown, line, phrase, rule.advice))
    return sorted(found, key=lambda finding: finding.line)


def files_of(paths: Iterable[Path]) -> Iterator[Path]:
    """Return the Markdown and Python files of files and folders."""
    for path in paths:
        if path.is_dir():
            yield from sorted(p for p in path.rglob("*") if p.suffix in (".md", ".py"))
        else:
            yield path


def main(arguments: Sequence[str]) -> int:
    """Check the paths given; return the exit status."""
    folder = Path(__file__).parent
    rules = read_rules(folder / "words.txt")
    allowed = read_allowed(folder / "words_allowed.txt")
    paths = [Path(argument).resolve() for argument in arguments] or [ROOT / p for p in CHECKED]
    found = [item for path in files_of(paths) for item in check_file(path, rules, allowed)]
    for finding in found:
        print(finding)
    return 1 if found else 0


def _passage(text: str, first_line: int = 1) -> Passage:
    starts = [0, *(match.end() for match in re.finditer("\n", text))]
    return Passage(text, tuple(starts), tuple(range(first_line, first_line + len(starts))))


def _without_code(text: str) -> str:
    """Blank out code and the targets of links, and keep the line breaks."""
    for pattern in (_FENCE, _CODE, _LINK, _PROMPT):
        text = pattern.sub(lambda match: re.sub(r"[^\n]", "\x00", match[0]), text)
    return text


def _python(source: str) -> Iterator[Passage]:
    """Return the docstrings, messages and comments of a module."""
    parts: list[tuple[str, int]] = []
    depth = 0  # of f-strings, which are several tokens from Python 3.12 on
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == _FSTRING_START:
            depth += 1
        elif token.type == _FSTRING_END:
            depth -= 1
        elif token.type == _FSTRING_MIDDLE:
            parts.append((_escaped(token.string), token.start[0]))
        elif depth:
            if token.type == tokenize.OP and token.string == "{":
                parts.append(("\x00", token.start[0]))
        elif token.type == tokenize.STRING:
            parts.append((_content(token.string), token.start[0]))
        elif not (parts and token.type == tokenize.NL):
            yield from _joined(parts)
            parts = []
            if token.type == tokenize.COMMENT:
                yield _passage(_without_code(token.string.lstrip("# ")), token.start[0])
    yield from _joined(parts)


_FSTRING_START, _FSTRING_MIDDLE, _FSTRING_END = (
    getattr(tokenize, f"FSTRING_{part}", -1) for part in ("START", "MIDDLE", "END")
)


def _content(literal: str) -> str:
    """Return what is between the quotes; of an f-string, with its fields blanked out."""
    match = re.fullmatch(r"([a-zA-Z]*)(\"{3}|\'{3}|\"|\')(.*)\2", literal, re.DOTALL)
    assert match is not None
    body = _escaped(match[3])
    return re.sub(r"\{[^{}]*\}", "\x00", body) if "f" in match[1].lower() else body


def _escaped(text: str) -> str:
    """Replace escaped line breaks, which are none in the file, by spaces."""
    return text.replace("\\n", "  ")


def _joined(parts: Sequence[tuple[str, int]]) -> Iterator[Passage]:
    """Return adjacent strings as one passage, unless they are a single word."""
    text, offsets, lines = "", [], []
    for content, line in parts:
        for number, piece in enumerate(content.split("\n")):
            if number:
                text += "\n"
            offsets.append(len(text))
            lines.append(line + number)
            text += piece
    if " " in text.strip():
        yield Passage(_without_code(text), tuple(offsets), tuple(lines))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
