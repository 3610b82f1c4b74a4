"""SevenNet, on the weights that the package ``sevenn`` carries: a second opinion on the best.

Park et al., J. Chem. Theory Comput. 20, 4857 (2024). Its energies are those of PBE without
corrections: their zero is not CHGNet's, so it is a tier of its own. The whole batch is one graph.
"""

from __future__ import annotations

import hashlib
import warnings
from importlib import metadata, util
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from nucleate.energy.engine import Engine
from nucleate.energy.level import LevelOfTheory
from nucleate.energy.model import Batch, Evaluation
from nucleate.errors import InputError, MissingDependencyError
from nucleate.networks.device import check_device
from nucleate.networks.keys import Device
from nucleate.networks.memory import device_memory, keep_freed_memory

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nucleate.energy.engine import EngineContext

CHECKPOINTS = {
    "7net-0": "SevenNet_0__11Jul2024",
    "7net-l3i5": "SevenNet_l3i5",
    "7net-mf-0": "SevenNet_MF_0",
}
"""Folders of the package's checkpoints."""

_VOIGT = np.array([[0, 3, 5], [3, 1, 4], [5, 4, 2]])  # of the package's xx, yy, zz, xy, yz, zx


class SevennetSettings(Engine):
    """SevenNet, on the weights that the package ``sevenn`` carries; for re-ranking the best."""

    works: ClassVar[tuple[str, ...]] = ("park2024",)
    warms_up: ClassVar[bool] = True

    model: Literal["7net-0", "7net-l3i5", "7net-mf-0"] = Field(
        "7net-0", description="Checkpoint; 7net-l3i5 is the most accurate and the slowest."
    )
    modal: Literal["PBE", "R2SCAN"] | None = Field(
        None, description="Functional of 7net-mf-0; default PBE."
    )
    device: Device = "cpu"

    def check_present(self) -> None:
        """Look for the weights and the device; see the base."""
        _checkpoint_path(self.model)
        check_device(self.device)

    def build(self, context: EngineContext) -> SevenNet:
        """Return SevenNet as a batched model; raises as :class:`SevenNet`."""
        del context
        return SevenNet(self.model, modal=self.modal, device=self.device)


class SevenNet:
    """SevenNet in torch; see :class:`~nucleate.energy.model.BatchedModel`.

    Parameters
    ----------
    model
        ``7net-0``, ``7net-l3i5`` or ``7net-mf-0``.
    modal
        For ``7net-mf-0``: ``PBE`` (the default) or ``R2SCAN``.
    device
        A device of torch.

    Raises
    ------
    MissingDependencyError
        If ``sevenn`` is not installed or lacks the checkpoint.
    InputError
        If the model has no such modal, or there is no such device.
    """

    def __init__(self, model: str = "7net-0", *, modal: str | None = None, device: str = "cpu"):
        path = _checkpoint_path(model)
        check_device(device)
        keep_freed_memory()
        import torch
        from sevenn.checkpoint import SevenNetCheckpoint

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self._network: Any = SevenNetCheckpoint(path).build_model()
        self._network.set_is_batch_data(True)
        self._network.to(device).eval().requires_grad_(False)
        self._device = torch.device(device)
        self._modal = _modal(model, modal, self._network.modal_map)
        self.elements = frozenset(int(number) for number in self._network.type_map)
        self.cutoff = float(self._network.cutoff)
        self.composition_energies: NDArray[np.float64] | None = None
        self.batch_atoms = 80 if self._device.type == "cpu" else 4000
        self.level = LevelOfTheory(
            code="sevenn",
            version=metadata.version("sevenn"),
            model=model if self._modal is None else f"{model}/{self._modal}",
            checkpoint=hashlib.sha256(path.read_bytes()).hexdigest()[:16],
        )

    def evaluate(self, batch: Batch) -> Evaluation:
        """Return energies, forces and stresses of a batch.

        Raises
        ------
        MemoryError
            If the batch does not fit on the device.
        """
        from sevenn import _keys as key

        with device_memory():
            output = self._network(self._graph(batch))
        energies, forces, stress = (
            output[name].detach().double().cpu().numpy()
            for name in (key.PRED_TOTAL_ENERGY, key.PRED_FORCE, key.PRED_STRESS)
        )
        return Evaluation(
            energies.reshape(batch.n_crystals), forces, -stress.reshape(-1, 6)[:, _VOIGT]
        )

    def _graph(self, batch: Batch) -> Any:
        """Return the batch as one graph in the package's own form."""
        import torch
        from sevenn import _keys as key
        from sevenn.atom_graph_data import AtomGraphData

        from nucleate.networks.chgnet.graph import build_graph

        graph = build_graph(batch.cells, batch.positions, batch.start, self.cutoff, 0.0)
        ends = graph.bond_ends.astype(np.int64)
        both_ways = np.concatenate([ends, ends[:, ::-1]]).T
        vectors = np.concatenate([graph.vectors, -graph.vectors])
        sizes = np.diff(batch.start)

        def moved(array: np.ndarray, dtype: torch.dtype) -> torch.Tensor:
            return torch.tensor(array, dtype=dtype, device=self._device)

        numbers = moved(batch.numbers, torch.int64)
        data = AtomGraphData(
            x=numbers,
            edge_index=moved(both_ways, torch.int64),
            pos=moved(batch.positions, torch.float32),
        )
        data[key.ATOMIC_NUMBERS] = numbers
        data[key.EDGE_VEC] = moved(vectors, torch.float32)
        data[key.NUM_ATOMS] = moved(sizes, torch.int64)
        data[key.CELL_VOLUME] = moved(batch.volumes, torch.float32)
        data[key.BATCH] = moved(np.repeat(np.arange(batch.n_crystals), sizes), torch.int64)
        if self._modal is not None:
            data[key.DATA_MODALITY] = [self._modal] * batch.n_crystals
        return data


def _checkpoint_path(model: str) -> Path:
    spec = util.find_spec("sevenn")
    folders = [] if spec is None else list(spec.submodule_search_locations or [])
    for folder in folders:
        for path in (Path(folder) / "pretrained_potentials" / CHECKPOINTS[model]).glob("*.pth"):
            return path
    raise MissingDependencyError(
        f'the weights of {model} come with the package sevenn: pip install "nucleate[sevennet]".'
    )


def _modal(model: str, modal: str | None, known: dict[str, int] | None) -> str | None:
    if not known:
        if modal is not None:
            raise InputError(
                f"engine.modal = {modal!r}: {model} has no modals. Leave it out, or use 7net-mf-0."
            )
        return None
    chosen = modal or "PBE"
    if chosen not in known:
        raise InputError(
            f"engine.modal = {chosen!r} is none of {model}'s. Use one of {sorted(known)}."
        )
    return chosen
