"""Triton kernels of CHGNet: gated messages, forwards and backwards.

What a torch network writes to memory between its small operations stays in registers here; the
backward pass recomputes it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import triton
import triton.language as tl

from nucleate.networks.chgnet.gates import (
    Gate,
    Shape,
    before_scaling,
    launch,
    part,
    product,
    put,
    scaled,
    silu_slope,
    through_norm,
    through_second,
)
from nucleate.networks.chgnet.parameters import WIDTH
from nucleate.networks.chgnet.sums import sum_opposite, sum_pairs, sum_rows

if TYPE_CHECKING:
    from torch import Tensor

    from nucleate.networks.chgnet.rows import Rows

# the fastest of those tried on an H100
ATOM_FORWARD, ATOM_BACKWARD = Shape(32, 4, 168), Shape(16, 4, 128)
ANGLE_FORWARD, ANGLE_BACKWARD = Shape(32, 4, 168), Shape(32, 4)
_W = tl.constexpr(WIDTH)


@triton.jit
def _bond_hidden(atoms, bonds, centre, to, bond, mask, half: tl.constexpr):
    h = part(atoms, centre, mask, half * _W, 4 * _W) + part(
        atoms, to, mask, (2 + half) * _W, 4 * _W
    )
    return h + part(bonds, bond, mask, half * _W, 2 * _W)


@triton.jit(do_not_specialize=["n_bonds"])
def _atom_forward(
    atoms, bonds, weight, second_map, second_bias, norm, ends, rows, out, n_bonds,
    has_second: tl.constexpr, has_norm: tl.constexpr, tile: tl.constexpr,
):  # fmt: skip
    bond = tl.program_id(0) * tile + tl.arange(0, tile)
    mask = bond < n_bonds
    for side in tl.static_range(2):
        centre = tl.load(ends + 2 * bond + side, mask=mask, other=0)
        to = tl.load(ends + 2 * bond + 1 - side, mask=mask, other=0)
        h = _bond_hidden(atoms, bonds, centre, to, bond, mask, 0)
        core, _ = before_scaling(h, second_map, second_bias, 0, has_second, has_norm)
        core = scaled(core, norm, 0, has_norm)
        message = core * tl.sigmoid(core) * part(weight, bond, mask, 0, _W)
        h = _bond_hidden(atoms, bonds, centre, to, bond, mask, 1)
        gate, _ = before_scaling(h, second_map, second_bias, 1, has_second, has_norm)
        message *= tl.sigmoid(scaled(gate, norm, 1, has_norm))
        put(out, tl.load(rows + 2 * bond + side, mask=mask, other=0), message, mask, 0, _W)


@triton.jit(do_not_specialize=["n_bonds"])
def _atom_backward(
    atoms, bonds, weight, second_map, second_bias, norm, ends, rows, upstream,
    d_rows, d_bonds, d_weight, n_bonds,
    has_second: tl.constexpr, has_norm: tl.constexpr, tile: tl.constexpr,
):  # fmt: skip
    bond = tl.program_id(0) * tile + tl.arange(0, tile)
    mask = bond < n_bonds
    for side in tl.static_range(2):
        centre = tl.load(ends + 2 * bond + side, mask=mask, other=0)
        to = tl.load(ends + 2 * bond + 1 - side, mask=mask, other=0)
        row = tl.load(rows + 2 * bond + side, mask=mask, other=0)
        h = _bond_hidden(atoms, bonds, centre, to, bond, mask, 0)
        unit_core, inverse_core = before_scaling(
            h, second_map, second_bias, 0, has_second, has_norm
        )
        h = _bond_hidden(atoms, bonds, centre, to, bond, mask, 1)
        unit_gate, inverse_gate = before_scaling(
            h, second_map, second_bias, 1, has_second, has_norm
        )
        core = scaled(unit_core, norm, 0, has_norm)
        opened = tl.sigmoid(scaled(unit_gate, norm, 1, has_norm))
        passed = core * tl.sigmoid(core)
        slope = part(upstream, centre, mask, 0, _W)
        of_weight = slope * passed * opened + part(d_weight, bond, mask, 0, _W)
        put(d_weight, bond, of_weight, mask, 0, _W)
        slope *= part(weight, bond, mask, 0, _W)
        d_gate = slope * passed * opened * (1.0 - opened)
        d_gate = through_norm(d_gate, unit_gate, inverse_gate, norm, 1, has_norm)
        d_core = slope * opened * silu_slope(core)
        d_core = through_norm(d_core, unit_core, inverse_core, norm, 0, has_norm)
        h = _bond_hidden(atoms, bonds, centre, to, bond, mask, 0)
        d_core = through_second(d_core, h, second_map, 0, has_second)
        put(d_rows, row, d_core, mask, 0, 2 * _W)
        if side == 1:
            d_core += part(d_bonds, bond, mask, 0, 2 * _W)
        put(d_bonds, bond, d_core, mask, 0, 2 * _W)
        h = _bond_hidden(atoms, bonds, centre, to, bond, mask, 1)
        d_gate = through_second(d_gate, h, second_map, 1, has_second)
        put(d_rows, row, d_gate, mask, _W, 2 * _W)
        if side == 1:
            d_gate += part(d_bonds, bond, mask, _W, 2 * _W)
        put(d_bonds, bond, d_gate, mask, _W, 2 * _W)
        tl.debug_barrier()  # the second side adds to what the first has written


@triton.jit
def _ends(first, second, half_atom, half_bond, row, mask):
    """Return the atom and both bonds of some angles."""
    half = tl.load(first + row, mask=mask, other=0)
    other = tl.load(second + row, mask=mask, other=0)
    atom = tl.load(half_atom + half, mask=mask, other=0)
    one = tl.load(half_bond + half, mask=mask, other=0)
    return atom, one, tl.load(half_bond + other, mask=mask, other=0)


@triton.jit
def _angle_hidden(atoms, bonds, own, matrix, atom, one, other, row, mask, half: tl.constexpr):
    h = part(atoms, atom, mask, half * _W, 2 * _W) + part(bonds, one, mask, half * _W, 4 * _W)
    h += part(bonds, other, mask, (2 + half) * _W, 4 * _W)
    carried = part(own, row, mask, 0, _W)
    return product(carried, matrix + half * _W, h, _W, _W, 2 * _W, 2 * _W * _W, False)


@triton.jit(do_not_specialize=["n_rows"])
def _angle_forward(
    atoms, bonds, own, weight, matrix, second_map, second_bias, norm,
    first, second, half_atom, half_bond, out, n_rows,
    has_second: tl.constexpr, has_norm: tl.constexpr, has_weight: tl.constexpr, tile: tl.constexpr,
):  # fmt: skip
    row = tl.program_id(0) * tile + tl.arange(0, tile)
    mask = row < n_rows
    atom, one, other = _ends(first, second, half_atom, half_bond, row, mask)
    h = _angle_hidden(atoms, bonds, own, matrix, atom, one, other, row, mask, 0)
    core, _ = before_scaling(h, second_map, second_bias, 0, has_second, has_norm)
    core = scaled(core, norm, 0, has_norm)
    message = core * tl.sigmoid(core)
    h = _angle_hidden(atoms, bonds, own, matrix, atom, one, other, row, mask, 1)
    gate, _ = before_scaling(h, second_map, second_bias, 1, has_second, has_norm)
    message *= tl.sigmoid(scaled(gate, norm, 1, has_norm))
    if has_weight:
        message *= part(weight, other, mask, 0, _W)
    else:
        message += part(own, row, mask, 0, _W)
    put(out, row, message, mask, 0, _W)


@triton.jit(do_not_specialize=["n_rows"])
def _angle_backward(
    atoms, bonds, own, weight, matrix, second_map, second_bias, norm,
    first, second, half_atom, half_bond, upstream, d_rows, d_weight, d_own, n_rows,
    has_second: tl.constexpr, has_norm: tl.constexpr, has_weight: tl.constexpr, tile: tl.constexpr,
):  # fmt: skip
    row = tl.program_id(0) * tile + tl.arange(0, tile)
    mask = row < n_rows
    atom, one, other = _ends(first, second, half_atom, half_bond, row, mask)
    h = _angle_hidden(atoms, bonds, own, matrix, atom, one, other, row, mask, 0)
    unit_core, inverse_core = before_scaling(h, second_map, second_bias, 0, has_second, has_norm)
    h = _angle_hidden(atoms, bonds, own, matrix, atom, one, other, row, mask, 1)
    unit_gate, inverse_gate = before_scaling(h, second_map, second_bias, 1, has_second, has_norm)
    core = scaled(unit_core, norm, 0, has_norm)
    opened = tl.sigmoid(scaled(unit_gate, norm, 1, has_norm))
    passed = core * tl.sigmoid(core)
    if has_weight:
        slope = part(upstream, one, mask, 0, _W)
        put(d_weight, row, slope * passed * opened, mask, 0, _W)
        slope *= part(weight, other, mask, 0, _W)
    else:
        slope = part(d_own, row, mask, 0, _W)
    d_gate = slope * passed * opened * (1.0 - opened)
    d_gate = through_norm(d_gate, unit_gate, inverse_gate, norm, 1, has_norm)
    d_core = slope * opened * silu_slope(core)
    d_core = through_norm(d_core, unit_core, inverse_core, norm, 0, has_norm)
    if has_second:
        h = _angle_hidden(atoms, bonds, own, matrix, atom, one, other, row, mask, 0)
    d_core = through_second(d_core, h, second_map, 0, has_second)
    put(d_rows, row, d_core, mask, 0, 2 * _W)
    carried = part(d_own, row, mask, 0, _W)
    carried = product(d_core, matrix, carried, _W, _W, 2 * _W, 2 * _W * _W, True)
    if has_second:
        h = _angle_hidden(atoms, bonds, own, matrix, atom, one, other, row, mask, 1)
    d_gate = through_second(d_gate, h, second_map, 1, has_second)
    put(d_rows, row, d_gate, mask, _W, 2 * _W)
    carried = product(d_gate, matrix + _W, carried, _W, _W, 2 * _W, 2 * _W * _W, True)
    put(d_own, row, carried, mask, 0, _W)


def atom_messages(gate: Gate, rows: Rows, atoms: Tensor, bonds: Tensor, weight: Tensor) -> Tensor:
    """Return the sums of the gated messages that atoms receive, shape (n_atoms, 64).

    Parameters
    ----------
    gate
        Weights of the layer.
    rows
        The batch, on the device.
    atoms : Tensor, shape (n_atoms, 256)
        Parts of the first linear map's output, of the receiving and of the other atom.
    bonds : Tensor, shape (n_bonds, 128)
        The part of the bond.
    weight : Tensor, shape (n_bonds, 64)
        Multiplies the messages.
    """
    n_bonds = len(bonds)
    out = atoms.new_empty((2 * n_bonds, WIDTH))
    launch(
        _atom_forward, n_bonds, ATOM_FORWARD, atoms, bonds, weight, *_present(gate, atoms)[1:],
        rows.ends, rows.of_bond, out, n_bonds, *_flags(gate), ATOM_FORWARD.rows,
    )  # fmt: skip
    return sum_rows(out, rows.start, WIDTH)


def atom_messages_backward(
    gate: Gate,
    rows: Rows,
    tables: tuple[Tensor, Tensor, Tensor],
    upstream: Tensor,
    d_weight: Tensor,
) -> tuple[Tensor, Tensor]:
    """Return the derivatives by the tables of atoms and bonds; add those by the weight.

    Parameters
    ----------
    gate, rows, tables
        As for :func:`atom_messages`.
    upstream : Tensor, shape (n_atoms, 64)
        Derivative by the sums.
    d_weight : Tensor, shape (n_bonds, 64)
        Added to.
    """
    atoms, bonds, weight = tables
    n_bonds = len(bonds)
    d_rows = upstream.new_empty((2 * n_bonds, 2 * WIDTH))
    d_bonds = torch.empty_like(bonds)
    launch(
        _atom_backward, n_bonds, ATOM_BACKWARD, atoms, bonds, weight, *_present(gate, atoms)[1:],
        rows.ends, rows.of_bond, upstream, d_rows, d_bonds, d_weight, n_bonds, *_flags(gate),
        ATOM_BACKWARD.rows,
    )  # fmt: skip
    return sum_opposite(d_rows, rows.start, rows.back, both=True), d_bonds


def angle_messages(
    gate: Gate, rows: Rows, atoms: Tensor, bonds: Tensor, own: Tensor, weight: Tensor | None
) -> Tensor:
    """Return the sums of gated messages by bond, or without a weight the new angles.

    Parameters
    ----------
    gate
        Weights of the layer.
    rows
        The batch, on the device.
    atoms : Tensor, shape (n_atoms, 128)
        Part of the first linear map's output, of the atom in the middle.
    bonds : Tensor, shape (n_short, 256)
        Parts of the first and of the second bond.
    own : Tensor, shape (n_angles, 64)
        Features of the angles.
    weight : Tensor, shape (n_short, 64), optional
        Of the second bond; multiplies messages, which are then summed by the first.
    """
    n_rows, out = len(own), torch.empty_like(own)
    arguments = _of_angles(gate, rows, atoms, bonds, own, weight)
    launch(
        _angle_forward, n_rows, ANGLE_FORWARD, *arguments, out, n_rows, *_flags(gate),
        weight is not None, ANGLE_FORWARD.rows,
    )  # fmt: skip
    if weight is None:
        return out
    return sum_pairs(sum_rows(out, rows.angle_start, WIDTH), rows.half_of_bond)


def angle_messages_backward(
    gate: Gate,
    rows: Rows,
    tables: tuple[Tensor, Tensor, Tensor, Tensor | None],
    upstream: Tensor | None,
    d_own: Tensor,
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Return the derivatives by the tables of atoms and bonds and by the weight.

    Parameters
    ----------
    gate, rows, tables
        As for :func:`angle_messages`.
    upstream : Tensor, shape (n_short, 64), optional
        Derivative by the sums.
    d_own : Tensor, shape (n_angles, 64)
        Added to: derivative by what the angles carry. Without a weight, that by the new angles
        before.
    """
    n_rows, weight = len(d_own), tables[3]
    d_rows = d_own.new_empty((n_rows, 2 * WIDTH))
    d_weight = d_own if weight is None else torch.empty_like(d_own)
    launch(
        _angle_backward, n_rows, ANGLE_BACKWARD, *_of_angles(gate, rows, *tables),
        d_own if upstream is None else upstream, d_rows, d_weight, d_own, n_rows, *_flags(gate),
        weight is not None, ANGLE_BACKWARD.rows,
    )  # fmt: skip
    halves = sum_opposite(d_rows, rows.angle_start, rows.swapped, both=True)
    d_atoms = sum_rows(halves, rows.half_start, 2 * WIDTH)
    d_bonds = sum_pairs(halves, rows.half_of_bond)
    if weight is None:
        return d_atoms, d_bonds, None
    of_halves = sum_opposite(d_weight, rows.angle_start, rows.swapped, both=False)
    return d_atoms, d_bonds, sum_pairs(of_halves, rows.half_of_bond)


def _flags(gate: Gate) -> tuple[bool, bool]:
    return gate.second is not None, gate.norm is not None


def _present(gate: Gate, other: Tensor) -> list[Tensor]:
    """Return the weights of a gate, with an arbitrary tensor in place of missing ones."""
    return [other if x is None else x for x in gate]


def _of_angles(
    gate: Gate, rows: Rows, atoms: Tensor, bonds: Tensor, own: Tensor, weight: Tensor | None
) -> list[Tensor]:
    tensors = [atoms, bonds, own, own if weight is None else weight, *_present(gate, atoms)]
    return [*tensors, rows.first, rows.second, rows.half_atom, rows.half_bond]
