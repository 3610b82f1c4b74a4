"""Triton kernels of CHGNet: gated messages and sums over rows, forwards and backwards.

What a torch network writes to memory between its small operations stays in registers here; the
backward pass computes it anew. Sums run over :class:`~nucleate.relax.chgnet.rows.Rows` in their
order, without atomic additions. Matrix products are three TF32 products each, which is as
accurate as single precision.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import torch
import triton
import triton.language as tl

from nucleate.relax.chgnet.parameters import WIDTH

if TYPE_CHECKING:
    from torch import Tensor

_TILE, _WARPS = 32, 4  # a taller tile does not fit into the registers of an H100
_STEP = 16
_EPS = tl.constexpr(1e-5)
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


class Gate(NamedTuple):
    """One layer's gated perceptron; see :class:`~nucleate.relax.chgnet.parameters.GatedLayers`.

    Attributes
    ----------
    angle : Tensor, shape (64, 128), optional
        First linear map of features that rows carry themselves.
    second, second_bias : Tensor, shape (2, 64, 64) and (2, 64), optional
    norm : Tensor, shape (4, 64), optional
    """

    angle: Tensor | None
    second: Tensor | None
    second_bias: Tensor | None
    norm: Tensor | None


@triton.jit
def _matrix(pointer, stride: tl.constexpr, transposed: tl.constexpr):
    i = tl.arange(0, _W)[:, None]
    j = tl.arange(0, _W)[None, :]
    if transposed:
        return tl.load(pointer + j * stride + i)
    return tl.load(pointer + i * stride + j)


@triton.jit
def _product(a, b, total):
    return tl.dot(a, b, total, input_precision="tf32x3")


@triton.jit
def _part(table, at, mask, offset: tl.constexpr, width: tl.constexpr):
    columns = tl.arange(0, _W)[None, :]
    return tl.load(table + at[:, None] * width + offset + columns, mask=mask[:, None], other=0.0)


@triton.jit
def _unit(x):
    """Return rows of zero mean and unit variance, and what they were divided by."""
    centred = x - (tl.sum(x, 1) / _W)[:, None]
    inverse = 1.0 / tl.sqrt(tl.sum(centred * centred, 1) / _W + _EPS)
    return centred * inverse[:, None], inverse


@triton.jit
def _scaled(unit, norm, half: tl.constexpr, has_norm: tl.constexpr):
    if has_norm:
        scale = norm + 2 * half * _W + tl.arange(0, _W)
        unit = unit * tl.load(scale)[None, :] + tl.load(scale + _W)[None, :]
    return unit


@triton.jit
def _through_norm(slope, unit, inverse, scale):
    slope = slope * tl.load(scale + tl.arange(0, _W))[None, :]
    mean = (tl.sum(slope, 1) / _W)[:, None]
    along = (tl.sum(slope * unit, 1) / _W)[:, None]
    return inverse[:, None] * (slope - mean - unit * along)


@triton.jit
def _silu_slope(x):
    s = tl.sigmoid(x)
    return s * (1.0 + x * (1.0 - s))


@triton.jit
def _hidden(
    t0, t1, t2, own, angle, i0, i1, i2, row, mask,
    half: tl.constexpr, has_t2: tl.constexpr, has_own: tl.constexpr,
):  # fmt: skip
    """Return one half, core or gate, of the output of the first linear map."""
    h = _part(t0, i0, mask, half * _W, 2 * _W) + _part(t1, i1, mask, half * _W, 2 * _W)
    if has_t2:
        h += _part(t2, i2, mask, half * _W, 2 * _W)
    if has_own:
        h = _product(_part(own, row, mask, 0, _W), _matrix(angle + half * _W, 2 * _W, False), h)
    return h


@triton.jit
def _before_scaling(
    t0, t1, t2, own, angle, second, second_bias, i0, i1, i2, row, mask,
    half: tl.constexpr, has_t2: tl.constexpr, has_own: tl.constexpr, has_second: tl.constexpr,
    has_norm: tl.constexpr, tile: tl.constexpr,
):  # fmt: skip
    """Return one half after the second linear map, normalised, and what it was divided by."""
    h = _hidden(t0, t1, t2, own, angle, i0, i1, i2, row, mask, half, has_t2, has_own)
    if has_second:
        weights = _matrix(second + half * _W * _W, _W, False)
        h = _product(h * tl.sigmoid(h), weights, tl.zeros((tile, _W), tl.float32))
        h += tl.load(second_bias + half * _W + tl.arange(0, _W))[None, :]
    inverse = tl.zeros((tile,), tl.float32)
    if has_norm:
        h, inverse = _unit(h)
    return h, inverse


@triton.jit
def _to_hidden(
    slope, unit, inverse, t0, t1, t2, own, angle, second, norm, i0, i1, i2, row, mask,
    half: tl.constexpr, has_t2: tl.constexpr, has_own: tl.constexpr, has_second: tl.constexpr,
    has_norm: tl.constexpr, tile: tl.constexpr,
):  # fmt: skip
    """Return the derivative by one half of the hidden features from that by its final value."""
    if has_norm:
        slope = _through_norm(slope, unit, inverse, norm + 2 * half * _W)
    if has_second:
        weights = _matrix(second + half * _W * _W, _W, True)
        slope = _product(slope, weights, tl.zeros((tile, _W), tl.float32))
        h = _hidden(t0, t1, t2, own, angle, i0, i1, i2, row, mask, half, has_t2, has_own)
        slope *= _silu_slope(h)
    return slope


@triton.jit
def _forward(
    t0, t1, t2, own, weight, angle, second, second_bias, norm,
    p0, p1, p2, pw, out, n_rows,
    has_t2: tl.constexpr, has_own: tl.constexpr, has_second: tl.constexpr,
    has_norm: tl.constexpr, has_weight: tl.constexpr, tile: tl.constexpr,
):  # fmt: skip
    row = tl.program_id(0) * tile + tl.arange(0, tile)
    mask = row < n_rows
    i0 = tl.load(p0 + row, mask=mask, other=0)
    i1 = tl.load(p1 + row, mask=mask, other=0)
    i2 = tl.load(p2 + row, mask=mask, other=0) if has_t2 else i0
    core, _ = _before_scaling(
        t0, t1, t2, own, angle, second, second_bias, i0, i1, i2, row, mask,
        0, has_t2, has_own, has_second, has_norm, tile,
    )  # fmt: skip
    core = _scaled(core, norm, 0, has_norm)
    message = core * tl.sigmoid(core)
    gate, _ = _before_scaling(
        t0, t1, t2, own, angle, second, second_bias, i0, i1, i2, row, mask,
        1, has_t2, has_own, has_second, has_norm, tile,
    )  # fmt: skip
    message *= tl.sigmoid(_scaled(gate, norm, 1, has_norm))
    if has_weight:
        message *= _part(weight, tl.load(pw + row, mask=mask, other=0), mask, 0, _W)
    else:
        message += _part(own, row, mask, 0, _W)
    at = row[:, None] * _W + tl.arange(0, _W)[None, :]
    tl.store(out + at, message, mask=mask[:, None])


@triton.jit
def _backward(
    t0, t1, t2, own, weight, angle, second, second_bias, norm,
    p0, p1, p2, pw, upstream, d_hidden, d_weight, d_own, n_rows,
    has_t2: tl.constexpr, has_own: tl.constexpr, has_second: tl.constexpr,
    has_norm: tl.constexpr, has_weight: tl.constexpr, tile: tl.constexpr,
):  # fmt: skip
    row = tl.program_id(0) * tile + tl.arange(0, tile)
    mask = row < n_rows
    i0 = tl.load(p0 + row, mask=mask, other=0)
    i1 = tl.load(p1 + row, mask=mask, other=0)
    i2 = tl.load(p2 + row, mask=mask, other=0) if has_t2 else i0
    unit_core, inverse_core = _before_scaling(
        t0, t1, t2, own, angle, second, second_bias, i0, i1, i2, row, mask,
        0, has_t2, has_own, has_second, has_norm, tile,
    )  # fmt: skip
    unit_gate, inverse_gate = _before_scaling(
        t0, t1, t2, own, angle, second, second_bias, i0, i1, i2, row, mask,
        1, has_t2, has_own, has_second, has_norm, tile,
    )  # fmt: skip
    core = _scaled(unit_core, norm, 0, has_norm)
    opened = tl.sigmoid(_scaled(unit_gate, norm, 1, has_norm))
    passed = core * tl.sigmoid(core)
    columns = tl.arange(0, _W)[None, :]
    at = row[:, None] * _W + columns
    if has_weight:
        slope = _part(upstream, i0, mask, 0, _W)
        tl.store(d_weight + at, slope * passed * opened, mask=mask[:, None])
        slope *= _part(weight, tl.load(pw + row, mask=mask, other=0), mask, 0, _W)
    else:
        slope = _part(upstream, row, mask, 0, _W)
    d_gate = slope * passed * opened * (1.0 - opened)
    wide = row[:, None] * (2 * _W) + columns
    d_core = _to_hidden(
        slope * opened * _silu_slope(core), unit_core, inverse_core,
        t0, t1, t2, own, angle, second, norm, i0, i1, i2, row, mask,
        0, has_t2, has_own, has_second, has_norm, tile,
    )  # fmt: skip
    tl.store(d_hidden + wide, d_core, mask=mask[:, None])
    if has_own:
        carried = tl.zeros((tile, _W), tl.float32) if has_weight else slope
        carried = _product(d_core, _matrix(angle, 2 * _W, True), carried)
    d_gate = _to_hidden(
        d_gate, unit_gate, inverse_gate,
        t0, t1, t2, own, angle, second, norm, i0, i1, i2, row, mask,
        1, has_t2, has_own, has_second, has_norm, tile,
    )  # fmt: skip
    tl.store(d_hidden + wide + _W, d_gate, mask=mask[:, None])
    if has_own:
        carried = _product(d_gate, _matrix(angle + _W, 2 * _W, True), carried)
        tl.store(d_own + at, carried, mask=mask[:, None])


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
        _launch(_sum_pairs, len(takers), _TILE, values, takers, out, len(takers), width, _TILE)
        return out
    n_targets = len(gather.start) - 1
    out = values.new_empty((n_targets, width))
    given = gather.index if takers is None else takers
    _launch(
        _sum_rows, n_targets, 1, values, gather.start, given, out, takers is not None, width, _STEP
    )
    return out


def _launch(kernel: Any, rows: int, tile: int, *arguments: Any) -> None:
    """Run a kernel with a program for every ``tile`` rows."""
    if rows:
        kernel[(triton.cdiv(rows, tile),)](*arguments, num_warps=_WARPS)


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


class Messages(torch.autograd.Function):
    """Gated messages of rows from tables of what they read; summed, or added to what rows carry."""

    @staticmethod
    def forward(
        ctx: Any,
        gate: Gate,
        gathers: tuple[Gather, Gather, Gather | None, Gather | None],
        t0: Tensor,
        t1: Tensor,
        t2: Tensor | None,
        weight: Tensor | None,
        own: Tensor | None,
    ) -> Tensor:
        """Return the messages.

        Parameters
        ----------
        gate
            Weights of the layer.
        gathers
            How rows read ``t0``, ``t1``, ``t2`` and ``weight``; rows are sorted as ``t0`` is.
        t0, t1, t2 : Tensor, shape (n_table, 128)
            Parts of the first linear map's output.
        weight : Tensor, shape (n_table, 64), optional
            Multiplies messages, which are then summed over the rows of each row of ``t0``.
            Without it they are added to ``own``.
        own : Tensor, shape (n_rows, 64), optional
            Features of the rows.
        """
        tensors = [None if x is None else x.contiguous() for x in (t0, t1, t2, weight, own)]
        ctx.gate, ctx.gathers = gate, gathers
        ctx.save_for_backward(*tensors)
        n_rows = len(gathers[0].index)
        out = t0.new_empty((n_rows, WIDTH))
        arguments, flags = _arguments(gate, gathers, tensors)
        _launch(_forward, n_rows, _TILE, *arguments, out, n_rows, *flags, _TILE)
        return out if weight is None else row_sums(out, gathers[0])

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        """Return the gradients of the tables, the weight and the rows' own features."""
        tensors = ctx.saved_tensors
        gate, gathers = ctx.gate, ctx.gathers
        n_rows = len(gathers[0].index)
        arguments, flags = _arguments(gate, gathers, tensors)
        upstream = upstream.contiguous()
        d_hidden = upstream.new_empty((n_rows, 2 * WIDTH))
        d_weight = d_own = None
        if tensors[3] is not None:
            d_weight = upstream.new_empty((n_rows, WIDTH))
        if tensors[4] is not None:
            d_own = upstream.new_empty((n_rows, WIDTH))
        gradients = [d_hidden if x is None else x for x in (d_hidden, d_weight, d_own)]
        _launch(_backward, n_rows, _TILE, *arguments, upstream, *gradients, n_rows, *flags, _TILE)
        of_tables = [
            None if gather is None else row_sums(d_hidden, gather) for gather in gathers[:3]
        ]
        of_weight = None if d_weight is None else row_sums(d_weight, gathers[3])
        return None, None, *of_tables, of_weight, d_own


def _arguments(gate: Gate, gathers: tuple, tensors: Any) -> tuple[list[Tensor], tuple[bool, ...]]:
    """Return pointers, with any tensor in place of those that are not there, and what is there."""
    t0 = tensors[0]
    given = [*tensors[:3], tensors[4], tensors[3], *gate]
    indices = [gathers[0] if gather is None else gather for gather in gathers]
    flags = (
        tensors[2] is not None,
        tensors[4] is not None,
        gate.second is not None,
        gate.norm is not None,
        tensors[3] is not None,
    )
    return [t0 if x is None else x for x in given] + [gather.index for gather in indices], flags
