"""CHGNet: level of theory, and the compiled or the torch path behind one model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nucleate.relax.batched import BatchedRelaxer
from nucleate.relax.chgnet.checkpoint import Checkpoint, load_checkpoint
from nucleate.relax.chgnet.parameters import Parameters, parameters_of
from nucleate.relax.model import Batch, Evaluation
from nucleate.relax.outcome import LevelOfTheory

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nucleate.relax.chgnet.graph import Graph
    from nucleate.relax.model import BatchedModel
    from nucleate.relax.settings import TierSettings

_ELEMENTS = frozenset(range(1, 95))


def build_relaxer(tier: TierSettings, pressure_gpa: float) -> BatchedRelaxer:
    """Return the relaxer of a tier whose engine is CHGNet."""
    engine = tier.engine
    assert engine.kind == "chgnet"
    return BatchedRelaxer(build_chgnet(engine.model, engine.device), tier, pressure_gpa)


def build_chgnet(model: str = "0.3.0", device: str = "cpu") -> BatchedModel:
    """Return CHGNet as a batched model.

    Parameters
    ----------
    model
        ``0.3.0``, ``r2scan`` or ``0.2.0``.
    device
        ``cpu``, or a CUDA device of torch.
    """
    checkpoint = load_checkpoint(model)
    return TorchChgnet(checkpoint, parameters_of(checkpoint), device)


def _level(checkpoint: Checkpoint) -> LevelOfTheory:
    return LevelOfTheory(
        code="chgnet",
        version=checkpoint.package_version,
        model=f"CHGNet-{checkpoint.model}",
        checkpoint=checkpoint.sha256,
    )


class TorchChgnet:
    """CHGNet in torch; see :class:`~nucleate.relax.model.BatchedModel`."""

    def __init__(self, checkpoint: Checkpoint, parameters: Parameters, device: str) -> None:
        from nucleate.relax.chgnet.network import Network

        self.level = _level(checkpoint)
        self.elements = _ELEMENTS
        self.cutoff = parameters.cutoff
        self.batch_atoms = 160 if device == "cpu" else 20_000
        self._short_cutoff = parameters.short_cutoff
        self._network = Network(parameters, device)

    def evaluate(self, batch: Batch) -> Evaluation:
        """Return energies, forces and stresses of a batch."""
        import torch

        from nucleate.relax.chgnet.graph import build_graph

        graph = build_graph(
            batch.cells, batch.positions, batch.start, self.cutoff, self._short_cutoff
        )
        device = self._network.device
        owner = np.repeat(np.arange(batch.n_crystals), np.diff(batch.start))
        tensors = type(graph)(
            *(
                item if isinstance(item, int) else torch.as_tensor(item, device=device)
                for item in graph
            )
        )
        try:
            energies, gradient = self._network.differentiate(
                tensors,
                torch.as_tensor(batch.numbers, device=device),
                torch.as_tensor(owner, device=device),
                tensors.vectors.float(),
            )
        except torch.OutOfMemoryError as error:
            torch.cuda.empty_cache()
            raise MemoryError(str(error)) from error
        return _evaluation(
            batch, graph, energies.double().cpu().numpy(), gradient.double().cpu().numpy()
        )


def _evaluation(
    batch: Batch, graph: Graph, energies: NDArray[np.float64], gradient: NDArray[np.float64]
) -> Evaluation:
    forces = np.zeros_like(batch.positions)
    np.add.at(forces, graph.bond_ends[:, 0], gradient)
    np.subtract.at(forces, graph.bond_ends[:, 1], gradient)
    owner = np.searchsorted(batch.start, graph.bond_ends[:, 0], side="right") - 1
    virial = np.zeros((batch.n_crystals, 3, 3))
    np.add.at(virial, owner, graph.vectors[:, :, None] * gradient[:, None, :])
    virial = 0.5 * (virial + virial.transpose(0, 2, 1))
    return Evaluation(energies, forces, virial / batch.volumes[:, None, None])
