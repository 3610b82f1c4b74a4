"""A library file with some of the entries of another one, without labelling anything again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nucleate.errors import InputError
from nucleate.library.build import blocks, write_columns
from nucleate.library.container import Container
from nucleate.library.entries import Columns, LeftOut
from nucleate.library.labels import Protostructure

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray


def write_subset(
    source: str | Path,
    out: str | Path,
    keep: Callable[[Protostructure, NDArray[np.uint8]], NDArray[np.bool_]],
    *,
    provenance: dict[str, Any],
) -> dict[str, Any]:
    """Write those entries of a library that are wanted; return the header.

    What a library learns from its entries (which elements share structures, how often they
    replace each other) is counted from those that are kept.

    Parameters
    ----------
    source
        A library file.
    out
        The file to write; its name ends in ``.nlib``.
    keep
        Called with each prototype and the atomic numbers of its entries, (n_entries, n_slots);
        returns which entries are kept, (n_entries,).
    provenance
        Kept in the file beside that of the source.

    Raises
    ------
    InputError
        If the source is no library, or nothing is left.
    """
    container = Container(Path(source))
    columns = read_columns(container)
    chosen = np.concatenate([keep(proto, rows) for proto, rows in blocks(columns)])
    if not chosen.any():
        raise InputError(f"library: no entry of {source} is kept. Keep more.")
    own = {key: container.header[key] for key in ("source", "licence", "citation")
           if key in container.header}  # fmt: skip
    return write_columns(subset(columns, chosen), LeftOut(), {**own, **provenance}, Path(out))


def read_columns(container: Container) -> Columns:
    """Return all entries of a library file."""
    return Columns(
        labels=container.text("labels"),
        orbits=container.array("orbits"),
        starts=container.array("starts"),
        elements=container.array("elements"),
        above_hull=container.array("above_hull"),
        in_icsd=container.array("in_icsd"),
        names=container.text("names"),
        cells=container.array("cells"),
        points=container.array("points"),
    )


def subset(columns: Columns, chosen: NDArray[np.bool_]) -> Columns:
    """Return some of the entries.

    Parameters
    ----------
    columns
        All of them.
    chosen
        Which are kept, (n_entries,).
    """
    sizes = np.diff(columns.starts)
    proto_of = np.repeat(np.arange(len(sizes)), sizes)
    slots = np.array([len(Protostructure.from_label(label).slots) for label in columns.labels])
    numbers = np.bincount(proto_of[chosen], minlength=len(sizes))
    used = numbers > 0
    return Columns(
        labels=[label for label, is_used in zip(columns.labels, used, strict=True) if is_used],
        orbits=columns.orbits[used],
        starts=np.concatenate([[0], np.cumsum(numbers[used])]).astype(np.int32),
        elements=columns.elements[np.repeat(chosen, slots[proto_of])],
        above_hull=columns.above_hull[chosen],
        in_icsd=columns.in_icsd[chosen],
        names=[name for name, is_kept in zip(columns.names, chosen, strict=True) if is_kept],
        cells=columns.cells[chosen],
        points=columns.points[np.repeat(chosen, columns.orbits[proto_of])],
    )
