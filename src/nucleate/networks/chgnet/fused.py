"""CHGNet on a GPU with the messages of each layer in one kernel, and sums that repeat exactly.

The same function as :class:`~nucleate.networks.chgnet.network.Network`, its derivative written out.
Rows are sorted by where their messages go, so sums need no atomic additions; what lies between
the gathering of a message and its result is never written to memory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from nucleate.networks.chgnet.basis import (
    add_radial_gradient,
    angular_features,
    angular_of,
    half_gradients,
    radial_features,
    radial_of,
)
from nucleate.networks.chgnet.gates import Gate, split
from nucleate.networks.chgnet.messages import (
    angle_messages,
    angle_messages_backward,
    atom_messages,
    atom_messages_backward,
)
from nucleate.networks.chgnet.network import Network
from nucleate.networks.chgnet.rows import Rows, build_rows
from nucleate.networks.chgnet.sums import atom_results, sum_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from nucleate.networks.chgnet.graph import Graph
    from nucleate.networks.chgnet.parameters import GatedLayers, Parameters

_ALIGNED = 4  # integers: pointers stay multiples of 16 bytes, as triton likes them


class _Layer(NamedTuple):
    """One layer's weights, the first linear map sorted by what it acts on.

    Attributes
    ----------
    gate : Gate
    atoms, atoms_bias : Tensor, shape (64, 256 or 128) and (256 or 128,)
    bonds : Tensor, shape (64, 128 or 256)
    out, out_bias : Tensor, shape (64, 64) and (64,), optional
        Linear map of the sums.
    """

    gate: Gate
    atoms: Tensor
    atoms_bias: Tensor
    bonds: Tensor
    out: Tensor | None
    out_bias: Tensor | None


class _Kept(NamedTuple):
    """What the backward pass needs of a layer: tables of the first map's output, and angles."""

    atoms: Tensor
    bonds: Tensor
    own: Tensor | None = None
    summed: Tensor | None = None


class _Forward(NamedTuple):
    """Features of the atoms at the end, and what the backward pass needs."""

    x: Tensor
    weight: Tensor
    narrow: Tensor
    n_angles: int
    atom: list[_Kept]
    bond: list[_Kept]
    angle: list[_Kept]


