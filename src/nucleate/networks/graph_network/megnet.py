"""The MEGNet of GN-OA: Chen et al., Chem. Mater. 31, 3564 (2019), in PyTorch.

Node, edge and global states pass through blocks of three dense updates with residual
connections, Set2Set pools atoms and bonds, and a dense readout gives eV/atom. Quirks of the
reference that the figures were reached with are kept: mean over leaving edges, a linear last
layer in each update, and a Set2Set cell whose memory is never carried over.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from nucleate.networks.graph_network.settings import MegnetSettings


class MegnetNetwork(nn.Module):
    """Formation energy per atom from distances within a radius.

    Parameters
    ----------
    settings : MegnetSettings
        Sizes.
    """

    def __init__(self, settings: MegnetSettings) -> None:
        super().__init__()
        self.settings = settings
        wide, middle = settings.wide, settings.middle
        self.centres: Tensor
        self.register_buffer("centres", torch.linspace(0.0, settings.r_cut + 1, settings.gaussians))
        self.embedding = nn.Embedding(settings.elements, settings.embedding)
        self.enter = nn.ModuleList(
            _dense(size, wide, middle) for size in (settings.embedding, settings.gaussians, 2)
        )
        self.between = nn.ModuleList(
            nn.ModuleList(_dense(middle, wide, middle) for _ in range(3))
            for _ in range(settings.blocks - 1)
        )
        self.blocks = nn.ModuleList(_MegnetLayer(wide, middle) for _ in range(settings.blocks))
        self.atoms = Set2Set(middle, settings.narrow, settings.steps)
        self.bonds = Set2Set(middle, settings.narrow, settings.steps)
        self.readout = nn.Sequential(
            _dense(4 * settings.narrow + middle, middle, settings.narrow),
            nn.Linear(settings.narrow, 1),
        )
        _initialise(self)

    def forward(
        self,
        numbers: Tensor,
        centre: Tensor,
        neighbour: Tensor,
        distance: Tensor,
        graph: Tensor,
        n_graphs: int,
    ) -> Tensor:
        """Return formation energies in eV/atom, shape (n_graphs,).

        Parameters
        ----------
        numbers : Tensor of int64, shape (n,)
            Atomic numbers.
        centre, neighbour : Tensor of int64, shape (n_edges,)
            The atoms at the ends of each edge.
        distance : Tensor, shape (n_edges,)
            Å.
        graph : Tensor of int64, shape (n,)
            Crystal of each atom.
        n_graphs : int
            Number of crystals.
        """
        offset = (distance.unsqueeze(-1) - self.centres) / self.settings.gaussian_width
        start = (
            self.embedding(numbers),
            torch.exp(-offset.square()),
            distance.new_zeros((n_graphs, 2)),
        )
        states = [layer(state) for layer, state in zip(self.enter, start, strict=True)]
        edge_graph = graph[centre]
        for number, block in enumerate(self.blocks):
            inner = states
            if number > 0:
                dense = self.between[number - 1]
                inner = [layer(state) for layer, state in zip(dense, states, strict=True)]  # type: ignore[arg-type]
            update = block(*inner, centre, neighbour, graph, edge_graph)
            states = [old + new for old, new in zip(states, update, strict=True)]
        atom, edge, world = states
        pooled = [self.atoms(atom, graph, n_graphs), self.bonds(edge, edge_graph, n_graphs), world]
        return self.readout(torch.cat(pooled, dim=-1)).squeeze(-1)


class _MegnetLayer(nn.Module):
    def __init__(self, wide: int, middle: int) -> None:
        super().__init__()
        self.edge = _update(4 * middle, wide, middle)
        self.atom = _update(3 * middle, wide, middle)
        self.world = _update(3 * middle, wide, middle)

    def forward(
        self,
        atom: Tensor,
        edge: Tensor,
        world: Tensor,
        centre: Tensor,
        neighbour: Tensor,
        graph: Tensor,
        edge_graph: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor]:
        ends = [atom[centre], atom[neighbour], edge, world[edge_graph]]
        new_edge = self.edge(torch.cat(ends, dim=-1))
        around = _mean(new_edge, centre, atom.shape[0])
        new_atom = self.atom(torch.cat([around, atom, world[graph]], dim=-1))
        n_graphs = world.shape[0]
        means = [_mean(new_edge, edge_graph, n_graphs), _mean(new_atom, graph, n_graphs), world]
        return new_atom, new_edge, self.world(torch.cat(means, dim=-1))


class Set2Set(nn.Module):
    """Pool a set into a vector of twice `hidden` by attention (Vinyals et al., 2015).

    Parameters
    ----------
    size : int
        Length of the elements' states.
    hidden : int
        Length of the query.
    steps : int
        Rounds of attention.
    """

    def __init__(self, size: int, hidden: int, steps: int) -> None:
        super().__init__()
        self.hidden, self.steps = hidden, steps
        self.memory = nn.Linear(size, hidden)
        self.gates = nn.Linear(2 * hidden, 4 * hidden)

    def forward(self, states: Tensor, graph: Tensor, n_graphs: int) -> Tensor:
        """Return the pooled states, shape (n_graphs, 2 hidden)."""
        memory = self.memory(states)
        query = memory.new_zeros((n_graphs, 2 * self.hidden))
        for _ in range(self.steps):
            enter, _, candidate, leave = self.gates(query).chunk(4, dim=-1)
            cell = _hard_sigmoid(enter) * torch.tanh(candidate)
            hidden = _hard_sigmoid(leave) * torch.tanh(cell)
            score = (memory * hidden[graph]).sum(-1)
            attention = _softmax(score, graph, n_graphs)
            read = _sum(memory * attention.unsqueeze(-1), graph, n_graphs)
            query = torch.cat([hidden, read], dim=-1)
        return query


class ShiftedSoftplus(nn.Module):
    """ln(1 + exp x) - ln 2."""

    def forward(self, x: Tensor) -> Tensor:
        """Return the activation of x."""
        return nn.functional.softplus(x) - math.log(2.0)


def _dense(size: int, first: int, second: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(size, first), ShiftedSoftplus(), nn.Linear(first, second), ShiftedSoftplus()
    )


def _update(size: int, wide: int, middle: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(size, wide),
        ShiftedSoftplus(),
        nn.Linear(wide, wide),
        ShiftedSoftplus(),
        nn.Linear(wide, middle),
    )


def _initialise(network: nn.Module) -> None:
    for module in network.modules():
        if isinstance(module, nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            nn.init.zeros_(module.bias)
        elif isinstance(module, nn.Embedding):
            nn.init.uniform_(module.weight, -0.05, 0.05)
    for module in network.modules():
        if isinstance(module, Set2Set):
            with torch.no_grad():
                module.gates.bias[module.hidden : 2 * module.hidden] = 1.0


def _hard_sigmoid(x: Tensor) -> Tensor:
    return (0.2 * x + 0.5).clamp(0.0, 1.0)


def _sum(values: Tensor, group: Tensor, n_groups: int) -> Tensor:
    return values.new_zeros((n_groups, *values.shape[1:])).index_add_(0, group, values)


def _mean(values: Tensor, group: Tensor, n_groups: int) -> Tensor:
    counts = _sum(values.new_ones(values.shape[0]), group, n_groups).clamp(min=1.0)
    return _sum(values, group, n_groups) / counts.unsqueeze(-1)


def _softmax(score: Tensor, group: Tensor, n_groups: int) -> Tensor:
    top = score.detach().new_full((n_groups,), -math.inf)
    top = top.scatter_reduce(0, group, score.detach(), "amax")
    weight = torch.exp(score - top[group])
    return weight / _sum(weight, group, n_groups)[group]
