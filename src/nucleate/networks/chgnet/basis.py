"""Triton kernels of CHGNet's geometry: radial and angular features, and their derivatives.

Basis functions are multiplied by their linear maps before anything is written to memory. Index
arrays are those of :class:`~nucleate.networks.chgnet.rows.Rows`.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import torch
import triton
import triton.language as tl

from nucleate.networks.chgnet.gates import BASIS, Shape, launch, part, product, put, split
from nucleate.networks.chgnet.parameters import WIDTH

if TYPE_CHECKING:
    from torch import Tensor

    from nucleate.networks.chgnet.rows import Rows

_ROWS, _HALF = Shape(64, 4), Shape(1, 1)
_STEP = 32
_W = tl.constexpr(WIDTH)
_B = tl.constexpr(BASIS)
_SCALE = tl.constexpr(1.0 - 1e-6)  # as the package: keeps acos away from its poles
_HALF_PI = tl.constexpr(math.pi / 2)


class Radial(NamedTuple):
    """Bessel functions under the polynomial envelope of GemNet, and linear maps of them.

    Attributes
    ----------
    frequencies : Tensor, shape (32,)
        Zero where there are no more.
    maps : Tensor of float16, shape (n_maps, 2, 32, 64)
        Split; see :func:`~nucleate.networks.chgnet.gates.split`.
    cutoff : float
        Å.
    exponent : int
        Of the envelope.
    """

    frequencies: Tensor
    maps: Tensor
    cutoff: float
    exponent: int


class Angular(NamedTuple):
    """The angular basis ``sin(frequency angle + phase)``, constant and cosines included.

    Attributes
    ----------
    frequencies, phases : Tensor, shape (32,)
    maps : Tensor of float16, shape (2, 32, 64)
        Split, divided by the basis' norm.
    """

    frequencies: Tensor
    phases: Tensor
    maps: Tensor


def radial_of(frequencies: Tensor, maps: list[Tensor], cutoff: float, exponent: int) -> Radial:
    """Return the radial features of linear maps, each of shape (n_frequencies, 64)."""
    padded = torch.stack([split(_padded(matrix)) for matrix in maps])
    return Radial(_padded(frequencies), padded, cutoff, exponent)


def angular_of(frequencies: Tensor, matrix: Tensor) -> Angular:
    """Return the angular features of a linear map of shape (2 n_frequencies + 1, 64)."""
    zero, one = torch.zeros_like(frequencies), torch.ones_like(frequencies)
    constant = one[:1]
    phases = torch.cat([constant * math.pi / 4, zero, one * math.pi / 2])
    frequencies = torch.cat([zero[:1], frequencies, frequencies])
    return Angular(_padded(frequencies), _padded(phases), split(_padded(matrix / math.pi**0.5)))


def _padded(values: Tensor) -> Tensor:
    rows = values.new_zeros((BASIS - len(values), *values.shape[1:]))
    return torch.cat([values, rows]).contiguous()


@triton.jit
def _vector(vectors, bond, mask):
    x = tl.load(vectors + 3 * bond, mask=mask, other=1.0)
    y = tl.load(vectors + 3 * bond + 1, mask=mask, other=0.0)
    z = tl.load(vectors + 3 * bond + 2, mask=mask, other=0.0)
    return x, y, z, tl.sqrt(x * x + y * y + z * z)


@triton.jit
def _envelope(s, exponent: tl.constexpr):
    """Return the envelope and its derivative at a fraction of the cut-off."""
    power = s * 0.0 + 1.0
    for _ in tl.static_range(exponent - 1):
        power *= s
    p: tl.constexpr = exponent * (exponent + 1) * (exponent + 2) / 2
    value = 1.0 - p * power * s * (1.0 / exponent - s * (2.0 / (exponent + 1) - s / (exponent + 2)))
    slope = -p * power * (1.0 - s) * (1.0 - s)
    return tl.where(s < 1.0, value, 0.0), tl.where(s < 1.0, slope, 0.0)


@triton.jit(do_not_specialize=["n_bonds"])
def _radial_forward(
    vectors, frequencies, maps, one, other, n_bonds,
    cutoff: tl.constexpr, exponent: tl.constexpr, has_other: tl.constexpr, tile: tl.constexpr,
):  # fmt: skip
    bond = tl.program_id(0) * tile + tl.arange(0, tile)
    mask = bond < n_bonds
    _, _, _, distance = _vector(vectors, bond, mask)
    envelope, _ = _envelope(distance / cutoff, exponent)
    phase = (distance / cutoff)[:, None] * tl.load(frequencies + tl.arange(0, _B))[None, :]
    basis = tl.sin(phase) * (tl.sqrt(2.0 / cutoff) * envelope / distance)[:, None]
    zero = tl.zeros((tile, _W), tl.float32)
    put(one, bond, product(basis, maps, zero, _B, _W, _W, _B * _W, False), mask, 0, _W)
    if has_other:
        result = product(basis, maps + 2 * _B * _W, zero, _B, _W, _W, _B * _W, False)
        put(other, bond, result, mask, 0, _W)


@triton.jit(do_not_specialize=["n_bonds"])
def _radial_backward(
    vectors, frequencies, maps, d_one, d_other, halves, d_halves, gradient, n_bonds,
    cutoff: tl.constexpr, exponent: tl.constexpr, has_other: tl.constexpr,
    has_halves: tl.constexpr, tile: tl.constexpr,
):  # fmt: skip
    bond = tl.program_id(0) * tile + tl.arange(0, tile)
    mask = bond < n_bonds
    x, y, z, distance = _vector(vectors, bond, mask)
    envelope, slope = _envelope(distance / cutoff, exponent)
    frequency = tl.load(frequencies + tl.arange(0, _B))[None, :]
    phase = (distance / cutoff)[:, None] * frequency
    by_sine = slope / (cutoff * distance) - envelope / (distance * distance)
    by_cosine = (envelope / (cutoff * distance))[:, None] * frequency
    d_basis = product(
        part(d_one, bond, mask, 0, _W), maps, tl.zeros((tile, _B), tl.float32),
        _W, _B, _W, _B * _W, True,
    )  # fmt: skip
    if has_other:
        d_basis = product(
            part(d_other, bond, mask, 0, _W), maps + 2 * _B * _W, d_basis,
            _W, _B, _W, _B * _W, True,
        )  # fmt: skip
    by_distance = d_basis * (tl.sin(phase) * by_sine[:, None] + tl.cos(phase) * by_cosine)
    along = tl.sqrt(2.0 / cutoff) * tl.sum(by_distance, 1) / distance
    x, y, z = x * along, y * along, z * along
    if has_halves:
        one = tl.load(halves + 2 * bond, mask=mask, other=0)
        two = tl.load(halves + 2 * bond + 1, mask=mask, other=0)
        at = gradient + 3 * bond
        x += _component(d_halves, one, two, at, mask)
        y += _component(d_halves + 1, one, two, at + 1, mask)
        z += _component(d_halves + 2, one, two, at + 2, mask)
    tl.store(gradient + 3 * bond, x, mask=mask)
    tl.store(gradient + 3 * bond + 1, y, mask=mask)
    tl.store(gradient + 3 * bond + 2, z, mask=mask)


@triton.jit
def _component(d_halves, one, two, gradient, mask):
    """Return what a component of the gradient already is, with the parts of a bond's halves."""
    halves = tl.load(d_halves + 4 * one, mask=mask) - tl.load(d_halves + 4 * two, mask=mask)
    return tl.load(gradient, mask=mask) + halves