class FusedNetwork(Network):
    """CHGNet in single precision for the GPUs that triton supports; see the module."""

    def __init__(self, parameters: Parameters, device: str) -> None:
        super().__init__(parameters, device)
        p = self._p
        self._radial = radial_of(
            p.frequencies, [p.bond_embedding, p.bond_weights], p.cutoff, p.envelope
        )
        self._narrow = radial_of(p.short_frequencies, [p.short_weights], p.short_cutoff, p.envelope)
        self._angular = angular_of(p.angle_frequencies, p.angle_embedding)
        self._atom = _layers(p.atom, atoms=(0, 2), bonds=(1,), own=None)
        self._bond = _layers(p.bond, atoms=(3,), bonds=(0, 1), own=2)
        self._angle = _layers(p.angle, atoms=(3,), bonds=(0, 1), own=2)

    def evaluate(
        self,
        graph: Graph,
        numbers: NDArray[np.int64],
        owner: NDArray[np.int64],
        n_crystals: int,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return energies (eV), forces (eV/Å) and virials (eV); see :class:`Network`."""
        with torch.cuda.device_of(self._p.energy):  # where triton starts its kernels
            first_atom = np.searchsorted(owner, np.arange(n_crystals + 1)).astype(np.int32)
            rows = build_rows(graph.bond_ends, graph.n_short, owner, n_crystals)
            moved = self._moved_together([*rows, numbers.astype(np.int32), first_atom])
            rows, atoms, first_atom = Rows(*moved[:-2]), moved[-2], moved[-1]
            long = torch.from_numpy(graph.vectors).to(self.device)
            vectors = long.to(self.dtype)
            with torch.no_grad():
                forward = self._forward(rows, vectors, graph.n_short, atoms)
            x = forward.x.requires_grad_(True)
            site = self._read_out(x, atoms)
            (d_x,) = torch.autograd.grad(site.sum(), x)
            with torch.no_grad():
                gradient = self._backward(rows, vectors, graph.n_short, forward, d_x)
                results = atom_results(rows, long, gradient, site)
                totals = sum_rows(results, first_atom, 16)
            virials = totals[:, :9].reshape(-1, 3, 3)
            return totals[:, 9], results[:, 10:13], 0.5 * (virials + virials.transpose(1, 2))

    def _moved_together(self, arrays: list[NDArray[np.int32]]) -> list[Tensor]:
        """Return arrays of int32 as tensors on the device, moved in one piece."""
        places = np.cumsum([0, *(-(-array.size // _ALIGNED) * _ALIGNED for array in arrays)])
        joined = np.empty(places[-1], np.int32)
        for place, array in zip(places, arrays, strict=False):
            joined[place : place + array.size] = array.ravel()
        on_device = torch.from_numpy(joined).to(self.device)
        return [
            on_device[place : place + array.size].view(array.shape)
            for place, array in zip(places, arrays, strict=False)
        ]

    def _forward(self, rows: Rows, vectors: Tensor, n_short: int, numbers: Tensor) -> _Forward:
        p = self._p
        e, weight = radial_features(self._radial, vectors)
        (narrow,) = radial_features(self._narrow, vectors[:n_short])
        a = angular_features(self._angular, rows, vectors)
        n_angles, bent = len(a), rows.bent.to(self.dtype)[:, None]
        x = p.atom_embedding.index_select(0, numbers)
        kept: tuple[list[_Kept], list[_Kept], list[_Kept]] = ([], [], [])
        for k, layer in enumerate(self._atom):
            atoms, bonds = _tables(layer, x, e)
            summed = atom_messages(layer.gate, rows, atoms, bonds, weight)
            kept[0].append(_Kept(atoms, bonds))
            x = x + torch.addmm(layer.out_bias, summed, layer.out)
            if not n_angles or k == len(self._bond):
                continue
            layer, short = self._bond[k], e[:n_short]
            atoms, bonds = _tables(layer, x, short)
            summed = angle_messages(layer.gate, rows, atoms, bonds, a, narrow)
            kept[1].append(_Kept(atoms, bonds, a, summed))
            short.addmm_(narrow * summed, layer.out)
            e.addcmul_(bent, layer.out_bias)
            if k == len(self._angle):
                continue
            layer = self._angle[k]
            atoms, bonds = _tables(layer, x, e[:n_short])
            kept[2].append(_Kept(atoms, bonds, a))
            a = angle_messages(layer.gate, rows, atoms, bonds, a, None)
        return _Forward(x, weight, narrow, n_angles, *kept)

    def _backward(
        self, rows: Rows, vectors: Tensor, n_short: int, forward: _Forward, d_x: Tensor
    ) -> Tensor:
        """Return the derivative of the energy by the bond vectors, shape (n_bonds, 3)."""
        weight, narrow = forward.weight, forward.narrow
        d_e, d_weight = torch.zeros_like(weight), torch.zeros_like(weight)
        d_narrow, d_a = torch.zeros_like(narrow), d_x.new_zeros((forward.n_angles, d_x.shape[1]))
        d_short = d_e[:n_short]
        for k in reversed(range(len(forward.atom))):
            if k < len(forward.angle):
                layer, kept = self._angle[k], forward.angle[k]
                tables = (kept.atoms, kept.bonds, kept.own, None)
                d_atoms, d_bonds, _ = angle_messages_backward(layer.gate, rows, tables, None, d_a)
                d_x = torch.addmm(d_x, d_atoms, layer.atoms.T)
                d_short.addmm_(d_bonds, layer.bonds.T)
            if k < len(forward.bond):
                layer, kept = self._bond[k], forward.bond[k]
                upstream = d_short @ layer.out.T
                d_narrow.addcmul_(upstream, kept.summed)
                tables = (kept.atoms, kept.bonds, kept.own, narrow)
                d_atoms, d_bonds, of_narrow = angle_messages_backward(
                    layer.gate, rows, tables, upstream * narrow, d_a
                )
                d_narrow += of_narrow
                d_x = torch.addmm(d_x, d_atoms, layer.atoms.T)
                d_short.addmm_(d_bonds, layer.bonds.T)
            layer, kept = self._atom[k], forward.atom[k]
            tables = (kept.atoms, kept.bonds, weight)
            upstream = d_x @ layer.out.T
            d_atoms, d_bonds = atom_messages_backward(layer.gate, rows, tables, upstream, d_weight)
            d_x = torch.addmm(d_x, d_atoms, layer.atoms.T)
            d_e.addmm_(d_bonds, layer.bonds.T)
        gradient = torch.empty_like(vectors)
        add_radial_gradient(self._radial, vectors, [d_e, d_weight], gradient)
        if forward.n_angles:
            of_halves = half_gradients(self._angular, rows, vectors, d_a)
            halves = (rows.half_of_bond, of_halves)
            add_radial_gradient(self._narrow, vectors[:n_short], [d_narrow], gradient, halves)
        return gradient


def _tables(layer: _Layer, x: Tensor, e: Tensor) -> tuple[Tensor, Tensor]:
    """Return the parts of the first linear map's output by atom and by bond."""
    return torch.addmm(layer.atoms_bias, x, layer.atoms), e @ layer.bonds


def _layers(
    layers: GatedLayers, *, atoms: tuple[int, ...], bonds: tuple[int, ...], own: int | None
) -> list[_Layer]:
    """Return the layers; the numbers say which blocks of the first map act on what."""
    has_second, has_norm = len(layers.second) > 0, layers.norm.shape[1] > 0
    has_out = len(layers.out) > 0
    result = []
    for k, first in enumerate(layers.first):
        bias = layers.first_bias[k]
        gate = Gate(
            None if own is None else split(first[own]),
            split(layers.second[k]) if has_second else None,
            layers.second_bias[k].contiguous() if has_second else None,
            layers.norm[k].contiguous() if has_norm else None,
        )
        result.append(
            _Layer(
                gate,
                torch.cat([first[block] for block in atoms], 1),
                torch.cat([bias, *(torch.zeros_like(bias) for _ in atoms[1:])]),
                torch.cat([first[block] for block in bonds], 1),
                layers.out[k] if has_out else None,
                layers.out_bias[k] if has_out else None,
            )
        )
    return result
