"""Text that comes from outside (engines, files, tables): made printable and short.

Messages of engines reach the store, the log, the terminal, tables and the page. They are cleaned
once, where outcomes are made (:mod:`nucleate.relax.outcome`), so that no later reader has to.
"""

from __future__ import annotations

import re
import unicodedata

LONGEST_MESSAGE = 8000
"""Characters of a message that are kept."""

LONGEST_LABEL = 200
"""Characters of a name that are kept."""

LONGEST_LINE = 400
"""Characters of a message that is kept as one line."""

FORMULA_BEGINNINGS = ("=", "+", "-", "@", "\t", "\r")
"""A table cell that begins so is a formula for a spreadsheet."""

_ESCAPES = re.compile(
    r"\x1b\][^\x07\x1b]*(?:\x07|\x1b\\|$)"  # operating-system commands, such as titles and links
    r"|\x1b[PX^_][^\x1b]*(?:\x1b\\|$)"  # strings for the device
    r"|(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?"  # colours, movements, erasures
    r"|\x1b[ -/]*[0-~]?"
)
_INVISIBLE = ("Cc", "Cf", "Cs", "Co", "Cn")
"""Classes of control, format (direction of text), surrogate, private and unassigned characters."""


def clean(text: object, *, longest: int = LONGEST_MESSAGE) -> str:
    r"""Return text that every stream and file can hold, of at most ``longest`` characters.

    Terminal escapes are removed; control characters other than line ends and tabs, marks of the
    direction of text, and lone surrogates become ``?``. Of a text that is too long the beginning
    and the end are kept.

    Parameters
    ----------
    text
        Anything; what is no string is converted.
    longest
        Largest number of characters of the result.
    """
    text = _shortened(_as_text(text, longest), 4 * longest)
    if not (text.isascii() and text.isprintable()):
        text = _ESCAPES.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
        text = "".join(c if c in "\n\t" or _is_visible(c) else "?" for c in text)
    return _shortened(text, longest)


def label(text: object) -> str:
    """Return a name as one short line."""
    return " ".join(clean(text, longest=LONGEST_LABEL).split())


def in_a_line(text: object) -> str:
    """Return a message as one line."""
    return " ".join(clean(text, longest=LONGEST_LINE).split())


def table_cell(text: str) -> str:
    """Return a text that no spreadsheet takes for a formula; numbers stay as they are."""
    if not text.startswith(FORMULA_BEGINNINGS) or _is_number(text):
        return text
    return f"'{text}"


def _as_text(value: object, longest: int) -> str:
    try:
        return value if type(value) is str else str(value)
    except Exception as error:  # noqa: BLE001  an object of an engine may raise anything
        return f"a {type(value).__name__} that has no text ({type(error).__name__})"[:longest]


def _shortened(text: str, longest: int) -> str:
    if len(text) <= longest:
        return text
    mark = f"\n[... {len(text) - longest} characters left out ...]\n"
    if longest < 4 * len(mark):
        return text[: longest - 3] + "..."
    left = longest - len(mark)
    return text[: left // 2] + mark + text[len(text) - (left - left // 2) :]


def _is_visible(character: str) -> bool:
    return unicodedata.category(character) not in _INVISIBLE


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
