"""Names of space groups as files write them, looked up in the table of gemmi."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gemmi import SpaceGroup


def split_name(name: str) -> tuple[str, str]:
    """Return the squashed symbol of a space group and its choice of origin or axes."""
    text = re.sub(r"</?su[bp]>|[_~]", "", name, flags=re.IGNORECASE)
    text = re.sub(r"\((-?\d)\)", r"\1", text)  # P2(1)/c
    origin = re.search(r"[({\[]\s*origin\D*([12])\D*[)}\]]", text, re.IGNORECASE)
    text = re.sub(r"\{.*?\}|\(.*?\)|\[.*?\]", "", text).strip()
    if origin:
        return _squashed(text), origin[1]
    match = re.fullmatch(r"(.+?)\s*:\s*([A-Za-z0-9-]+)", text)
    if match:
        return _squashed(match[1]), match[2].lower()
    for ending, choice in (("O1", "1"), ("O2", "2"), ("S", "1"), ("Z", "2"), ("HR", "h")):
        if text.endswith(ending) and len(text) > len(ending) + 1:
            return _squashed(text[: -len(ending)]), choice
    if text[:1] in "Rr" and len(text) > 2 and text[-1] in "HR":
        return _squashed(text[:-1]), text[-1].lower()
    return _squashed(text), ""


def _squashed(symbol: str) -> str:
    return re.sub(r"[\s'\"]", "", symbol).lower()


def entries_of(symbol: str, choice: str) -> list[SpaceGroup]:
    """Return the entries of gemmi's table with a squashed symbol, the usual setting first."""
    table = _table()
    found = table.get(symbol) or table.get("r" + symbol[1:] if symbol[:1] == "h" else "")
    if found is None:
        import gemmi

        other = gemmi.find_spacegroup_by_name(symbol[:1].upper() + symbol[1:])
        found = table.get(_squashed(other.hm)) if other is not None else None
    found = found or []
    chosen = [entry for entry in found if choice and entry.ext.lower() == choice]
    return chosen or list(found)


@cache
def _table() -> dict[str, list[SpaceGroup]]:
    import gemmi

    table: dict[str, list[SpaceGroup]] = {}
    for entry in gemmi.spacegroup_table():
        names = {_squashed(entry.hm), _squashed(entry.short_name()).replace("h-", "r-")}
        if entry.hm.startswith("R"):
            names.add("r" + _squashed(entry.short_name())[1:])
        if entry.crystal_system_str() == "monoclinic":  # the short symbol fits every unique axis
            names.add("".join(word for word in entry.hm.split() if word != "1").lower())
        for name in names:
            if entry not in table.setdefault(name, []):
                table[name].append(entry)
    return table
