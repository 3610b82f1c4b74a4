"""Triton kernels that sum over rows: features, and the forces and virials of atoms.

Sums run over :class:`~nucleate.networks.chgnet.rows.Rows` in their order, without atomic additions,
so that they repeat bit for bit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import triton
import triton.language as tl

from nucleate.networks.chgnet.gates import Shape, launch

if TYPE_CHECKING:
    from torch import Tensor

    from nucleate.networks.chgnet.rows import Rows

_GROUP, _PAIRS, _ATOM = Shape(1, 4), Shape(32, 4), Shape(1, 2)
_STEP, _ATOM_STEP = 16, 32


@triton.jit
def _atom_results(
    vectors, gradient, bonds, rows, start, site, out, step: tl.constexpr
):  # fmt: skip
    """Write virial (columns 0 to 8), energy (9) and force (10 to 12) of each atom."""
    atom = tl.program_id(0)
    column = tl.arange(0, 16)[None, :]
    is_virial = column < 9
    is_force = (column >= 10) & (column < 13)
    i = tl.where(is_virial, column // 3, 0)
    j = tl.where(is_virial, column % 3, tl.where(is_force, column - 10, 0))
    low, high = tl.load(start + atom), tl.load(start + atom + 1)
    total = tl.zeros((step, 16), tl.float64)
    at = low
    while at < high:
        row = at + tl.arange(0, step)
        mask = row < high
        bond = tl.load(bonds + row, mask=mask, other=0)
        ahead = tl.load(rows + 2 * bond, mask=mask, other=0) == row
        sign = tl.where(ahead, 1.0, -1.0)[:, None].to(tl.float64)
        place = 3 * bond[:, None]
        slope = tl.load(gradient + place + j, mask=mask[:, None], other=0.0).to(tl.float64)
        vector = tl.load(vectors + place + i, mask=mask[:, None], other=0.0)
        # every bond has two rows
        total += slope * tl.where(is_virial, 0.5 * vector, tl.where(is_force, sign, 0.0))
        at += step
    result = tl.sum(total, 0)
    column = tl.arange(0, 16)
    energy = tl.load(site + atom).to(tl.float64)
    tl.store(out + 16 * atom + column, tl.where(column == 9, energy, result))


@triton.jit
def _sum_rows(values, start, out, width: tl.constexpr, stride: tl.constexpr, step: tl.constexpr):
    """Sum the first columns of the rows of each target."""
    target = tl.program_id(0)
    columns = tl.arange(0, width)
    at, high = tl.load(start + target), tl.load(start + target + 1)
    total = tl.zeros((step, width), values.dtype.element_ty)
    while at < high:
        k = at + tl.arange(0, step)
        place = values + k[:, None] * stride + columns[None, :]
        total += tl.load(place, mask=(k < high)[:, None], other=0.0)
        at += step
    tl.store(out + target * width + columns, tl.sum(total, 0))


@triton.jit
def _sum_opposite(
    values, start, back, out, width: tl.constexpr, both: tl.constexpr, step: tl.constexpr
):  # fmt: skip
    """Sum the rows opposite to those of each target; with ``both``, their own rows before them."""
    target = tl.program_id(0)
    columns = tl.arange(0, width)[None, :]
    at, high = tl.load(start + target), tl.load(start + target + 1)
    here = tl.zeros((step, width), tl.float32)
    there = tl.zeros((step, width), tl.float32)
    while at < high:
        k = at + tl.arange(0, step)
        mask = k < high
        row = tl.load(back + k, mask=mask, other=0)
        if both:
            here += tl.load(values + k[:, None] * width + columns, mask=mask[:, None], other=0.0)
        there += tl.load(values + row[:, None] * width + columns, mask=mask[:, None], other=0.0)
        at += step
    place = out + target * (2 * width if both else width) + tl.arange(0, width)
    if both:
        tl.store(place, tl.sum(here, 0))
        place += width
    tl.store(place, tl.sum(there, 0))


@triton.jit(do_not_specialize=["n_pairs"])
def _sum_pairs(values, pairs, out, n_pairs, width: tl.constexpr, tile: tl.constexpr):
    target = tl.program_id(0) * tile + tl.arange(0, tile)
    mask = target < n_pairs
    columns = tl.arange(0, width)[None, :]
    one = tl.load(pairs + 2 * target, mask=mask, other=0)[:, None] * width + columns
    other = tl.load(pairs + 2 * target + 1, mask=mask, other=0)[:, None] * width + columns
    total = tl.load(values + one, mask=mask[:, None]) + tl.load(values + other, mask=mask[:, None])
    tl.store(out + target[:, None] * width + columns, total, mask=mask[:, None])


def sum_rows(values: Tensor, start: Tensor, width: int) -> Tensor:
    """Return the sums of groups of consecutive rows over their first columns.

    Parameters
    ----------
    values : Tensor, shape (n_rows, k)
    start : Tensor of int32, shape (n_groups + 1,)
        First row of each group.
    width
        A power of two, at most k.
    """
    out = values.new_empty((len(start) - 1, width))
    launch(_sum_rows, len(out), _GROUP, values, start, out, width, values.shape[1], _STEP)
    return out


def sum_pairs(values: Tensor, pairs: Tensor) -> Tensor:
    """Return the sums of two rows each, whose indices ``pairs`` holds, shape (n_pairs, 2)."""
    n_pairs, width = len(pairs), values.shape[1]
    out = values.new_empty((n_pairs, width))
    launch(_sum_pairs, n_pairs, _PAIRS, values, pairs, out, n_pairs, width, _PAIRS.rows)
    return out


def sum_opposite(values: Tensor, start: Tensor, back: Tensor, *, both: bool) -> Tensor:
    """Return for groups of consecutive rows the sums of the rows opposite to them.

    Parameters
    ----------
    values : Tensor, shape (n_rows, k)
        k a power of two.
    start : Tensor of int32, shape (n_groups + 1,)
        First row of each group.
    back : Tensor of int32, shape (n_rows,)
        The row opposite to each row.
    both
        Put the sums of the groups' own rows before them: 2 k columns.
    """
    n_targets, width = len(start) - 1, values.shape[1]
    out = values.new_empty((n_targets, 2 * width if both else width))
    launch(_sum_opposite, n_targets, _GROUP, values, start, back, out, width, both, _STEP)
    return out


def atom_results(rows: Rows, vectors: Tensor, gradient: Tensor, site: Tensor) -> Tensor:
    """Return virial, energy and force of each atom in double precision, shape (n_atoms, 16).

    Parameters
    ----------
    rows
        On the device.
    vectors : Tensor of float64, shape (n_bonds, 3)
        Å.
    gradient : Tensor, shape (n_bonds, 3)
        Derivative of the energy by the vectors, eV/Å.
    site : Tensor, shape (n_atoms,)
        Energies of the atoms in eV.
    """
    out = vectors.new_empty((len(site), 16))
    launch(
        _atom_results, len(site), _ATOM, vectors, gradient, rows.bond, rows.of_bond, rows.start,
        site, out, _ATOM_STEP,
    )  # fmt: skip
    return out
