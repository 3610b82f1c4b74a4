"""Structures as OPTIMADE resources, the exchange format of databases of materials.

The document is what ``/structures`` of an OPTIMADE server answers (version 1.2 of the
specification, https://www.optimade.org/specification): ``data`` is a list of structure resources.
Whatever the standard has no name for begins with ``_nucleate_``.
"""

from __future__ import annotations

import json
from functools import reduce
from math import gcd
from string import ascii_lowercase, ascii_uppercase
from typing import TYPE_CHECKING, Any

from nucleate.crystal.elements import element
from nucleate.crystal.formula import counts_of
from nucleate.report.columns import columns
from nucleate.report.files import row_name
from nucleate.report.render import json_dict
from nucleate.report.views import RANKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from nucleate.crystal.crystal import Crystal
    from nucleate.report.rows import Row

VERSION = "1.2.0"
PREFIX = "_nucleate_"
_GEOMETRY = ("atomic_numbers", "cell_angstrom", "scaled_positions")
"""Values that a resource has under the names of the standard."""


def write_optimade(path: Path, rows: Iterable[Row]) -> None:
    """Write rows as an OPTIMADE response, one resource per line.

    Parameters
    ----------
    path
        ``.json``; replaced if it exists.
    rows
        Those without an energy are left out.
    """
    resources = [resource(row) for row in rows if row.relaxed is not None]
    with path.open("w", encoding="utf-8") as stream:
        stream.write(f'{{"meta": {_dumped(_meta(len(resources)))},\n"data": [\n')
        stream.write(",\n".join(_dumped(item) for item in resources))
        stream.write("\n]}\n")


def resource(row: Row) -> dict[str, Any]:
    """Return the structure resource of a row with an energy.

    Returns
    -------
    dict
        ``id``, ``type`` and ``attributes``, JSON-ready; lengths in Å.
    """
    assert row.relaxed is not None
    values = json_dict(row, columns(*RANKING))
    own = {PREFIX + key: value for key, value in values.items() if key not in _GEOMETRY}
    return {
        "id": row_name(row),
        "type": "structures",
        "attributes": {**structure(row.relaxed.crystal), **own},
    }


def structure(crystal: Crystal) -> dict[str, Any]:
    """Return the attributes that OPTIMADE defines for an ordered crystal, JSON-ready."""
    names = [element(number).symbol for number in crystal.numbers.tolist()]
    counts = dict(sorted(counts_of(crystal.numbers).items()))
    crystal = crystal.wrapped()
    return {
        "immutable_id": None,
        "last_modified": None,
        "elements": list(counts),
        "nelements": len(counts),
        "elements_ratios": [count / crystal.n_atoms for count in counts.values()],
        "chemical_formula_descriptive": crystal.formula,
        "chemical_formula_reduced": _formula(_reduced(counts)),
        "chemical_formula_hill": _formula(_hill(counts)),
        "chemical_formula_anonymous": anonymous_formula(counts),
        "dimension_types": [1, 1, 1],
        "nperiodic_dimensions": 3,
        "lattice_vectors": crystal.cell.tolist(),
        "cartesian_site_positions": crystal.positions.tolist(),
        "nsites": crystal.n_atoms,
        "species": [
            {"name": name, "chemical_symbols": [name], "concentration": [1.0]} for name in counts
        ],
        "species_at_sites": names,
        "structure_features": [],
    }


def anonymous_formula(counts: Mapping[str, int]) -> str:
    """Return a formula whose elements are letters by falling amount, for example ``A3BC``."""
    amounts = sorted(_reduced(counts).values(), reverse=True)
    return _formula({_letter(place): amount for place, amount in enumerate(amounts)})


def _letter(place: int) -> str:
    """Return A to Z, then Aa, Ba, ... Za, Ab, ..."""
    more, first = divmod(place, len(ascii_uppercase))
    return ascii_uppercase[first] + (ascii_lowercase[more - 1] if more else "")


def _reduced(counts: Mapping[str, int]) -> dict[str, int]:
    divisor = reduce(gcd, counts.values())
    return {name: count // divisor for name, count in counts.items()}


def _hill(counts: Mapping[str, int]) -> dict[str, int]:
    first = [name for name in ("C", "H") if name in counts] if "C" in counts else []
    return {name: counts[name] for name in (*first, *(n for n in counts if n not in first))}


def _formula(counts: Mapping[str, int]) -> str:
    return "".join(f"{name}{count if count > 1 else ''}" for name, count in counts.items())


def _meta(number: int) -> dict[str, Any]:
    from nucleate import __version__

    return {
        "api_version": VERSION,
        "query": {"representation": "/structures"},
        "more_data_available": False,
        "data_returned": number,
        "provider": {
            "name": "nucleate",
            "description": "Structures that a search of nucleate has found",
            "prefix": "nucleate",
        },
        "implementation": {"name": "nucleate", "version": __version__},
    }


def _dumped(data: dict[str, Any]) -> str:
    return json.dumps(data, allow_nan=False, ensure_ascii=False)
