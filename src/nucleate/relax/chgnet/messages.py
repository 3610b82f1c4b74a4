"""Triton kernels of CHGNet: gated messages and sums over rows, forwards and backwards.

What a torch network writes to memory between its small operations stays in registers here; the
backward pass computes it anew. Sums run over :class:`~nucleate.relax.chgnet.rows.Rows` in their
order, without atomic additions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import torch
import triton
import triton.language as tl

from nucleate.relax.chgnet.gates import (
    Gate,
    before_scaling,
    part,
    product,
    put,
    scaled,
    silu_slope,
    through_norm,
    through_second,
)
from nucleate.relax.chgnet.parameters import WIDTH

if TYPE_CHECKING:
    from torch import Tensor

ATOM_FORWARD, ATOM_BACKWARD = (32, 4), (32, 4)
ANGLE_FORWARD, ANGLE_BACKWARD = (32, 4), (32, 4)
_STEP, _SUM_WARPS = 16, 4
_W = tl.constexpr(WIDTH)


class Gather(NamedTuple):
    """Rows of a table taken for other rows, and the way back.

    Attributes
    ----------
    index : Tensor of int32, shape (n_rows,)
        Row of the table.
    start : Tensor of int32, shape (n_table + 1,)
        Where the takers of each row of the table begin in ``takers``.
    takers : Tensor of int32, shape (n_rows,), optional
        The takers of each row of the table; without it they lie in their own order.
    """

    index: Tensor
    start: Tensor
    takers: Tensor | None = None


class Pairs(NamedTuple):
    """Bonds and their two rows, one at either end; see :class:`~nucleate.relax.chgnet.rows.Rows`.

    Attributes
    ----------
    ends, rows : Tensor of int32, shape (n_bonds, 2)
        Atoms, and the rows centred at them.
    start : Tensor of int32, shape (n_atoms + 1,)
        First row of each atom.
    back : Tensor of int32, shape (n_rows,)
        The row of the other end.
    """

    ends: Tensor
    rows: Tensor
    start: Tensor
    back: Tensor


@triton.jit
def _bond_hidden(t0, t1, t2, centre, to, bond, mask, half: tl.constexpr):
    h = part(t0, centre, mask, half * _W, 2 * _W) + part(t1, to, mask, half * _W, 2 * _W)
    return h + part(t2, bond, mask, half * _W, 2 * _W)


@triton.jit
def _atom_forward(
    t0, t1, t2, weight, second, second_bias, norm, ends, rows, out, n_bonds,
    has_second: tl.constexpr, has_norm: tl.constexpr, tile: tl.constexpr,
):  # fmt: skip
    bond = tl.program_id(0) * tile + tl.arange(0, tile)
    mask = bond < n_bonds
    for side in tl.static_range(2):
        centre = tl.load(ends + 2 * bond + side, mask=mask, other=0)
        to = tl.load(ends + 2 * bond + 1 - side, mask=mask, other=0)
        h = _bond_hidden(t0, t1, t2, centre, to, bond, mask, 0)
        core, _ = before_scaling(h, second, second_bias, 0, has_second, has_norm)
        core = scaled(core, norm, 0, has_norm)
        message = core * tl.sigmoid(core) * part(weight, bond, mask, 0, _W)
        h = _bond_hidden(t0, t1, t2, centre, to, bond, mask, 1)
        gate, _ = before_scaling(h, second, second_bias, 1, has_second, has_norm)
        message *= tl.sigmoid(scaled(gate, norm, 1, has_norm))
        put(out, tl.load(rows + 2 * bond + side, mask=mask, other=0), message, mask, 0, _W)


@triton.jit
def _atom_backward(
    t0, t1, t2, weight, second, second_bias, norm, ends, rows, upstream,
    d_rows, d_bonds, d_weight, n_bonds,
    has_second: tl.constexpr, has_norm: tl.constexpr, tile: tl.constexpr,
):  # fmt: skip
    bond = tl.program_id(0) * tile + tl.arange(0, tile)
    mask = bond < n_bonds
    for side in tl.static_range(2):
        centre = tl.load(ends + 2 * bond + side, mask=mask, other=0)
        to = tl.load(ends + 2 * bond + 1 - side, mask=mask, other=0)
        row = tl.load(rows + 2 * bond + side, mask=mask, other=0)
        h = _bond_hidden(t0, t1, t2, centre, to, bond, mask, 0)
        unit_core, inverse_core = before_scaling(h, second, second_bias, 0, has_second, has_norm)
        h = _bond_hidden(t0, t1, t2, centre, to, bond, mask, 1)
        unit_gate, inverse_gate = before_scaling(h, second, second_bias, 1, has_second, has_norm)
        core = scaled(unit_core, norm, 0, has_norm)
        opened = tl.sigmoid(scaled(unit_gate, norm, 1, has_norm))
        passed = core * tl.sigmoid(core)
        slope = part(upstream, centre, mask, 0, _W)
        of_weight = slope * passed * opened
        if side == 1:
            of_weight += part(d_weight, bond, mask, 0, _W)
        put(d_weight, bond, of_weight, mask, 0, _W)
        slope *= part(weight, bond, mask, 0, _W)
        d_gate = slope * passed * opened * (1.0 - opened)
        d_gate = through_norm(d_gate, unit_gate, inverse_gate, norm, 1, has_norm)
        d_core = slope * opened * silu_slope(core)
        d_core = through_norm(d_core, unit_core, inverse_core, norm, 0, has_norm)
        h = _bond_hidden(t0, t1, t2, centre, to, bond, mask, 0)
        d_core = through_second(d_core, h, second, 0, has_second)
        put(d_rows, row, d_core, mask, 0, 2 * _W)
        if side == 1:
            d_core += part(d_bonds, bond, mask, 0, 2 * _W)
        put(d_bonds, bond, d_core, mask, 0, 2 * _W)
        h = _bond_hidden(t0, t1, t2, centre, to, bond, mask, 1)
        d_gate = through_second(d_gate, h, second, 1, has_second)
        put(d_rows, row, d_gate, mask, _W, 2 * _W)
        if side == 1:
            d_gate += part(d_bonds, bond, mask, _W, 2 * _W)
        put(d_bonds, bond, d_gate, mask, _W, 2 * _W)
        tl.debug_barrier()  # the second side adds to what the first has written


@triton.jit
def _angle_hidden(t0, t1, own, matrix, i0, i1, row, mask, half: tl.constexpr):
    h = part(t0, i0, mask, half * _W, 2 * _W) + part(t1, i1, mask, half * _W, 2 * _W)
    carried = part(own, row, mask, 0, _W)
    return product(carried, matrix + half * _W, h, 2 * _W, 2 * _W * _W, False)


@triton.jit
def _angle_forward(
    t0, t1, own, weight, matrix, second, second_bias, norm, first, other, out, n_rows,
    has_second: tl.constexpr, has_norm: tl.constexpr, has_weight: tl.constexpr, tile: tl.constexpr,
):  # fmt: skip
    row = tl.program_id(0) * tile + tl.arange(0, tile)
    mask = row < n_rows
    i0 = tl.load(first + row, mask=mask, other=0)
    i1 = tl.load(other + row, mask=mask, other=0)
    h = _angle_hidden(t0, t1, own, matrix, i0, i1, row, mask, 0)
    core, _ = before_scaling(h, second, second_bias, 0, has_second, has_norm)
    core = scaled(core, norm, 0, has_norm)
    message = core * tl.sigmoid(core)
    h = _angle_hidden(t0, t1, own, matrix, i0, i1, row, mask, 1)
    gate, _ = before_scaling(h, second, second_bias, 1, has_second, has_norm)
    message *= tl.sigmoid(scaled(gate, norm, 1, has_norm))
    if has_weight:
        message *= part(weight, i1, mask, 0, _W)
    else:
        message += part(own, row, mask, 0, _W)
    put(out, row, message, mask, 0, _W)


@triton.jit
def _angle_backward(
    t0, t1, own, weight, matrix, second, second_bias, norm, first, other, upstream,
    d_rows, d_weight, d_own, n_rows,
    has_second: tl.constexpr, has_norm: tl.constexpr, has_weight: tl.constexpr, tile: tl.constexpr,
):  # fmt: skip
    row = tl.program_id(0) * tile + tl.arange(0, tile)
    mask = row < n_rows
    i0 = tl.load(first + row, mask=mask, other=0)
    i1 = tl.load(other + row, mask=mask, other=0)
    h = _angle_hidden(t0, t1, own, matrix, i0, i1, row, mask, 0)
    unit_core, inverse_core = before_scaling(h, second, second_bias, 0, has_second, has_norm)
    h = _angle_hidden(t0, t1, own, matrix, i0, i1, row, mask, 1)
    unit_gate, inverse_gate = before_scaling(h, second, second_bias, 1, has_second, has_norm)
    core = scaled(unit_core, norm, 0, has_norm)
    opened = tl.sigmoid(scaled(unit_gate, norm, 1, has_norm))
    passed = core * tl.sigmoid(core)
    if has_weight:
        slope = part(upstream, i0, mask, 0, _W)
        put(d_weight, row, slope * passed * opened, mask, 0, _W)
        slope *= part(weight, i1, mask, 0, _W)
        carried = tl.zeros_like(slope)
    else:
        slope = part(upstream, row, mask, 0, _W)
        carried = slope
    d_gate = slope * passed * opened * (1.0 - opened)
    d_gate = through_norm(d_gate, unit_gate, inverse_gate, norm, 1, has_norm)
    d_core = slope * opened * silu_slope(core)
    d_core = through_norm(d_core, unit_core, inverse_core, norm, 0, has_norm)
    if has_second:
        h = _angle_hidden(t0, t1, own, matrix, i0, i1, row, mask, 0)
    d_core = through_second(d_core, h, second, 0, has_second)
    put(d_rows, row, d_core, mask, 0, 2 * _W)
    carried = product(d_core, matrix, carried, 2 * _W, 2 * _W * _W, True)
    if has_second:
        h = _angle_hidden(t0, t1, own, matrix, i0, i1, row, mask, 1)
    d_gate = through_second(d_gate, h, second, 1, has_second)
    put(d_rows, row, d_gate, mask, _W, 2 * _W)
    put(d_own, row, product(d_gate, matrix + _W, carried, 2 * _W, 2 * _W * _W, True), mask, 0, _W)


@triton.jit
def _sum_rows(
    values, start, takers, out, has_takers: tl.constexpr, width: tl.constexpr, step: tl.constexpr
):
    target = tl.program_id(0)
    columns = tl.arange(0, width)
    low, high = tl.load(start + target), tl.load(start + target + 1)
    total = tl.zeros((step, width), tl.float32)
    at = low
    while at < high:
        k = at + tl.arange(0, step)
        mask = k < high
        row = tl.load(takers + k, mask=mask, other=0) if has_takers else k
        total += tl.load(
            values + row[:, None] * width + columns[None, :], mask=mask[:, None], other=0.0
        )
        at += step
    tl.store(out + target * width + columns, tl.sum(total, 0))


@triton.jit
def _sum_both(
    values, start, back, own, other, width: tl.constexpr, step: tl.constexpr
):  # fmt: skip
    """Sum the rows of each target, and the rows that lie opposite to them."""
    target = tl.program_id(0)
    columns = tl.arange(0, width)[None, :]
    low, high = tl.load(start + target), tl.load(start + target + 1)
    here = tl.zeros((step, width), tl.float32)
    there = tl.zeros((step, width), tl.float32)
    at = low
    while at < high:
        k = at + tl.arange(0, step)
        mask = k < high
        row = tl.load(back + k, mask=mask, other=0)
        here += tl.load(values + k[:, None] * width + columns, mask=mask[:, None], other=0.0)
        there += tl.load(values + row[:, None] * width + columns, mask=mask[:, None], other=0.0)
        at += step
    place = target * width + tl.arange(0, width)
    tl.store(own + place, tl.sum(here, 0))
    tl.store(other + place, tl.sum(there, 0))


@triton.jit
def _sum_pairs(values, pairs, out, n_pairs, width: tl.constexpr, tile: tl.constexpr):
    target = tl.program_id(0) * tile + tl.arange(0, tile)
    mask = target < n_pairs
    columns = tl.arange(0, width)[None, :]
    one = tl.load(pairs + 2 * target, mask=mask, other=0)[:, None] * width + columns
    other = tl.load(pairs + 2 * target + 1, mask=mask, other=0)[:, None] * width + columns
    total = tl.load(values + one, mask=mask[:, None]) + tl.load(values + other, mask=mask[:, None])
    tl.store(out + target[:, None] * width + columns, total, mask=mask[:, None])


def row_sums(values: Tensor, gather: Gather) -> Tensor:
    """Return the sum of the values of the takers of each row of a table.

    Parameters
    ----------
    values : Tensor, shape (n_rows, width)
        The width a power of two.
    """
    values = values.contiguous()
    width, takers = values.shape[1], gather.takers
    if takers is not None and takers.dim() == 2:
        out = values.new_empty((len(takers), width))
        tile = 32
        _launch(_sum_pairs, len(takers), (tile, 4), values, takers, out, len(takers), width, tile)
        return out
    n_targets = len(gather.start) - 1
    out = values.new_empty((n_targets, width))
    given = gather.index if takers is None else takers
    options = (takers is not None, width, _STEP)
    _launch(_sum_rows, n_targets, (1, _SUM_WARPS), values, gather.start, given, out, *options)
    return out


def _both_sums(values: Tensor, start: Tensor, back: Tensor) -> tuple[Tensor, Tensor]:
    """Return the sums of the rows of each target, and of the rows opposite to them."""
    n_targets, width = len(start) - 1, values.shape[1]
    own, other = values.new_empty((2, n_targets, width)).unbind(0)
    arguments = (values, start, back, own, other, width, _STEP)
    _launch(_sum_both, n_targets, (1, _SUM_WARPS), *arguments)
    return own, other


def _launch(kernel: Any, rows: int, shape: tuple[int, int], *arguments: Any) -> None:
    """Run a kernel with a program for every ``shape[0]`` rows, of ``shape[1]`` warps."""
    if rows:
        kernel[(triton.cdiv(rows, shape[0]),)](*arguments, num_warps=shape[1])


class Take(torch.autograd.Function):
    """Rows of a table; backwards, sums of what the takers of each row say."""

    @staticmethod
    def forward(ctx: Any, table: Tensor, gather: Gather) -> Tensor:
        """Return the rows, shape (n_rows, width)."""
        ctx.gather = gather
        return table.index_select(0, gather.index)

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, None]:  # type: ignore[override]
        """Return the gradient of the table."""
        return row_sums(upstream, ctx.gather), None


class Collect(torch.autograd.Function):
    """Sums over takers; backwards, every taker gets what its target got."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, gather: Gather) -> Tensor:
        """Return the sums, shape (n_table, width)."""
        ctx.gather = gather
        return row_sums(values, gather)

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, None]:  # type: ignore[override]
        """Return the gradient of the values."""
        return upstream.index_select(0, ctx.gather.index), None


