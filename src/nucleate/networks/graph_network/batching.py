"""Batches of packed graphs as the inputs of a network, gathered on its device."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from nucleate.networks.graph_network.graphs import NearestGraphs

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nucleate.networks.graph_network.graphs import Graphs, RadiusGraphs


class Batcher:
    """Packed graphs kept on a device; gives the inputs of a network's ``forward``.

    Parameters
    ----------
    graphs : NearestGraphs or RadiusGraphs
        Graphs of all crystals.
    device : str
        ``cpu`` or ``cuda``.
    """

    def __init__(self, graphs: Graphs, device: str = "cpu") -> None:
        self._graphs = graphs
        self._device = device
        names = [name for name in graphs.__slots__ if name not in ("start", "edge_start")]
        self._packed = {name: torch.from_numpy(getattr(graphs, name)).to(device) for name in names}

    def take(self, crystals: NDArray[np.int64]) -> dict[str, Any]:
        """Return the inputs for a batch of crystals."""
        if isinstance(self._graphs, NearestGraphs):
            return self.gathered(self._sent(self.places(crystals)), int(crystals.size))
        return self._radius(self._graphs, crystals)

    def places(self, crystals: NDArray[np.int64], atoms: int | None = None) -> NDArray[np.int64]:
        """Return where the atoms of a batch of nearest-neighbour graphs are, for :meth:`gathered`.

        Parameters
        ----------
        crystals
            Rows of the pack.
        atoms
            Pad to this number of atoms; the added atoms make one more graph, whose energy is
            meaningless.

        Returns
        -------
        ndarray of int64, shape (3, n)
            Atom in the pack, first atom of its crystal in the batch, crystal in the batch.
        """
        sizes, first, rows = _rows(self._graphs.start, crystals)
        crystal = np.repeat(np.arange(crystals.size), sizes)
        places = np.stack([rows, np.repeat(first, sizes), crystal])
        if atoms is None:
            return places
        padding = np.array([[0], [0], [crystals.size]]).repeat(atoms - rows.size, axis=1)
        return np.concatenate([places, padding], axis=1)

    def gathered(self, places: torch.Tensor, n_graphs: int) -> dict[str, Any]:
        """Return the inputs of a network for a batch of nearest-neighbour graphs.

        Parameters
        ----------
        places : Tensor of int64, shape (3, n)
            As in :meth:`places`, on the device.
        n_graphs
            Crystals in the batch, and one more where it is padded.
        """
        at, offset, graph = places.unbind()
        distance = self._packed["distance"][at]
        return {
            "numbers": self._packed["numbers"][at].long(),
            "neighbours": self._packed["neighbours"][at].long() + offset.unsqueeze(1),
            "distance": distance[:, :-1].contiguous(),
            "direction": self._packed["direction"][at].float(),
            "cutoff": distance[:, -1].contiguous(),
            "weight": self._packed["weight"][at],
            "graph": graph.contiguous(),
            "n_graphs": n_graphs,
        }

    def _radius(self, graphs: RadiusGraphs, crystals: NDArray[np.int64]) -> dict[str, Any]:
        sizes, first, rows = _rows(graphs.start, crystals)
        edge_sizes, _, edges = _rows(graphs.edge_start, crystals)
        at = self._sent(edges)
        offset = self._sent(np.repeat(first, edge_sizes))
        ends = self._packed["ends"][at].long() + offset.unsqueeze(1)
        return {
            "numbers": self._packed["numbers"][self._sent(rows)].long(),
            "centre": ends[:, 0].contiguous(),
            "neighbour": ends[:, 1].contiguous(),
            "distance": self._packed["distance"][at],
            "graph": self._sent(np.repeat(np.arange(crystals.size), sizes)),
            "n_graphs": int(crystals.size),
        }

    def _sent(self, values: NDArray[np.int64]) -> torch.Tensor:
        return torch.from_numpy(values).to(self._device, non_blocking=True)


def _rows(
    start: NDArray[np.int64], crystals: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Sizes of the chosen crystals, first row of each in the batch, rows in the pack."""
    sizes = start[crystals + 1] - start[crystals]
    first = np.cumsum(sizes) - sizes
    rows = np.repeat(start[crystals] - first, sizes) + np.arange(sizes.sum())
    return sizes, first, rows
