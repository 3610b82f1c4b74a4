"""A light network that sees angles: messages projected on spherical harmonics.

Each block sums neighbour messages weighted by the real spherical harmonics of their directions
and reads invariants from the sums, so three-body geometry costs no triplet list. Only the
nearest neighbours count, and an envelope brings each of them to zero at the distance of the
first one left out, so energies are continuous in positions and cell. All states are invariant
scalars: atoms related by symmetry have equal states, and one of each orbit is enough.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from nucleate.networks.graph_network.settings import HarmonicSettings


class HarmonicNetwork(nn.Module):
    """Formation energy per atom as a weighted mean of atomic energies.

    Parameters
    ----------
    settings : HarmonicSettings
        Sizes.
    """

    def __init__(self, settings: HarmonicSettings) -> None:
        super().__init__()
        self.settings = settings
        self.embedding = nn.Embedding(settings.elements, settings.width)
        self.centres: Tensor
        self.register_buffer("centres", torch.linspace(0.5, 6.0, settings.gaussians))
        self.register_buffer("composition", torch.zeros(settings.elements))
        self.composition: Tensor
        self.blocks = nn.ModuleList(_Block(settings) for _ in range(settings.blocks))
        self.readout = nn.Sequential(
            nn.LayerNorm(2 * settings.width),
            nn.Linear(2 * settings.width, settings.width),
            nn.SiLU(),
            nn.Linear(settings.width, 64),
            nn.SiLU(),
            nn.Linear(64, 1),
        )

    def forward(
        self,
        numbers: Tensor,
        neighbours: Tensor,
        distance: Tensor,
        direction: Tensor,
        cutoff: Tensor,
        weight: Tensor,
        graph: Tensor,
        n_graphs: int,
    ) -> Tensor:
        """Return formation energies in eV/atom, shape (n_graphs,).

        Parameters
        ----------
        numbers : Tensor of int64, shape (n,)
            Atomic numbers.
        neighbours : Tensor of int64, shape (n, k)
            Indices of the neighbours.
        distance : Tensor, shape (n, k)
            Å.
        direction : Tensor, shape (n, k, 3)
            Unit vectors towards the neighbours.
        cutoff : Tensor, shape (n,)
            Å, where the messages of an atom's neighbours reach zero.
        weight : Tensor, shape (n,)
            Weight of each atom in the average over its crystal; sums to 1 over a crystal.
        graph : Tensor of int64, shape (n,)
            Crystal of each atom.
        n_graphs : int
            Number of crystals.
        """
        spacing = self.centres[1] - self.centres[0]
        gaussians = torch.exp(-(((distance.unsqueeze(-1) - self.centres) / spacing) ** 2))
        fade = envelope(distance / cutoff.unsqueeze(-1)) * self.settings.neighbours**-0.5
        angular = harmonics(direction) * fade.unsqueeze(-2)
        state = self.embedding(numbers)
        share = weight.unsqueeze(-1)
        for block in self.blocks:
            state = block(state, gaussians, angular, neighbours, share, graph, n_graphs)
        mean = _pooled(state * share, graph, n_graphs)
        atomic = self.readout(torch.cat([state, mean.index_select(0, graph)], dim=-1)).squeeze(-1)
        atomic = atomic + self.composition[numbers]
        return _pooled(atomic * weight, graph, n_graphs)


class _Block(nn.Module):
    """One round of messages, invariants and state update."""

    def __init__(self, settings: HarmonicSettings) -> None:
        super().__init__()
        channels, width = settings.channels, settings.width
        self.near = nn.Linear(width, channels, bias=False)
        self.own = nn.Linear(width, channels)
        self.radial = nn.Linear(settings.gaussians, channels, bias=False)
        seen = 2 * width + len(ORDERS) * channels
        self.update = nn.Sequential(
            nn.LayerNorm(seen),
            nn.Linear(seen, width),
            nn.SiLU(),
            nn.Linear(width, width),
        )

    def forward(
        self,
        state: Tensor,
        gaussians: Tensor,
        angular: Tensor,
        near: Tensor,
        share: Tensor,
        graph: Tensor,
        n_graphs: int,
    ) -> Tensor:
        moments = message_sum(
            self.own(state), self.near(state), self.radial(gaussians), near, angular
        )
        degrees = moments.square().split(ORDERS, dim=1)
        mean = _pooled(state * share, graph, n_graphs)
        seen = [state, mean.index_select(0, graph), moments[:, 0]]
        seen += [degree.sum(1) for degree in degrees[1:]]
        return state + self.update(torch.cat(seen, dim=-1))


def message_sum(own: Tensor, sent: Tensor, radial: Tensor, near: Tensor, angular: Tensor) -> Tensor:
    """Sum the messages of neighbours over directions, shape (n, harmonics, channels)."""
    if own.device.type == "cpu" and own.dtype == torch.float32:
        from nucleate.networks.graph_network.fused_messages import FusedMessages

        return cast("Tensor", FusedMessages.apply(own, sent, radial, near, angular))
    gathered = sent.index_select(0, near.reshape(-1)).view_as(radial)
    return torch.bmm(angular, nn.functional.silu(own.unsqueeze(1) + gathered + radial))


ORDERS = (1, 3, 5, 7)


def _pooled(values: Tensor, graph: Tensor, n_graphs: int) -> Tensor:
    shape = (n_graphs, *values.shape[1:])
    return values.new_zeros(shape).index_add_(0, graph, values)


def envelope(ratio: Tensor) -> Tensor:
    """Return 1 below a ratio of 0.6, 0 above 1 and a smooth step between."""
    step = ((ratio - 0.6) / 0.4).clamp(0.0, 1.0)
    return 1.0 - step * step * (3.0 - 2.0 * step)


def harmonics(direction: Tensor) -> Tensor:
    """Return real spherical harmonics of degree 0 to 3, shape (..., 16, k).

    Normalised so that the squares of each degree sum to 1.

    Parameters
    ----------
    direction : Tensor, shape (..., k, 3)
        Unit vectors; a zero vector gives harmonics of an arbitrary direction.
    """
    x, y, z = direction.unbind(-1)
    xx, yy, zz = x * x, y * y, z * z
    r3, r6, r10, r15 = 3**0.5, 6**0.5, 10**0.5, 15**0.5
    return torch.stack(
        [
            torch.ones_like(x),
            x,
            y,
            z,
            r3 * x * y,
            r3 * y * z,
            r3 * x * z,
            0.5 * (3 * zz - 1),
            0.5 * r3 * (xx - yy),
            r10 / 4 * y * (3 * xx - yy),
            r15 * x * y * z,
            r6 / 4 * y * (5 * zz - 1),
            0.5 * z * (5 * zz - 3),
            r6 / 4 * x * (5 * zz - 1),
            r15 / 2 * z * (xx - yy),
            r10 / 4 * x * (xx - 3 * yy),
        ],
        dim=-2,
    )
