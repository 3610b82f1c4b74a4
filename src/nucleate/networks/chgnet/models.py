"""CHGNet: its level of theory, and the compiled or the torch path behind one model."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np

from nucleate.energy.level import LevelOfTheory
from nucleate.energy.model import Batch, Evaluation
from nucleate.errors import MissingDependencyError
from nucleate.networks.chgnet.checkpoint import Checkpoint, load_checkpoint
from nucleate.networks.chgnet.parameters import Parameters, parameters_of
from nucleate.networks.device import check_device
from nucleate.networks.memory import device_memory, keep_freed_memory

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nucleate.energy.model import BatchedModel
    from nucleate.networks.chgnet.graph import Graph
    from nucleate.networks.chgnet.network import Network

_ELEMENTS = frozenset(range(1, 95))


def build_chgnet(
    model: str = "0.3.0", device: str = "cpu", *, fuse: bool | None = None
) -> BatchedModel:
    """Return CHGNet as a batched model.

    Parameters
    ----------
    model
        ``0.3.0``, ``r2scan`` or ``0.2.0``.
    device
        ``cpu`` is the compiled path; a CUDA device of torch, or ``torch-cpu``, the torch path.
    fuse
        Run the torch path in dedicated triton kernels; see
        :class:`~nucleate.networks.chgnet.fused.FusedNetwork`. By default where that is possible.

    Raises
    ------
    InputError
        If there is no such device.
    """
    compiled, device = device == "cpu", device.removeprefix("torch-")
    if not compiled:
        check_device(device)
    checkpoint = load_checkpoint(model)
    parameters = parameters_of(checkpoint)
    if compiled:
        return CompiledChgnet(checkpoint, parameters)
    fuse = can_fuse(device) if fuse is None else fuse
    return TorchChgnet(checkpoint, parameters, device, fuse=fuse)


def can_fuse(device: str) -> bool:
    """Return whether a device of torch is an NVIDIA GPU from Ampere on, and triton installed."""
    import torch

    if device == "cpu" or torch.version.cuda is None or find_spec("triton") is None:
        return False
    return torch.cuda.get_device_capability(device) >= (8, 0)


def _level(checkpoint: Checkpoint) -> LevelOfTheory:
    return LevelOfTheory(
        code="chgnet",
        version=checkpoint.package_version,
        model=f"CHGNet-{checkpoint.model}",
        checkpoint=checkpoint.sha256,
    )


class CompiledChgnet:
    """CHGNet compiled for one core; see :class:`~nucleate.energy.model.BatchedModel`."""

    def __init__(self, checkpoint: Checkpoint, parameters: Parameters) -> None:
        from nucleate.networks.chgnet.compiled import Evaluator

        keep_freed_memory()
        self.level = _level(checkpoint)
        self.elements = _ELEMENTS
        self.cutoff = parameters.cutoff
        self.composition_energies: NDArray[np.float64] | None = np.asarray(
            parameters.atom_energy, dtype=np.float64
        )
        self.batch_atoms = 80
        self._evaluator = Evaluator(parameters)
        self._compile()

    def evaluate(self, batch: Batch) -> Evaluation:
        """Return energies, forces and stresses of a batch."""
        energies = np.empty(batch.n_crystals)
        forces = np.empty_like(batch.positions)
        virials = np.empty((batch.n_crystals, 3, 3))
        for k in range(batch.n_crystals):
            atoms = slice(batch.start[k], batch.start[k + 1])
            energies[k], forces[atoms], virials[k] = self._evaluator.evaluate(
                batch.numbers[atoms], batch.positions[atoms], batch.cells[k]
            )
        return Evaluation(energies, forces, virials / batch.volumes[:, None, None])

    def _compile(self) -> None:
        """Evaluate diamond once: what the first evaluation ever compiles is kept on disk."""
        half = 3.567 / 2.0
        cell = np.array([[0.0, half, half], [half, 0.0, half], [half, half, 0.0]])
        positions = np.array([[0.0] * 3, [half / 2.0] * 3])
        self._evaluator.evaluate(np.array([6, 6]), positions, cell)


class TorchChgnet:
    """CHGNet in torch; see :class:`~nucleate.energy.model.BatchedModel`."""

    def __init__(
        self, checkpoint: Checkpoint, parameters: Parameters, device: str, *, fuse: bool
    ) -> None:
        from nucleate.networks.chgnet.network import Network

        keep_freed_memory()
        self.level = _level(checkpoint)
        self.elements = _ELEMENTS
        self.cutoff = parameters.cutoff
        self.composition_energies: NDArray[np.float64] | None = np.asarray(
            parameters.atom_energy, dtype=np.float64
        )
        self.batch_atoms = 160 if device == "cpu" else 5_000
        self._short_cutoff = parameters.short_cutoff
        self._network = _fused(parameters, device) if fuse else Network(parameters, device)

    def evaluate(self, batch: Batch) -> Evaluation:
        """Return energies, forces and stresses of a batch.

        Raises
        ------
        MemoryError
            If the batch does not fit on the device.
        """
        graph, owner = self._graph(batch), self._owner(batch)
        with device_memory():
            energies, forces, virials = self._network.evaluate(
                graph, batch.numbers, owner, batch.n_crystals
            )
        return Evaluation(
            energies.cpu().numpy(),
            forces.cpu().numpy(),
            virials.cpu().numpy() / batch.volumes[:, None, None],
        )

    def _graph(self, batch: Batch) -> Graph:
        from nucleate.networks.chgnet.graph import build_graph

        return build_graph(
            batch.cells, batch.positions, batch.start, self.cutoff, self._short_cutoff
        )

    @staticmethod
    def _owner(batch: Batch) -> NDArray[np.int64]:
        return np.repeat(np.arange(batch.n_crystals), np.diff(batch.start))


def _fused(parameters: Parameters, device: str) -> Network:
    try:
        from nucleate.networks.chgnet.fused import FusedNetwork
    except ModuleNotFoundError as error:
        raise MissingDependencyError(
            "engine.fuse = true needs triton, which is installed together with torch for CUDA "
            "on Linux: pip install triton, or leave fuse out"
        ) from error
    return FusedNetwork(parameters, device)
