"""Unfinished relaxations as plain values, so that they can continue in another process."""

from __future__ import annotations

import base64
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import numpy as np

from nucleate.crystal.crystal import Crystal
from nucleate.energy.minimiser import Rules, State
from nucleate.relax.judge import Point
from nucleate.relax.symmetry import SymmetryConstraint

if TYPE_CHECKING:
    from collections.abc import Mapping

Plain = dict[str, Any]


def plain(flight: Any) -> Plain:
    """Return a dataclass of a relaxation as JSON-ready values; nothing is rounded.

    Parameters
    ----------
    flight
        Its attributes are numbers, truth values, arrays, crystals, points, constraints, states of
        the minimiser and None.
    """
    return {item.name: _plain(getattr(flight, item.name)) for item in fields(flight)}


def restored(data: Mapping[str, Any]) -> dict[str, Any]:
    """Undo :func:`plain`; return the attributes by name.

    Raises
    ------
    ValueError, KeyError, TypeError
        If it is no relaxation.
    """
    return {key: _restored(value) for key, value in data.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        kept = np.ascontiguousarray(value)
        text = base64.b64encode(kept.tobytes()).decode("ascii")
        return {"array": text, "type": kept.dtype.str, "shape": list(kept.shape)}
    if isinstance(value, Crystal):
        return {"crystal": [_plain(item) for item in (value.numbers, value.cell, value.scaled)]}
    if isinstance(value, Point):
        parts = (value.crystal, value.energy, value.forces, value.stress)
        return {"point": [_plain(item) for item in parts]}
    if isinstance(value, SymmetryConstraint):
        return {"constraint": [_plain(value.rotations), _plain(value.images)]}
    if isinstance(value, State):
        return {"state": [_plain(item) for item in value[:-1]], "rules": list(value.rules)}
    return value.item() if isinstance(value, np.generic) else value


def _restored(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    if "array" in value:
        data = base64.b64decode(value["array"])
        return np.frombuffer(data, dtype=value["type"]).reshape(value["shape"]).copy()
    if "state" in value:
        parts = [_restored(item) for item in value["state"]]
        return State._make([*parts, Rules._make(value["rules"])])
    name, parts = next(iter(value.items()))
    made = {"crystal": Crystal, "point": Point, "constraint": SymmetryConstraint}[name]
    return made(*[_restored(item) for item in parts])
