"""Parts of triton kernels: products of matrices, and gated perceptrons of rows.

A product of matrices is three products of half-precision parts (22 bits of every number, rows
scaled by their largest element), which is as accurate as single precision and uses the tensor
cores; see :func:`split`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
import triton
import triton.language as tl

from nucleate.networks.chgnet.parameters import WIDTH

BASIS = 32
"""Basis functions, those that are zero included."""

_EPS = tl.constexpr(1e-5)
_W = tl.constexpr(WIDTH)


class Shape(NamedTuple):
    """How a kernel is cut into programs.

    Attributes
    ----------
    rows, warps : int
        Of a program.
    registers : int, optional
        Most registers a thread may have; fewer let more programs run side by side.
    """

    rows: int
    warps: int
    registers: int | None = None


class Gate(NamedTuple):
    """One layer's gated perceptron; see :class:`~nucleate.networks.chgnet.parameters.GatedLayers`.

    Attributes
    ----------
    own : Tensor of float16, shape (2, 64, 128), optional
        First linear map of features that rows carry themselves, split.
    second : Tensor of float16, shape (2, 2, 64, 64), optional
        Second linear map of core and gate, split.
    second_bias : Tensor, shape (2, 64), optional
    norm : Tensor, shape (4, 64), optional
    """

    own: torch.Tensor | None
    second: torch.Tensor | None
    second_bias: torch.Tensor | None
    norm: torch.Tensor | None


def split(matrix: torch.Tensor) -> torch.Tensor:
    """Return the half-precision parts of a matrix, whose sum it is to 22 bits."""
    high = matrix.half()
    return torch.stack([high, (matrix - high.float()).half()])


def launch(kernel: Any, n_rows: int, shape: Shape, *arguments: Any) -> None:
    """Run a kernel over some rows."""
    if n_rows:
        limit = {} if shape.registers is None else {"maxnreg": shape.registers}
        grid = (triton.cdiv(n_rows, shape.rows),)
        kernel[grid](*arguments, num_warps=shape.warps, **limit)


@triton.jit
def product(
    a, matrix, total, n_in: tl.constexpr, n_out: tl.constexpr, stride: tl.constexpr,
    size: tl.constexpr, transposed: tl.constexpr,
):  # fmt: skip
    """Return ``total + a @ matrix``; ``size`` numbers lie between the parts of the matrix."""
    i, j = tl.arange(0, n_in)[:, None], tl.arange(0, n_out)[None, :]
    at = matrix + (j * stride + i if transposed else i * stride + j)
    largest = tl.max(tl.abs(a), 1)
    scale = tl.where(largest > 0.0, largest, 1.0)
    inverse = 1.0 / scale
    a = a * inverse[:, None]
    high = a.to(tl.float16)
    low = (a - high.to(tl.float32)).to(tl.float16)
    of_high = tl.load(at)
    total = tl.dot(low, of_high, total * inverse[:, None])
    total = tl.dot(high, tl.load(at + size), total)
    return tl.dot(high, of_high, total) * scale[:, None]


@triton.jit
def part(table, at, mask, offset: tl.constexpr, width: tl.constexpr):
    """Return 64 columns of some rows of a table."""
    columns = tl.arange(0, _W)[None, :]
    return tl.load(table + at[:, None] * width + offset + columns, mask=mask[:, None], other=0.0)


@triton.jit
def put(table, at, values, mask, offset: tl.constexpr, width: tl.constexpr):
    """Write 64 columns of some rows of a table."""
    columns = tl.arange(0, _W)[None, :]
    tl.store(table + at[:, None] * width + offset + columns, values, mask=mask[:, None])


@triton.jit
def _unit(x):
    """Return rows of zero mean and unit variance, and what they were divided by."""
    centred = x - (tl.sum(x, 1) / _W)[:, None]
    inverse = 1.0 / tl.sqrt(tl.sum(centred * centred, 1) / _W + _EPS)
    return centred * inverse[:, None], inverse


@triton.jit
def scaled(unit, norm, half: tl.constexpr, has_norm: tl.constexpr):
    """Return normalised rows with the scale and shift of core (half 0) or gate (half 1)."""
    if has_norm:
        scale = norm + 2 * half * _W + tl.arange(0, _W)
        unit = unit * tl.load(scale)[None, :] + tl.load(scale + _W)[None, :]
    return unit


@triton.jit
def silu_slope(x):
    """Return the derivative of x sigmoid(x)."""
    s = tl.sigmoid(x)
    return s * (1.0 + x * (1.0 - s))


@triton.jit
def before_scaling(
    hidden, second, second_bias, half: tl.constexpr, has_second: tl.constexpr,
    has_norm: tl.constexpr,
):  # fmt: skip
    """Return one half after the second linear map, normalised, and what it was divided by."""
    if has_second:
        bias = tl.load(second_bias + half * _W + tl.arange(0, _W))[None, :]
        hidden = product(
            hidden * tl.sigmoid(hidden), second + half * _W * _W,
            tl.zeros_like(hidden) + bias, _W, _W, _W, 2 * _W * _W, False,
        )  # fmt: skip
    inverse = tl.zeros((hidden.shape[0],), tl.float32)
    if has_norm:
        hidden, inverse = _unit(hidden)
    return hidden, inverse


@triton.jit
def through_norm(
    slope, unit, inverse, norm, half: tl.constexpr, has_norm: tl.constexpr
):  # fmt: skip
    """Return the derivative by what was normalised from that by the scaled result."""
    if has_norm:
        slope = slope * tl.load(norm + 2 * half * _W + tl.arange(0, _W))[None, :]
        mean = (tl.sum(slope, 1) / _W)[:, None]
        along = (tl.sum(slope * unit, 1) / _W)[:, None]
        slope = inverse[:, None] * (slope - mean - unit * along)
    return slope


@triton.jit
def through_second(slope, hidden, second, half: tl.constexpr, has_second: tl.constexpr):
    """Return the derivative by the hidden features from that by the second map's output."""
    if has_second:
        slope = product(
            slope, second + half * _W * _W, tl.zeros_like(slope), _W, _W, _W, 2 * _W * _W, True
        )  # fmt: skip
        slope *= silu_slope(hidden)
    return slope