class AtomMessages(torch.autograd.Function):
    """Sums of the gated messages that atoms receive over their bonds."""

    @staticmethod
    def forward(
        ctx: Any, gate: Gate, pairs: Pairs, t0: Tensor, t1: Tensor, t2: Tensor, weight: Tensor
    ) -> Tensor:
        """Return the sums, shape (n_atoms, 64).

        Parameters
        ----------
        gate
            Weights of the layer.
        pairs
            Bonds.
        t0, t1 : Tensor, shape (n_atoms, 128)
            Parts of the first linear map's output, of the receiving and the other atom.
        t2 : Tensor, shape (n_bonds, 128)
            The part of the bond.
        weight : Tensor, shape (n_bonds, 64)
            Multiplies the messages.
        """
        ctx.gate, ctx.pairs = gate, pairs
        ctx.save_for_backward(t0, t1, t2, weight)
        n_bonds = len(pairs.rows)
        out = t0.new_empty((2 * n_bonds, WIDTH))
        options = (gate.second is not None, gate.norm is not None, ATOM_FORWARD[0])
        _launch(
            _atom_forward, n_bonds, ATOM_FORWARD, t0, t1, t2, weight, *_present(gate, t0)[1:],
            pairs.ends, pairs.rows, out, n_bonds, *options,
        )  # fmt: skip
        return row_sums(out, Gather(pairs.back, pairs.start))

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        """Return the gradients of the tables and the weight."""
        t0, t1, t2, weight = ctx.saved_tensors
        gate, pairs = ctx.gate, ctx.pairs
        n_bonds = len(pairs.rows)
        d_rows = upstream.new_empty((2 * n_bonds, 2 * WIDTH))
        d_bonds, d_weight = torch.empty_like(t2), torch.empty_like(weight)
        options = (gate.second is not None, gate.norm is not None, ATOM_BACKWARD[0])
        _launch(
            _atom_backward, n_bonds, ATOM_BACKWARD, t0, t1, t2, weight, *_present(gate, t0)[1:],
            pairs.ends, pairs.rows, upstream.contiguous(), d_rows, d_bonds, d_weight, n_bonds,
            *options,
        )  # fmt: skip
        return None, None, *_both_sums(d_rows, pairs.start, pairs.back), d_bonds, d_weight


