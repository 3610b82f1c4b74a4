"""Formation energies of crystals by a trained graph network."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from nucleate.errors import InputError
from nucleate.networks.device import check_device
from nucleate.networks.graph_network.checkpoint import SHIPPED, Checkpoint, load_checkpoint
from nucleate.networks.graph_network.graphs import build_graphs
from nucleate.threads import one_torch_thread

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from nucleate.crystal.crystal import Crystal
    from nucleate.networks.graph_network.graphs import Graphs

BATCH_ATOMS = 600


@dataclass(frozen=True, slots=True, eq=False)
class Gradients:
    """Energies with their derivatives.

    Attributes
    ----------
    energies_ev_per_atom : ndarray of float64, shape (n_crystals,)
        Formation energies.
    forces : tuple of ndarray of float64, each of shape (n_atoms, 3)
        Negative gradients of the energy of the cell, eV/Å.
    stresses : ndarray of float64, shape (n_crystals, 3, 3)
        Derivatives of the energy of the cell by strain, over its volume, eV/Å³ (tension
        positive, as in ASE).
    """

    energies_ev_per_atom: NDArray[np.float64]
    forces: tuple[NDArray[np.float64], ...]
    stresses: NDArray[np.float64]


class GraphNetwork:
    """A trained graph network (the mean of its members, where there are several).

    Parameters
    ----------
    checkpoint : Checkpoint
        Weights.
    device : str
        ``cpu`` or ``cuda``.

    Raises
    ------
    InputError
        If there is no such device.

    Examples
    --------
    >>> network = GraphNetwork.load()  # doctest: +SKIP
    >>> network.energies([crystal])  # doctest: +SKIP
    array([-3.14])
    """

    def __init__(self, checkpoint: Checkpoint, *, device: str = "cpu") -> None:
        check_device(device)
        self.checkpoint = checkpoint
        self.settings = checkpoint.settings
        self.device = device
        self._members = [network.to(device) for network in checkpoint.networks()]
        for member in self._members:
            member.requires_grad_(requires_grad=False)

    @classmethod
    def load(cls, source: str | Path = SHIPPED, *, device: str = "cpu") -> GraphNetwork:
        """Load a shipped checkpoint by name, or any by path."""
        return cls(load_checkpoint(source), device=device)

    def first(self) -> GraphNetwork:
        """Return the first member alone, which is less accurate and costs less."""
        alone = replace(self.checkpoint, members=self.checkpoint.members[:1])
        return GraphNetwork(alone, device=self.device)

    def unknown_elements(self, numbers: NDArray[np.int64]) -> list[int]:
        """Return the atomic numbers that the network has never seen, in order."""
        return sorted({int(z) for z in numbers} - set(self.checkpoint.elements))

    def energies(self, crystals: Sequence[Crystal]) -> NDArray[np.float64]:
        """Return formation energies in eV/atom, shape (n_crystals,).

        Raises
        ------
        InputError
            If a crystal holds an element that the network has never seen.
        """
        self._check(crystals)
        return self.graph_energies(build_graphs(crystals, self.settings))

    def graph_energies(self, graphs: Graphs) -> NDArray[np.float64]:
        """Return formation energies of packed graphs in eV/atom, shape (n_crystals,)."""
        import torch

        from nucleate.networks.graph_network.batching import Batcher

        energies = np.empty(len(graphs))
        batcher = Batcher(graphs, self.device)
        with torch.no_grad(), one_torch_thread():
            for batch in _batches(np.diff(graphs.start)):
                inputs = batcher.take(batch)
                total = sum(member(**inputs).double() for member in self._members)
                energies[batch] = (total / len(self._members)).cpu().numpy()  # type: ignore[union-attr]
        return energies

    def gradients(self, crystals: Sequence[Crystal]) -> Gradients:
        """Return formation energies with forces and stresses.

        The energy is continuous; where the first neighbour left out changes, forces of the
        harmonic network may jump.
        """
        from nucleate.networks.graph_network.differentiable import differentiable_batch

        self._check(crystals)
        sizes = np.array([crystal.n_atoms for crystal in crystals])
        energies = np.empty(sizes.size)
        stresses = np.empty((sizes.size, 3, 3))
        forces: list[NDArray[np.float64]] = [np.empty((0, 3))] * sizes.size
        for batch in _batches(sizes):
            chosen = [crystals[number] for number in batch]
            with one_torch_thread():
                leaves = differentiable_batch(chosen, self.settings)
                inputs = self._moved(leaves.inputs)
                per_atom = sum(member(**inputs) for member in self._members) / len(self._members)
                counts = leaves.positions.new_tensor(sizes[batch]).to(self.device)
                force, virial = _derivatives(per_atom * counts, leaves)
            energies[batch] = per_atom.detach().double().cpu().numpy()  # type: ignore[union-attr]
            volumes = np.array([crystal.volume for crystal in chosen])
            stresses[batch] = virial / volumes[:, None, None]
            for number, part in zip(
                batch, np.split(force, np.cumsum(sizes[batch])[:-1]), strict=True
            ):
                forces[number] = part
        return Gradients(energies, tuple(forces), stresses)

    def _check(self, crystals: Sequence[Crystal]) -> None:
        if not crystals:
            return
        unknown = self.unknown_elements(np.concatenate([c.numbers for c in crystals]))
        if unknown:
            from nucleate.crystal.elements import symbols_of

            names = ", ".join(symbols_of(unknown))
            raise InputError(
                f"the graph network has never seen {names}; use another generator "
                "(blocks or symmetric) or train a network on data that holds them"
            )

    def _moved(self, inputs: dict[str, Any]) -> dict[str, Any]:
        if self.device == "cpu":
            return inputs
        return {
            key: value if isinstance(value, int) else value.to(self.device)
            for key, value in inputs.items()
        }


def _derivatives(total: Any, leaves: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    import torch

    by_position, by_strain = torch.autograd.grad(total.sum(), [leaves.positions, leaves.strain])
    return -by_position.double().numpy(), by_strain.double().numpy()


def _batches(sizes: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    """Yield crystals in batches of at most `BATCH_ATOMS` atoms (one crystal at least)."""
    first, atoms = 0, 0
    for number, size in enumerate(sizes):
        if atoms and atoms + size > BATCH_ATOMS:
            yield np.arange(first, number)
            first, atoms = number, 0
        atoms += int(size)
    if first < len(sizes):
        yield np.arange(first, len(sizes))
