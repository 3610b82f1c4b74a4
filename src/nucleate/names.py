"""Names from outside (materials, tiers, presets) as names of files and folders."""

from __future__ import annotations

import hashlib
import re
from pathlib import PurePath

LONGEST = 100
"""Characters of a file's name; file systems hold 255 bytes, and endings are added."""

_UNSAFE = re.compile(r"[^A-Za-z0-9.+-]+")
_CAPITAL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
"""Names that Windows has taken."""


def safe_name(text: str) -> str:
    """Return a name that is one file of its folder on every system.

    What is safe already stays as it is. Everything else (separators, a leading dot, spaces,
    characters outside ASCII, names of devices, more than 100 characters) is replaced, and
    a digest of the original keeps different names different.

    Parameters
    ----------
    text
        Any string, the empty one included.
    """
    if is_safe_name(text):
        return text
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:10]
    readable = _UNSAFE.sub("_", text).strip("._-+ ")[: LONGEST - len(digest) - 2]
    return f"{readable or 'x'}~{digest}"


def short_name(kind: str) -> str:
    """Return the name of a kind in records: that of its class for ``module:Class``, with dashes.

    >>> short_name("my_moves:ShearTwice"), short_name("swap-two-atoms")
    ('shear-twice', 'swap-two-atoms')
    """
    _, colon, name = kind.rpartition(":")
    return _CAPITAL.sub("-", name.rpartition(".")[2]).lower() if colon else kind


def is_safe_name(text: str) -> bool:
    """Return whether a text can name a file as it is."""
    return (
        0 < len(text) <= LONGEST
        and re.fullmatch(r"[A-Za-z0-9_(][A-Za-z0-9_.+()~-]*", text) is not None
        and not text.endswith(".")
        and _RESERVED.fullmatch(text) is None
        and PurePath(text).name == text
    )
