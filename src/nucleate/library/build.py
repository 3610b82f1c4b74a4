"""Build a library file from structures with known formulas."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nucleate.crystal.formats.structures import Unreadable
from nucleate.errors import InputError
from nucleate.library.container import SUFFIX, write_container
from nucleate.library.entries import LeftOut, collect, to_columns
from nucleate.library.labels import Protostructure
from nucleate.library.similarity import count_shared, count_swaps
from nucleate.library.sources import read_source

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from nucleate.library.entries import Columns, Known

MATERIALS_PROJECT = {
    "source": "Materials Project",
    "licence": "CC-BY-4.0",
    "citation": "A. Jain et al., APL Materials 1, 011002 (2013), doi:10.1063/1.4812323",
}
"""Provenance of the shipped library."""


def build_library(
    sources: Sequence[str | Path],
    out: str | Path,
    *,
    splits: Sequence[str] | None = None,
    provenance: dict[str, str] | None = None,
) -> dict[str, Any]:
    """Build a library file from tables and folders of structures.

    Parameters
    ----------
    sources
        Parquet tables, folders of CIF files, structure files, ASE databases, JSON files of
        databases; see :func:`nucleate.library.sources.read_source`.
    out
        The file to write; its name ends in ``.nlib``.
    splits
        Take only rows of these splits of a table that has a column ``split``.
    provenance
        ``source``, ``licence`` and ``citation`` of the data, kept in the file.

    Returns
    -------
    dict
        The header of the file: what it holds, where it is from, what was left out and why.

    Raises
    ------
    InputError
        If a source cannot be read, or nothing is left.
    """

    def all_of() -> Iterator[Known | Unreadable]:
        for source in sources:
            where = f"{Path(source).parent}{os.sep}"  # of no interest to others
            for item in read_source(source, splits=splits):
                if isinstance(item, Unreadable):
                    yield replace(item, error=InputError(str(item.error).removeprefix(where)))
                else:
                    yield item

    details = {"sources": [Path(source).name for source in sources]}
    if splits is not None:
        details["splits"] = list(splits)
    return write_library(all_of(), Path(out), {**details, **(provenance or {})})


def write_library(
    entries: Iterable[Known | Unreadable], out: Path, provenance: dict[str, Any]
) -> dict[str, Any]:
    """Label, deduplicate and write entries; return the header.

    Raises
    ------
    InputError
        As :func:`build_library`.
    """
    _check_place(out)
    found, left_out = collect(entries)
    if not found:
        first = f" ({left_out.first[0].rstrip('.')})" if left_out.first else ""
        raise InputError(
            f"library: no entry of {provenance.get('sources', 'the sources')} can be used{first}. "
            "Give ordered structures with a cell."
        )
    remarks = _remarks([known for known, _ in found])
    return write_columns(to_columns(found), left_out, {**provenance, **remarks}, out)


def write_columns(
    columns: Columns, left_out: LeftOut, provenance: dict[str, Any], out: Path
) -> dict[str, Any]:
    """Write the entries of a library and what is counted from them; return the header.

    Raises
    ------
    InputError
        If the name of the file does not end in ``.nlib``, or its folder does not exist.
    """
    _check_place(out)
    header = _header(columns, left_out, provenance)
    same, total = count_swaps(_formulas(columns))
    arrays = {
        "labels": columns.labels,
        "orbits": columns.orbits,
        "starts": columns.starts,
        "elements": columns.elements,
        "above_hull": columns.above_hull,
        "in_icsd": columns.in_icsd,
        "names": columns.names,
        "cells": columns.cells,
        "points": columns.points,
        "shared": count_shared(elements for _, elements in blocks(columns)),
        "swap_same": same,
        "swap_total": total,
    }
    write_container(out, header, arrays)
    return header


def _remarks(entries: Sequence[Known]) -> dict[str, Any]:
    """Return what else the header says of the entries: how many were changed in being read."""
    renamed = [known.name for known in entries if known.shared_name]
    n_deuterated = sum(known.has_deuterium for known in entries)
    return {
        **({"renamed": len(renamed), "first_renamed": renamed[0]} if renamed else {}),
        **({"deuterium_read_as_hydrogen": n_deuterated} if n_deuterated else {}),
    }


def _check_place(out: Path) -> None:
    if out.suffix != SUFFIX:
        raise InputError(f"library: {out} must have a name that ends in {SUFFIX}.")
    if not out.parent.is_dir():
        raise InputError(
            f"library: {out} cannot be written, because {out.parent} is not a folder. Create it, "
            "or choose another place."
        )


def blocks(columns: Columns) -> Iterator[tuple[Protostructure, np.ndarray]]:
    """Yield each prototype with the elements of its entries, shape (n_entries, n_slots)."""
    place = 0
    for label, first, last in zip(columns.labels, columns.starts, columns.starts[1:], strict=False):
        proto = Protostructure.from_label(label)
        size = len(proto.slots) * int(last - first)
        yield proto, columns.elements[place : place + size].reshape(-1, len(proto.slots))
        place += size


def _formulas(columns: Columns) -> Iterator[tuple[tuple[tuple[int, int], ...], str]]:
    for proto, elements in blocks(columns):
        for row in elements.tolist():
            yield tuple(zip(row, proto.counts, strict=True)), proto.label


def _header(columns: Columns, left_out: LeftOut, provenance: dict[str, Any]) -> dict[str, Any]:
    return {
        **provenance,
        "entries": len(columns.names),
        "prototypes": len(columns.labels),
        "with_energy": int(np.count_nonzero(columns.above_hull > -32768)),
        "with_icsd_flag": int(np.count_nonzero(columns.in_icsd >= 0)),
        "left_out": left_out.counts(),
        **({"first_left_out": left_out.first} if left_out.first else {}),
    }
