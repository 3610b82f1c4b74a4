"""What networks learn from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from nucleate.networks.graph_network.batching import Batcher
from nucleate.networks.graph_network.graphs import joined

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nucleate.networks.graph_network.graphs import Graphs


@dataclass(frozen=True, slots=True, eq=False)
class Examples:
    """Graphs with their energies.

    Attributes
    ----------
    graphs : NearestGraphs or RadiusGraphs
        Graphs of all crystals.
    energies : ndarray of float32, shape (n,)
        eV/atom.
    weights : ndarray of float32, shape (n,)
        Weight in the loss.
    """

    graphs: Graphs
    energies: NDArray[np.float32]
    weights: NDArray[np.float32]

    def joined(self, other: Examples) -> Examples:
        """Return these examples followed by others."""
        return Examples(
            joined(self.graphs, other.graphs),
            np.concatenate([self.energies, other.energies]),
            np.concatenate([self.weights, other.weights]),
        )


class Resident:
    """Examples on the device that trains on them.

    Parameters
    ----------
    examples : Examples
        Graphs with their energies.
    device : str
        ``cpu`` or ``cuda``.

    Attributes
    ----------
    sizes : ndarray of int64, shape (n,)
        Atoms of each graph.
    batcher : Batcher
        Gathers graphs.
    energies, weights : Tensor, shape (n,)
        As in the examples.
    """

    def __init__(self, examples: Examples, device: str) -> None:
        self.sizes = np.diff(examples.graphs.start)
        self.batcher = Batcher(examples.graphs, device)
        self.energies = torch.from_numpy(examples.energies).to(device)
        self.weights = torch.from_numpy(examples.weights).to(device)
