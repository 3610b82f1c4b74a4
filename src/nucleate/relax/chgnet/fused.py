"""CHGNet on a GPU with the messages of each layer in one kernel, and sums that repeat exactly.

The same function as :class:`~nucleate.relax.chgnet.network.Network`. Rows are sorted by where
their messages go, so sums need no atomic additions; what lies between the gathering of a message
and its result is never written to memory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch.nn.functional import pad

from nucleate.relax.chgnet.gates import Gate, split
from nucleate.relax.chgnet.messages import (
    AngleMessages,
    AtomMessages,
    Collect,
    Gather,
    Pairs,
    Take,
)
from nucleate.relax.chgnet.network import Network, radial_basis
from nucleate.relax.chgnet.rows import build_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nucleate.relax.chgnet.graph import Graph
    from nucleate.relax.chgnet.parameters import GatedLayers, Parameters


class _Layout(NamedTuple):
    """How the rows of a batch read the tables of atoms, bonds and halves; all on the device.

    Attributes
    ----------
    pairs : Pairs
        The bonds.
    bond : Tensor of int32, shape (n_rows,)
        Of the rows.
    sign : Tensor, shape (n_rows, 1)
        1 where the bond vector points away from the row's atom, else -1.
    half_atom, half_bond : Gather
        Of the halves.
    half_sign : Tensor, shape (n_halves, 1)
    first, second : Gather
        Of the angles: both halves.
    bent : Tensor, shape (n_bonds, 1)
        1 for bonds of crystals that have angles, else 0.
    """

    pairs: Pairs
    bond: torch.Tensor
    sign: torch.Tensor
    half_atom: Gather
    half_bond: Gather
    half_sign: torch.Tensor
    first: Gather
    second: Gather
    bent: torch.Tensor


class FusedNetwork(Network):
    """CHGNet in single precision for the GPUs that triton supports; see the module."""

    def __init__(self, parameters: Parameters, device: str) -> None:
        super().__init__(parameters, device)
        p = self._p
        self._atom = [_gate_of(p.atom, k) for k in range(len(p.atom.first))]
        self._bond = [_gate_of(p.bond, k, own=2) for k in range(len(p.bond.first))]
        self._angle = [_gate_of(p.angle, k, own=2) for k in range(len(p.angle.first))]

    def evaluate(
        self,
        graph: Graph,
        numbers: NDArray[np.int64],
        owner: NDArray[np.int64],
        n_crystals: int,
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return energies (eV), forces (eV/Å) and virials (eV); see :class:`Network`."""
        layout = self._layout(graph, owner, n_crystals)
        atoms = self._moved_array(numbers)
        lengths = self._moved_array(np.bincount(owner, minlength=n_crystals))
        long = self._moved_array(graph.vectors)
        vectors = long.to(self.dtype, copy=True).requires_grad_(True)
        site = self._read_out(self._features(layout, atoms, vectors, graph.n_short), atoms)
        (gradient,) = torch.autograd.grad(site.sum(), vectors)
        energies = _by_lengths(site.detach().double(), lengths)
        slope = gradient.double().index_select(0, layout.bond)
        rows_of = layout.pairs.start.diff().long()
        forces = _by_lengths(layout.sign * slope, rows_of)
        products = long.index_select(0, layout.bond).unsqueeze(2) * slope.unsqueeze(1)
        virials = _by_lengths(_by_lengths(products.flatten(1), rows_of), lengths)
        virials = 0.5 * virials.reshape(-1, 3, 3)  # every bond has two rows
        return energies, forces, 0.5 * (virials + virials.transpose(1, 2))

    def _moved_array(self, array: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(array).to(self.device, non_blocking=True)

    def _layout(self, graph: Graph, owner: NDArray[np.int64], n_crystals: int) -> _Layout:
        rows = build_rows(graph.bond_ends, graph.n_short, owner, n_crystals)
        r = type(rows)(*(self._moved_array(array) for array in rows))
        return _Layout(
            pairs=Pairs(self._moved_array(graph.bond_ends), r.of_bond, r.start, r.back),
            bond=r.bond,
            sign=r.sign[:, None],
            half_atom=Gather(r.half_atom, r.half_start),
            half_bond=Gather(r.half_bond, r.half_start, r.half_of_bond),
            half_sign=r.half_sign[:, None],
            first=Gather(r.first, r.angle_start),
            second=Gather(r.second, r.angle_start, r.swapped),
            bent=r.bent[:, None],
        )

    def _features(
        self, layout: _Layout, numbers: torch.Tensor, vectors: torch.Tensor, n_short: int
    ) -> torch.Tensor:
        """Return the features of the atoms after the last interaction block."""
        p = self._p
        distance = vectors.norm(dim=1)
        radial = radial_basis(distance, p.frequencies, p.cutoff, p.envelope)
        weight = radial @ p.bond_weights
        x, e = p.atom_embedding[numbers], radial @ p.bond_embedding
        bends = len(layout.first.index) > 0
        if bends:
            unit = vectors[:n_short] / distance[:n_short, None]
            a = self._angles(layout, unit)
            narrow = radial_basis(
                distance[:n_short], p.short_frequencies, p.short_cutoff, p.envelope
            )
            narrow = Take.apply(narrow @ p.short_weights, layout.half_bond)
        for k in range(len(p.atom.first)):
            first = p.atom.first[k]
            summed = AtomMessages.apply(
                self._atom[k],
                layout.pairs,
                torch.addmm(p.atom.first_bias[k], x, first[0]),
                x @ first[2],
                e @ first[1],
                weight,
            )
            x = x + torch.addmm(p.atom.out_bias[k], summed, p.atom.out[k])
            if bends and k < len(p.bond.first):
                summed = narrow * _angle_messages(
                    p.bond, k, self._bond[k], layout, x, e[:n_short], narrow, a
                )
                added = Collect.apply(summed, layout.half_bond) @ p.bond.out[k]
                e = e + pad(added, (0, 0, 0, len(e) - n_short)) + layout.bent * p.bond.out_bias[k]
                if k < len(p.angle.first):
                    a = _angle_messages(p.angle, k, self._angle[k], layout, x, e[:n_short], None, a)
        return x

    def _angles(self, layout: _Layout, unit: torch.Tensor) -> torch.Tensor:
        """Return the first features of the angles from the short bonds' unit vectors."""
        along = Take.apply(pad(unit, (0, 1)), layout.half_bond) * layout.half_sign
        cosine = Take.apply(along, layout.first) * Take.apply(along, layout.second)
        return self._angle_basis(cosine.sum(1))


def _angle_messages(
    layers: GatedLayers,
    k: int,
    gate: Gate,
    layout: _Layout,
    x: torch.Tensor,
    bonds: torch.Tensor,
    weight: torch.Tensor | None,
    a: torch.Tensor,
) -> torch.Tensor:
    """Return the sums of weighted messages by half, or without a weight the new angles."""
    first = layers.first[k]
    centre = torch.addmm(layers.first_bias[k], x, first[3])
    one = Take.apply(centre, layout.half_atom) + Take.apply(bonds @ first[0], layout.half_bond)
    other = Take.apply(bonds @ first[1], layout.half_bond)
    return AngleMessages.apply(gate, layout.first, layout.second, one, other, a, weight)


def _gate_of(layers: GatedLayers, k: int, *, own: int | None = None) -> Gate:
    """Return the weights of a layer whose rows carry the features of block ``own``."""
    has_second, has_norm = len(layers.second) > 0, layers.norm.shape[1] > 0
    return Gate(
        None if own is None else split(layers.first[k, own]),
        split(layers.second[k]) if has_second else None,
        layers.second_bias[k].contiguous() if has_second else None,
        layers.norm[k].contiguous() if has_norm else None,
    )


def _by_lengths(values: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    """Return the sums of groups of consecutive rows."""
    return torch.segment_reduce(values, "sum", lengths=lengths, axis=0, initial=0, unsafe=True)
