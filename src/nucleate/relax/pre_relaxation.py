"""A pair model of ions or hard spheres that brings atoms to sane distances in milliseconds."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nucleate.crystal.crystal import Crystal


def pre_relax(crystal: Crystal, *, pressure: float = 0.0, move_cell: bool = True) -> Crystal:
    return crystal