@triton.jit
def _arc_cosine(x):
    """Return acos in single precision (Cephes)."""
    size = tl.abs(x)
    far = size > 0.5
    z = tl.where(far, 0.5 * (1.0 - size), x * x)
    root = tl.where(far, tl.sqrt(z), size)
    series = 4.2163199048e-2 * z + 2.4181311049e-2
    series = (series * z + 4.5470025998e-2) * z + 7.4953002686e-2
    arc = root + root * z * (series * z + 1.6666752422e-1)
    arc = tl.where(far, 2.0 * arc, _HALF_PI - arc)  # acos of the size
    return tl.where(x < 0.0, 2.0 * _HALF_PI - arc, arc)


@triton.jit
def _along(vectors, bonds, halves, half, mask):
    """Return the unit vectors of some halves, away from their atoms, and their lengths."""
    bond = tl.load(bonds + half, mask=mask, other=0)
    x, y, z, distance = _vector(vectors, bond, mask)
    ahead = tl.load(halves + 2 * bond, mask=mask, other=0) == half
    scale = tl.where(ahead, 1.0, -1.0) / distance
    return x * scale, y * scale, z * scale, distance


@triton.jit
def _cosines(vectors, bonds, halves, first, second, row, mask):
    half = tl.load(first + row, mask=mask, other=0)
    x, y, z, _ = _along(vectors, bonds, halves, half, mask)
    half = tl.load(second + row, mask=mask, other=0)
    u, v, w, _ = _along(vectors, bonds, halves, half, mask)
    return (x * u + y * v + z * w) * _SCALE


