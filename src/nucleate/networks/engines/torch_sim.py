"""Any model of torch-sim (Python 3.12 and later), relaxed by nucleate's own optimiser."""

from __future__ import annotations

from hashlib import sha256
from importlib import metadata, util
from typing import TYPE_CHECKING, Any

import numpy as np

from nucleate.crystal.elements import MAX_NUMBER
from nucleate.energy.level import LevelOfTheory
from nucleate.energy.model import Batch, Evaluation
from nucleate.errors import InputError, MissingDependencyError
from nucleate.networks.engines.factory import made_by_path
from nucleate.networks.memory import device_memory
from nucleate.relax.batched import BatchedRelaxer

if TYPE_CHECKING:
    from nucleate.relax.settings import TierSettings

_EXAMPLE = "torch_sim.models.lennard_jones:LennardJonesModel"


class TorchSimModel:
    """A :class:`~nucleate.energy.model.BatchedModel` on top of a torch-sim model.

    Parameters
    ----------
    model
        A ``torch_sim.models.interface.ModelInterface`` that computes forces and stresses.
    level
        Written beside every energy.
    cutoff
        Å; an atom without a neighbour within it is refused beforehand.
    """

    def __init__(self, model: Any, level: LevelOfTheory, cutoff: float) -> None:
        if not (getattr(model, "compute_forces", True) and getattr(model, "compute_stress", True)):
            raise InputError(
                f"model = {level.model!r} does not compute forces and stresses. Add "
                "compute_forces = true and compute_stress = true to its options."
            )
        self._model = model
        self.level = level
        self.cutoff = cutoff
        self.elements = frozenset(range(1, MAX_NUMBER + 1))
        self.composition_energies = None
        self.batch_atoms = 80 if model.device.type == "cpu" else 4000

    def evaluate(self, batch: Batch) -> Evaluation:
        """Return energies, forces and stresses of a batch.

        Raises
        ------
        MemoryError
            If the batch does not fit on the device.
        """
        with device_memory():
            results = self._model(self._state(batch))
        energies, forces, stresses = (
            results[name].detach().double().cpu().numpy() for name in ("energy", "forces", "stress")
        )
        return Evaluation(energies.reshape(batch.n_crystals), forces, stresses)

    def _state(self, batch: Batch) -> Any:
        import torch
        from torch_sim import SimState

        def moved(array: np.ndarray, dtype: torch.dtype) -> torch.Tensor:
            return torch.tensor(array, dtype=dtype, device=self._model.device)

        dtype = self._model.dtype
        owner = np.repeat(np.arange(batch.n_crystals), np.diff(batch.start))
        return SimState(
            positions=moved(batch.positions, dtype),
            masses=moved(np.ones(batch.numbers.size), dtype),
            cell=moved(batch.cells.transpose(0, 2, 1), dtype),  # columns are lattice vectors there
            pbc=True,
            atomic_numbers=moved(batch.numbers, torch.int64),
            system_idx=moved(owner, torch.int64),
        )


def build_relaxer(tier: TierSettings, pressure_gpa: float) -> BatchedRelaxer:
    """Return the relaxer of a tier whose engine is a torch-sim model.

    Raises
    ------
    InputError
        If the import path names nothing, or the model does not take its options.
    MissingDependencyError
        If torch-sim or the model's package is not installed.
    """
    engine = tier.engine
    assert engine.kind == "torch-sim"
    if util.find_spec("torch_sim") is None:
        raise MissingDependencyError(
            "engine.kind = 'torch-sim' needs the package torch-sim-atomistic and Python 3.12 or "
            'later: pip install "nucleate[torch-sim]".'
        )
    model = made_by_path("model", engine.model, engine.options, _EXAMPLE)
    settings = sha256(repr(sorted(engine.options.items())).encode()).hexdigest()[:12]
    version = metadata.version("torch-sim-atomistic")
    level = LevelOfTheory("torch-sim", version, engine.model, settings=settings)
    return BatchedRelaxer(TorchSimModel(model, level, engine.cutoff), tier, pressure_gpa)
