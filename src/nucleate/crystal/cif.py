"""Reading and writing CIF without loss."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nucleate.crystal.formats.cif_reader import read_cif_text
from nucleate.crystal.formats.cif_writer import format_cif
from nucleate.crystal.formats.structures import Unreadable
from nucleate.errors import InputError

if TYPE_CHECKING:
    from nucleate.crystal.crystal import Crystal

__all__ = ["format_cif", "read_cif"]


def read_cif(text: str) -> list[tuple[str, Crystal]]:
    """Return the name and crystal of every data block with atoms.

    Symmetry operations are applied; where a block lists none, those of its Hall symbol or of its
    space group are. What a block says of its content (formula sum, Z, volume, density) must agree
    with its crystal.

    Raises
    ------
    InputError
        If there is no crystal, or one is disordered, incomplete or contradicts itself.
    """
    found = []
    for item in read_cif_text(text):
        if isinstance(item, Unreadable):
            where = f"data block {item.name!r}: " if item.name else ""
            raise InputError(f"{where}{item.error}") from item.error
        found.append((item.name, item.crystal))
    return found