@triton.jit(do_not_specialize=["n_rows"])
def _angular_forward(
    vectors, bonds, halves, first, second, frequencies, phases, maps, out, n_rows,
    tile: tl.constexpr,
):  # fmt: skip
    row = tl.program_id(0) * tile + tl.arange(0, tile)
    mask = row < n_rows
    angle = _arc_cosine(_cosines(vectors, bonds, halves, first, second, row, mask))
    frequency = tl.load(frequencies + tl.arange(0, _B))[None, :]
    basis = tl.sin(angle[:, None] * frequency + tl.load(phases + tl.arange(0, _B))[None, :])
    zero = tl.zeros((tile, _W), tl.float32)
    put(out, row, product(basis, maps, zero, _B, _W, _W, _B * _W, False), mask, 0, _W)


@triton.jit(do_not_specialize=["n_rows"])
def _angular_backward(
    vectors, bonds, halves, first, second, frequencies, phases, maps, upstream, d_cosine, n_rows,
    tile: tl.constexpr,
):  # fmt: skip
    row = tl.program_id(0) * tile + tl.arange(0, tile)
    mask = row < n_rows
    cosine = _cosines(vectors, bonds, halves, first, second, row, mask)
    frequency = tl.load(frequencies + tl.arange(0, _B))[None, :]
    phase = _arc_cosine(cosine)[:, None] * frequency
    phase += tl.load(phases + tl.arange(0, _B))[None, :]
    d_basis = product(
        part(upstream, row, mask, 0, _W), maps, tl.zeros((tile, _B), tl.float32),
        _W, _B, _W, _B * _W, True,
    )  # fmt: skip
    d_angle = tl.sum(d_basis * tl.cos(phase) * frequency, 1)
    result = -d_angle * _SCALE / tl.sqrt((1.0 - cosine) * (1.0 + cosine))
    tl.store(d_cosine + row, result, mask=mask)