class AngleMessages(torch.autograd.Function):
    """Gated messages of angles: summed by their first half, or added to what the angles carry."""

    @staticmethod
    def forward(
        ctx: Any,
        gate: Gate,
        first: Gather,
        other: Gather,
        t0: Tensor,
        t1: Tensor,
        own: Tensor,
        weight: Tensor | None,
    ) -> Tensor:
        """Return the sums, shape (n_halves, 64), or without a weight the new angles.

        Parameters
        ----------
        gate
            Weights of the layer.
        first, other
            Both halves of the angles, which are sorted by the first.
        t0, t1 : Tensor, shape (n_halves, 128)
            Parts of the first linear map's output.
        own : Tensor, shape (n_angles, 64)
            Features of the angles.
        weight : Tensor, shape (n_halves, 64), optional
            Of the second half; multiplies messages, which are then summed.
        """
        ctx.gate, ctx.first, ctx.other = gate, first, other
        ctx.save_for_backward(t0, t1, own, weight)
        out = torch.empty_like(own)
        arguments, options = _of_angles(gate, first, other, t0, t1, own, weight)
        _launch(
            _angle_forward, len(own), ANGLE_FORWARD, *arguments, out, len(own), *options,
            ANGLE_FORWARD[0],
        )  # fmt: skip
        return out if weight is None else row_sums(out, first)

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        """Return the gradients of the tables, the angles' features and the weight."""
        t0, t1, own, weight = ctx.saved_tensors
        first, other = ctx.first, ctx.other
        d_rows = own.new_empty((len(own), 2 * WIDTH))
        d_own = torch.empty_like(own)
        d_weight = None if weight is None else torch.empty_like(own)
        arguments, options = _of_angles(ctx.gate, first, other, t0, t1, own, weight)
        _launch(
            _angle_backward, len(own), ANGLE_BACKWARD, *arguments, upstream.contiguous(), d_rows,
            d_own if d_weight is None else d_weight, d_own, len(own), *options, ANGLE_BACKWARD[0],
        )  # fmt: skip
        of_tables = _both_sums(d_rows, first.start, other.takers)
        of_weight = None if d_weight is None else row_sums(d_weight, other)
        return None, None, None, *of_tables, d_own, of_weight


def _present(gate: Gate, other: Tensor) -> list[Tensor]:
    """Return the weights of a gate, with any tensor in place of those that are not there."""
    return [other if x is None else x for x in gate]


def _of_angles(
    gate: Gate, first: Gather, other: Gather, t0: Tensor, t1: Tensor, own: Tensor,
    weight: Tensor | None,
) -> tuple[list[Tensor], tuple[bool, bool, bool]]:  # fmt: skip
    tensors = [t0, t1, own, own if weight is None else weight]
    options = (gate.second is not None, gate.norm is not None, weight is not None)
    return [*tensors, *_present(gate, t0), first.index, other.index], options
