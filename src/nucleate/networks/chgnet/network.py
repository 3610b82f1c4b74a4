"""CHGNet in torch, batched: for any device, and the check of the hand-written paths.

Deng et al., Nature Machine Intelligence 5, 1031 (2023). One derivative with respect to the bond
vectors gives forces and stresses at once.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, cast

import torch
from torch.nn import functional

from nucleate.networks.chgnet.parameters import WIDTH, GatedLayers, Parameters

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from nucleate.networks.chgnet.graph import Graph

_ANGLE_SCALE = 1.0 - 1e-6  # as the package: keeps acos away from its poles


class Network:
    """CHGNet on one device.

    Parameters
    ----------
    parameters
        Weights, as numpy arrays.
    device
        ``cpu``, ``cuda``, ``cuda:1``, ...
    dtype
        Double precision says whose rounding a difference is.
    """

    def __init__(
        self, parameters: Parameters, device: str = "cpu", dtype: torch.dtype = torch.float32
    ) -> None:
        self.device, self.dtype = torch.device(device), dtype
        self._p = cast("Parameters", self._moved(parameters))

    def _moved(self, values: tuple) -> tuple:
        """Return a named tuple with its arrays as tensors on the device."""
        moved = []
        for value in values:
            if isinstance(value, GatedLayers):
                moved.append(self._moved(value))
            elif isinstance(value, (int, float)):
                moved.append(value)
            else:
                moved.append(torch.tensor(value, device=self.device, dtype=self.dtype))
        return type(values)(*moved)

    def evaluate(
        self,
        graph: Graph,
        numbers: NDArray[np.int64],
        owner: NDArray[np.int64],
        n_crystals: int,
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return energies (eV), forces (eV/Å) and virials (eV), in double precision.

        Parameters
        ----------
        graph
            Bonds and angles of the batch.
        numbers, owner : ndarray of int64, shape (n_atoms,)
            Atomic number and crystal of each atom.
        n_crystals
            Number of crystals.
        """
        on_device, atoms, crystal = self._on_device(graph, numbers, owner)
        vectors = on_device.vectors.to(self.dtype, copy=True).requires_grad_(True)
        site = self._site_energies(on_device, atoms, crystal, n_crystals, vectors)
        (gradient,) = torch.autograd.grad(site.sum(), vectors)
        energies = site.new_zeros(n_crystals, dtype=torch.float64)
        energies.index_add_(0, crystal, site.detach().double())
        slope = gradient.double()
        start, end = on_device.bond_ends.unbind(1)
        forces = slope.new_zeros(len(atoms), 3).index_add_(0, start, slope)
        forces.index_add_(0, end, slope, alpha=-1.0)
        products = on_device.vectors.unsqueeze(2) * slope.unsqueeze(1)
        virial = slope.new_zeros(n_crystals, 3, 3)
        virial.index_add_(0, crystal.index_select(0, start), products)
        return energies, forces, 0.5 * (virial + virial.transpose(1, 2))

    def _on_device(
        self, graph: Graph, numbers: NDArray[np.int64], owner: NDArray[np.int64]
    ) -> tuple[Any, torch.Tensor, torch.Tensor]:
        """Return a graph of tensors, atomic numbers and owners on the device."""
        tensors = graph._make(
            item if isinstance(item, int) else torch.tensor(item, device=self.device)
            for item in graph
        )
        return (
            tensors,
            torch.tensor(numbers, device=self.device),
            torch.tensor(owner, device=self.device),
        )

    def _site_energies(
        self,
        graph: Any,
        numbers: torch.Tensor,
        owner: torch.Tensor,
        n_crystals: int,
        vectors: torch.Tensor,
    ) -> torch.Tensor:
        """Return the energy of each atom in eV."""
        x = self._atom_features(graph, numbers, owner, n_crystals, vectors)
        return self._read_out(x, numbers)

    def _read_out(self, x: torch.Tensor, numbers: torch.Tensor) -> torch.Tensor:
        p = self._p
        if len(p.readout_norm):
            x = functional.layer_norm(x, (WIDTH,), p.readout_norm[0], p.readout_norm[1])
        for weight, bias in zip(p.readout, p.readout_bias, strict=True):
            x = functional.silu(torch.addmm(bias, x, weight))
        return x @ p.energy + (p.energy_bias + p.atom_energy[numbers])

    def _atom_features(
        self,
        graph: Any,
        numbers: torch.Tensor,
        owner: torch.Tensor,
        n_crystals: int,
        vectors: torch.Tensor,
    ) -> torch.Tensor:
        """Return the features of the atoms after all interaction blocks."""
        p, short = self._p, graph.n_short
        distance = vectors.norm(dim=1)
        radial = radial_basis(distance, p.frequencies, p.cutoff, p.envelope)
        weight = radial @ p.bond_weights
        x, e = p.atom_embedding[numbers], radial @ p.bond_embedding
        center, to = graph.bond_ends.reshape(-1), graph.bond_ends.flip(1).reshape(-1)
        bond = torch.arange(len(distance), device=self.device).repeat_interleave(2)
        if short:
            narrow = radial_basis(distance[:short], p.short_frequencies, p.short_cutoff, p.envelope)
            angle_weight = narrow @ p.short_weights
            angle_weight = _pairs(angle_weight, graph)
            a = self._angle_features(graph, vectors[:short], distance[:short])
            bent = x.new_zeros(n_crystals, 1)
            bent[owner[graph.angles[:, 0]]] = 1.0
            bent = bent[owner[graph.bond_ends[:, 0]]]
        for k in range(len(p.atom.first)):
            first, bias = p.atom.first[k], p.atom.first_bias[k]
            hidden = torch.addmm(bias, x, first[0]).index_select(0, center)
            hidden = hidden + (x @ first[2]).index_select(0, to)
            hidden = hidden + (e @ first[1]).index_select(0, bond)
            message = _gate(p.atom, k, hidden) * weight.index_select(0, bond)
            summed = torch.zeros_like(x).index_add_(0, center, message)
            x = x + torch.addmm(p.atom.out_bias[k], summed, p.atom.out[k])
            if short and k < len(p.bond.first):
                message = _gate(p.bond, k, self._angle_hidden(p.bond, k, graph, x, e, a))
                summed = torch.zeros_like(e).index_add_(
                    0, graph.angles[:, 1], message * angle_weight
                )
                e = e + summed @ p.bond.out[k] + bent * p.bond.out_bias[k]
                if k < len(p.angle.first):
                    a = a + _gate(p.angle, k, self._angle_hidden(p.angle, k, graph, x, e, a))
        return x

    def _angle_features(
        self, graph: Any, vectors: torch.Tensor, distance: torch.Tensor
    ) -> torch.Tensor:
        unit = vectors / distance[:, None]
        return self._angle_basis(_pairs(unit, graph).sum(1) * graph.angle_sign)

    def _angle_basis(self, cosine: torch.Tensor) -> torch.Tensor:
        """Return the embedded basis functions of some cosines, shape (n, 64)."""
        phase = torch.outer(torch.acos(cosine * _ANGLE_SCALE), self._p.angle_frequencies)
        constant = torch.full_like(phase[:, :1], math.sqrt(0.5))
        basis = torch.cat([constant, torch.sin(phase), torch.cos(phase)], 1) / math.sqrt(math.pi)
        return basis @ self._p.angle_embedding

    @staticmethod
    def _angle_hidden(
        layers: GatedLayers,
        k: int,
        graph: Any,
        x: torch.Tensor,
        e: torch.Tensor,
        a: torch.Tensor,
    ) -> torch.Tensor:
        first = layers.first[k]
        bonds = e[: graph.n_short]
        middle, one, other = graph.angles.unbind(1)
        hidden = torch.addmm(layers.first_bias[k], x, first[3]).index_select(0, middle)
        hidden = hidden + (bonds @ first[0]).index_select(0, one)
        return hidden + (bonds @ first[1]).index_select(0, other) + a @ first[2]


