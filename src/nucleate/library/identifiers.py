"""Identifiers of entries, told apart where one stands for several structures."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Container, Sequence


def told_apart(name: str, file: str, taken: Container[str]) -> str:
    """Return an identifier with the name of its file, and a number where that is not enough.

    Parameters
    ----------
    name, file
        Identifier and name of its file or folder, which may be empty.
    taken
        Identifiers of other structures.

    Examples
    --------
    >>> told_apart("salt", "cifs", {"salt"}), told_apart("salt", "cifs", {"salt", "cifs/salt"})
    ('cifs/salt', 'cifs/salt-2')
    """
    file = " ".join(file.splitlines())
    longer = f"{file}/{name}" if file else name
    if longer not in taken:
        return longer
    return next(new for number in count(2) if (new := f"{longer}-{number}") not in taken)


def each_once(
    names: Sequence[str], files: Sequence[str], order: Sequence[int] | None = None
) -> tuple[list[str], list[int]]:
    """Return identifiers of which none comes twice, and the places of those that were changed.

    Parameters
    ----------
    names, files
        Identifier of each structure, and the name of its file or folder.
    order
        Places in the order in which an identifier is given: the first keeps it. By default as
        they stand.
    """
    found, changed = list(names), list[int]()
    taken = set(names)
    if len(taken) == len(names):
        return found, changed
    given: set[str] = set()
    for place in range(len(names)) if order is None else order:
        if names[place] in given:
            found[place] = told_apart(names[place], files[place], taken)
            taken.add(found[place])
            changed.append(place)
        given.add(names[place])
    return found, changed
