"""A growing fit as bytes, so that an interrupted run continues with the same bits."""

from __future__ import annotations

import io
import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from nucleate.crystal.crystal import Crystal
from nucleate.errors import InputError
from nucleate.surrogate.descriptors import FORMAT
from nucleate.surrogate.errors import CurvePoint, Errors, Tally
from nucleate.surrogate.frames import Frame

if TYPE_CHECKING:
    from nucleate.surrogate.fit import Fit

_MAGIC = b"nucleate fit\n"
_NUMBERS = ("number", "n_frames", "n_groups", "n_refused", "_baseline", "_ridge", "_ridges")
_ARRAYS = ("_right", "_solutions", "_losses", "_scale")


def pack(fit: Fit) -> bytes:
    """Return everything that a fit has learned: its triangular matrices, a few MB."""
    values = vars(fit)
    head = {
        "format": FORMAT,
        "elements": fit.layout.elements,
        "tier": fit.tier,
        "numbers": {name: values[name] for name in _NUMBERS},
        "lowest": [[*shares, energy] for shares, energy in values["_lowest"].items()],
        "curve": [asdict(point) for point in fit.curve],
        "tally": asdict(values["_tally"]),
        "held": [len(group) for group in values["_held"]],
    }
    arrays = {name: values[name] for name in _ARRAYS}
    arrays["distances"] = values["_distances"].table
    arrays["kept"] = np.array(values["_kept"], dtype=np.float32)
    upper = np.triu_indices(fit.layout.n_columns)
    arrays["gram"] = values["_gram"][upper]
    if values["_factor"] is not None:
        arrays["factor"] = values["_factor"][upper]
    for number, frame in enumerate(frame for group in values["_held"] for frame in group):
        arrays |= {f"held{number}{key}": value for key, value in _of_frame(frame).items()}
    stream = io.BytesIO()
    np.savez(stream, head=np.array(json.dumps(head)), **arrays)
    return _MAGIC + stream.getvalue()


def unpack(message: bytes) -> tuple[tuple[int, ...], str, dict[str, Any]]:
    """Return elements, tier and attributes of a fit that :func:`pack` packed.

    Raises
    ------
    InputError
        If it is no fit of this version.
    """
    remedy = "Begin a new fit, or take one of this version."
    if not message.startswith(_MAGIC):
        raise InputError(f"these {len(message)} bytes are no fit. {remedy}")
    try:
        with np.load(io.BytesIO(message[len(_MAGIC) :]), allow_pickle=False) as data:
            arrays = {name: data[name] for name in data.files}
    except (ValueError, OSError, EOFError) as error:
        raise InputError(f"these {len(message)} bytes are no fit ({error}). {remedy}") from error
    head = json.loads(str(arrays["head"]))
    if head["format"] != FORMAT:
        raise InputError(
            f"the fit has the format {head['format']}, and this version reads {FORMAT}. {remedy}"
        )
    return tuple(head["elements"]), head["tier"], _attributes(head, arrays)


def _attributes(head: dict[str, Any], arrays: dict[str, Any]) -> dict[str, Any]:
    from nucleate.surrogate.descriptors import Layout
    from nucleate.surrogate.walls import ShortestDistances

    layout = Layout(tuple(head["elements"]))
    values: dict[str, Any] = {name: arrays[name] for name in _ARRAYS} | head["numbers"]
    values["_ridges"] = tuple(values["_ridges"])
    values["_lowest"] = {tuple(row[:-1]): row[-1] for row in head["lowest"]}
    values["curve"] = [
        CurvePoint(**{**point, "errors": Errors(**point["errors"])}) for point in head["curve"]
    ]
    tally = head["tally"]
    values["_tally"] = Tally(**{**tally, "at_rest": [tuple(pair) for pair in tally["at_rest"]]})
    values["_distances"] = ShortestDistances(layout)
    values["_distances"].table = arrays["distances"]
    values["_kept"] = list(arrays["kept"])
    values["_gram"] = _square(arrays["gram"], layout.n_columns)
    factor = arrays.get("factor")
    values["_factor"] = None if factor is None else _square(factor, layout.n_columns)
    frames = iter([_frame(arrays, number) for number in range(sum(head["held"]))])
    values["_held"] = [tuple(next(frames) for _ in range(size)) for size in head["held"]]
    return values


def _square(upper: Any, size: int) -> Any:
    matrix = np.zeros((size, size), order="F")
    matrix[np.triu_indices(size)] = upper
    return matrix


def _of_frame(frame: Frame) -> dict[str, Any]:
    return {
        "numbers": frame.crystal.numbers,
        "cell": frame.crystal.cell,
        "scaled": frame.crystal.scaled,
        "energy": np.array(frame.energy_ev),
        "forces": frame.forces_ev_per_ang,
        "stress": frame.stress_gpa,
    }


def _frame(arrays: dict[str, Any], number: int) -> Frame:
    numbers, cell, scaled, energy, forces, stress = (
        arrays[f"held{number}{key}"]
        for key in ("numbers", "cell", "scaled", "energy", "forces", "stress")
    )
    return Frame(Crystal(numbers, cell, scaled), float(energy), forces, stress)