def _pairs(values: torch.Tensor, graph: Any) -> torch.Tensor:
    """Return the products of the values of both bonds of every angle."""
    _, one, other = graph.angles.unbind(1)
    return values.index_select(0, one) * values.index_select(0, other)


def _gate(layers: GatedLayers, k: int, hidden: torch.Tensor) -> torch.Tensor:
    """Return SiLU(norm(core)) x sigmoid(norm(gate)) from the first linear map's output."""
    if len(layers.second):
        hidden = functional.silu(hidden)
    core, gate = hidden[:, :WIDTH], hidden[:, WIDTH:]
    if len(layers.second):
        core = torch.addmm(layers.second_bias[k, 0], core, layers.second[k, 0])
        gate = torch.addmm(layers.second_bias[k, 1], gate, layers.second[k, 1])
    if layers.norm.shape[1]:
        core = functional.layer_norm(core, (WIDTH,), layers.norm[k, 0], layers.norm[k, 1])
        gate = functional.layer_norm(gate, (WIDTH,), layers.norm[k, 2], layers.norm[k, 3])
    return functional.silu(core) * torch.sigmoid(gate)


def radial_basis(
    distance: torch.Tensor, frequencies: torch.Tensor, cutoff: float, exponent: int
) -> torch.Tensor:
    """Return Bessel functions under the polynomial envelope of GemNet."""
    scaled = distance / cutoff
    p, power = exponent, scaled
    for _ in range(1, exponent):
        power = power * scaled
    envelope = 1.0 + power * (
        -(p + 1) * (p + 2) / 2 + scaled * (p * (p + 2) - p * (p + 1) / 2 * scaled)
    )
    envelope = torch.where(scaled < 1.0, envelope, torch.zeros_like(scaled))
    bessel = math.sqrt(2.0 / cutoff) * torch.sin(torch.outer(scaled, frequencies))
    return bessel * (envelope / distance)[:, None]
