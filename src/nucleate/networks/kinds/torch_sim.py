"""Any model of torch-sim (Python 3.12 and later), relaxed by nucleate's own optimiser."""

from __future__ import annotations

from hashlib import sha256
from importlib import metadata, util
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field

from nucleate.crystal.elements import MAX_NUMBER
from nucleate.energy.engine import Engine
from nucleate.energy.level import LevelOfTheory
from nucleate.energy.model import Batch, Evaluation
from nucleate.errors import InputError, MissingDependencyError
from nucleate.networks.factory import check_path, made_by_path
from nucleate.networks.keys import Cutoff, Name
from nucleate.networks.memory import device_memory

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nucleate.energy.engine import EngineContext

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
        if not (callable(model) and hasattr(model, "device") and hasattr(model, "dtype")):
            raise InputError(
                f"model = {level.model!r} gives a {type(model).__name__}, not a model of "
                "torch-sim. Correct the import path."
            )
        if not (getattr(model, "compute_forces", True) and getattr(model, "compute_stress", True)):
            raise InputError(
                f"model = {level.model!r} does not compute forces and stresses. Add "
                "compute_forces = true and compute_stress = true to its options."
            )
        self._model: Any = model
        self.level = level
        self.cutoff = cutoff
        self.elements = frozenset(range(1, MAX_NUMBER + 1))
        self.composition_energies: NDArray[np.float64] | None = None
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
        from torch_sim import SimState  # pyright: ignore[reportAttributeAccessIssue]

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


class TorchSimSettings(Engine):
    """Any model of torch-sim (Python 3.12 and later)."""

    model: Name = Field(
        description="Import path of the model's class or of a function that makes it, for example "
        "torch_sim.models.lennard_jones:LennardJonesModel."
    )
    options: dict[str, Any] = Field(
        default_factory=dict, description="Keyword arguments of the model."
    )
    cutoff: Cutoff = 6.0

    def check_present(self) -> None:
        """Look for torch-sim and the package of the model; see the base."""
        if util.find_spec("torch_sim") is None:
            raise MissingDependencyError(
                "engine.kind = 'torch-sim' needs the package torch-sim-atomistic and Python 3.12 "
                'or later: pip install "nucleate[torch-sim]".'
            )
        check_path("model", self.model, _EXAMPLE)

    def build(self, context: EngineContext) -> TorchSimModel:
        """Return the model as a batched model.

        Raises
        ------
        InputError
            If the import path names no model, or the model does not take its options.
        MissingDependencyError
            If torch-sim or the model's package is not installed.
        """
        del context
        self.check_present()
        model = made_by_path("model", self.model, self.options, _EXAMPLE)
        settings = sha256(repr(sorted(self.options.items())).encode()).hexdigest()[:12]
        version = metadata.version("torch-sim-atomistic")
        level = LevelOfTheory("torch-sim", version, self.model, settings=settings)
        return TorchSimModel(model, level, self.cutoff)