@triton.jit
def _half_gradients(
    vectors, bonds, halves, second, swapped, start, d_cosine, d_halves, step: tl.constexpr
):  # fmt: skip
    """Write the derivative of the energy by the vector of each half, from those by cosines."""
    half = tl.program_id(0)
    x, y, z, distance = _along(vectors, bonds, halves, half, True)
    low, high = tl.load(start + half), tl.load(start + half + 1)
    dx = tl.zeros((step,), tl.float32)
    dy = tl.zeros((step,), tl.float32)
    dz = tl.zeros((step,), tl.float32)
    at = low
    while at < high:
        row = at + tl.arange(0, step)
        mask = row < high
        u, v, w, _ = _along(
            vectors, bonds, halves, tl.load(second + row, mask=mask, other=0), mask
        )  # fmt: skip
        slope = tl.load(d_cosine + row, mask=mask, other=0.0)
        opposite = tl.load(swapped + row, mask=mask, other=0)
        slope += tl.load(d_cosine + opposite, mask=mask, other=0.0)
        cosine = x * u + y * v + z * w
        dx += slope * (u - cosine * x)
        dy += slope * (v - cosine * y)
        dz += slope * (w - cosine * z)
        at += step
    tl.store(d_halves + 4 * half, tl.sum(dx, 0) / distance)
    tl.store(d_halves + 4 * half + 1, tl.sum(dy, 0) / distance)
    tl.store(d_halves + 4 * half + 2, tl.sum(dz, 0) / distance)


def radial_features(radial: Radial, vectors: Tensor) -> list[Tensor]:
    """Return a linear map's features of bonds, shape (n_bonds, 64), for each map.

    Parameters
    ----------
    radial
        Basis and maps, one or two.
    vectors : Tensor of float32, shape (n_bonds, 3)
        Å.
    """
    n_bonds, n_maps = len(vectors), len(radial.maps)
    out = [vectors.new_empty((n_bonds, WIDTH)) for _ in range(n_maps)]
    launch(
        _radial_forward, n_bonds, _ROWS, vectors, *radial[:2], out[0], out[-1], n_bonds,
        radial.cutoff, radial.exponent, n_maps == 2, _ROWS.rows,
    )  # fmt: skip
    return out


def add_radial_gradient(
    radial: Radial,
    vectors: Tensor,
    upstream: list[Tensor],
    gradient: Tensor,
    of_halves: tuple[Tensor, Tensor] | None = None,
) -> None:
    """Write the derivative by the bond vectors, shape (n_bonds, 3), into ``gradient``.

    Parameters
    ----------
    radial, vectors
        As for :func:`radial_features`.
    upstream
        Derivatives by its results.
    gradient
        Overwritten; added to where ``of_halves`` is given.
    of_halves
        The halves of each bond and the derivatives by their vectors.
    """
    halves, d_halves = of_halves or (gradient, gradient)
    options = (
        radial.cutoff,
        radial.exponent,
        len(upstream) == 2,
        of_halves is not None,
        _ROWS.rows,
    )
    launch(
        _radial_backward, len(vectors), _ROWS, vectors, *radial[:2], upstream[0],
        upstream[-1], halves, d_halves, gradient, len(vectors), *options,
    )  # fmt: skip


def angular_features(angular: Angular, rows: Rows, vectors: Tensor) -> Tensor:
    """Return the features of angles, shape (n_angles, 64); rows are on the device."""
    n_rows = len(rows.first)
    out = vectors.new_empty((n_rows, WIDTH))
    launch(
        _angular_forward, n_rows, _ROWS, vectors, rows.half_bond, rows.half_of_bond,
        rows.first, rows.second, *angular, out, n_rows, _ROWS.rows,
    )  # fmt: skip
    return out


def half_gradients(angular: Angular, rows: Rows, vectors: Tensor, upstream: Tensor) -> Tensor:
    """Return the derivatives by the vectors of halves, in 3 of 4 columns, from those by angles."""
    n_rows, n_halves = len(rows.first), len(rows.half_bond)
    d_cosine = vectors.new_empty(n_rows)
    geometry = (vectors, rows.half_bond, rows.half_of_bond)
    launch(
        _angular_backward, n_rows, _ROWS, *geometry, rows.first, rows.second, *angular,
        upstream, d_cosine, n_rows, _ROWS.rows,
    )  # fmt: skip
    d_halves = vectors.new_empty((n_halves, 4))
    launch(
        _half_gradients, n_halves, _HALF, *geometry, rows.second, rows.swapped, rows.angle_start,
        d_cosine, d_halves, _STEP,
    )  # fmt: skip
    return d_halves
