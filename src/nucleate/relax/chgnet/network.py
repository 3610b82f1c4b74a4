"""CHGNet in torch, batched: the path for GPUs, and the check of the compiled CPU path.

Deng et al., Nature Machine Intelligence 5, 1031 (2023). One derivative with respect to the bond
vectors gives forces and stresses at once.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from nucleate.relax.chgnet.parameters import WIDTH, GatedLayers, Parameters

if TYPE_CHECKING:
    from nucleate.relax.chgnet.graph import Graph

_ANGLE_SCALE = 1.0 - 1e-6  # as the package: keeps acos away from its poles


class Network:
    """CHGNet on one device.

    Parameters
    ----------
    parameters
        Weights, as numpy arrays.
    device
        ``cpu``, ``cuda``, ``cuda:1``, ...
    fuse
        Let torch compile the network for any size of batch. It takes about a minute, once, and
        saves most of the traffic to memory that bounds a GPU.
    """

    def __init__(self, parameters: Parameters, device: str = "cpu", *, fuse: bool = False) -> None:
        self.device = torch.device(device)
        self._p: Parameters = self._moved(parameters)
        self._energy = torch.compile(self._energies, dynamic=True) if fuse else self._energies

    def _moved(self, values: tuple) -> tuple:
        """Return a named tuple with its arrays as tensors on the device."""
        moved = []
        for value in values:
            if isinstance(value, GatedLayers):
                moved.append(self._moved(value))
            elif isinstance(value, (int, float)):
                moved.append(value)
            else:
                moved.append(torch.tensor(value, device=self.device))
        return type(values)(*moved)

    def differentiate(
        self,
        graph: Graph,
        numbers: torch.Tensor,
        owner: torch.Tensor,
        n_crystals: int,
        vectors: torch.Tensor,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the energy of each crystal (eV) and its derivative by the bond vectors (eV/Å).

        Parameters
        ----------
        graph
            With tensors on the device in place of arrays; its own vectors are not used.
        numbers, owner
            Atomic number and crystal of each atom, shape (n_atoms,).
        n_crystals
            Number of crystals.
        vectors
            Bond vectors in Å, float32, shape (n_bonds, 3).
        """
        vectors = vectors.detach().requires_grad_(True)
        energies = self._energy(graph, numbers, owner, n_crystals, vectors)
        (gradient,) = torch.autograd.grad(energies.sum(), vectors)
        return energies.detach(), gradient

    def sum_gradient(
        self, graph: Graph, owner: torch.Tensor, n_crystals: int, gradient: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return forces (eV/Å) and virials (eV) from the derivative by the bond vectors.

        Parameters
        ----------
        graph, owner, n_crystals
            See :meth:`differentiate`.
        gradient
            Shape (n_bonds, 3).
        """
        slope = gradient.double()
        start, end = graph.bond_ends.unbind(1)
        forces = slope.new_zeros(len(owner), 3).index_add_(0, start, slope)
        forces.index_add_(0, end, slope, alpha=-1.0)
        products = torch.as_tensor(graph.vectors).unsqueeze(2) * slope.unsqueeze(1)
        virial = slope.new_zeros(n_crystals, 3, 3)
        virial.index_add_(0, owner.index_select(0, start), products)
        return forces, 0.5 * (virial + virial.transpose(1, 2))

    def _energies(
        self,
        graph: Graph,
        numbers: torch.Tensor,
        owner: torch.Tensor,
        n_crystals: int,
        vectors: torch.Tensor,
    ) -> torch.Tensor:
        last = len(self._p.atom.first)
        x = self._atom_features(graph, numbers, owner, n_crystals, vectors, last=last)
        p = self._p
        if len(p.readout_norm):
            x = functional.layer_norm(x, (WIDTH,), p.readout_norm[0], p.readout_norm[1])
        for weight, bias in zip(p.readout, p.readout_bias, strict=True):
            x = functional.silu(torch.addmm(bias, x, weight))
        site = x @ p.energy + (p.energy_bias + p.atom_energy[numbers])
        return torch.zeros(n_crystals, device=self.device).index_add_(0, owner, site)

    def moments(
        self,
        graph: Graph,
        numbers: torch.Tensor,
        owner: torch.Tensor,
        n_crystals: int,
        vectors: torch.Tensor,
    ) -> torch.Tensor:
        """Return the magnetic moment of each atom in Bohr magnetons, shape (n_atoms,)."""
        with torch.no_grad():
            last = len(self._p.atom.first) - 1
            x = self._atom_features(graph, numbers, owner, n_crystals, vectors, last=last)
            return (x @ self._p.moment + self._p.moment_bias).abs()

    def _atom_features(
        self,
        graph: Graph,
        numbers: torch.Tensor,
        owner: torch.Tensor,
        n_crystals: int,
        vectors: torch.Tensor,
        *,
        last: int,
    ) -> torch.Tensor:
        """Return the features of the atoms after ``last`` interaction blocks."""
        p, short = self._p, graph.n_short
        distance = vectors.norm(dim=1)
        radial = _radial_basis(distance, p.frequencies, p.cutoff, p.envelope)
        weight = radial @ p.bond_weights
        x, e = p.atom_embedding[numbers], radial @ p.bond_embedding
        center, to = graph.bond_ends.reshape(-1), graph.bond_ends.flip(1).reshape(-1)
        bond = torch.arange(len(distance), device=self.device).repeat_interleave(2)
        if short:
            narrow = _radial_basis(
                distance[:short], p.short_frequencies, p.short_cutoff, p.envelope
            )
            angle_weight = narrow @ p.short_weights
            angle_weight = _pairs(angle_weight, graph)
            a = self._angle_features(graph, vectors[:short], distance[:short])
            bent = torch.zeros(n_crystals, 1, device=self.device)
            bent[owner[graph.angles[:, 0]]] = 1.0
            bent = bent[owner[graph.bond_ends[:, 0]]]
        for k in range(last):
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
        self, graph: Graph, vectors: torch.Tensor, distance: torch.Tensor
    ) -> torch.Tensor:
        unit = vectors / distance[:, None]
        cosine = _pairs(unit, graph).sum(1) * graph.angle_sign
        phase = torch.outer(torch.acos(cosine * _ANGLE_SCALE), self._p.angle_frequencies)
        constant = torch.full_like(phase[:, :1], math.sqrt(0.5))
        basis = torch.cat([constant, torch.sin(phase), torch.cos(phase)], 1) / math.sqrt(math.pi)
        return basis @ self._p.angle_embedding

    @staticmethod
    def _angle_hidden(
        layers: GatedLayers,
        k: int,
        graph: Graph,
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


def _pairs(values: torch.Tensor, graph: Graph) -> torch.Tensor:
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


def _radial_basis(
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
