"""The one place where results of energy models are looked at before anything uses them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from nucleate.energy.model import Evaluation
from nucleate.errors import ContractError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from nucleate.energy.model import Batch


def checked(evaluation: Evaluation, batch: Batch) -> Evaluation:
    """Return an evaluation as float64 arrays of the shapes that its batch asks for.

    Values that are not finite pass: they belong to one crystal, and the judge reports them there.

    Raises
    ------
    ContractError
        If a component is missing, complex, not numeric or of another shape. Nothing is cut or
        broadcast to fit.
    """
    n_crystals, n_atoms = batch.n_crystals, int(batch.start[-1])
    return Evaluation(
        energies=real_array("energies", getattr(evaluation, "energies", None), (n_crystals,)),
        forces=real_array("forces", getattr(evaluation, "forces", None), (n_atoms, 3)),
        stresses=real_array("stresses", getattr(evaluation, "stresses", None), (n_crystals, 3, 3)),
    )


def real_array(name: str, values: Any, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Return values as float64 of a shape; raises ContractError naming the component if not so."""
    if values is None:
        raise ContractError(f"the model returned no {name}")
    array = np.asarray(values)
    if array.dtype.kind not in "fiu":
        raise ContractError(f"the model returned {name} of type {array.dtype}, not real numbers")
    if array.shape != shape:
        raise ContractError(
            f"the model returned {name} of shape {array.shape} where {shape} is needed"
        )
    return array.astype(np.float64, copy=False)


def split(
    evaluation: Evaluation, batch: Batch
) -> Iterator[tuple[float, NDArray[np.float64], NDArray[np.float64]]]:
    """Yield energy, forces and stress of each crystal of a batch, in order."""
    for index in range(batch.n_crystals):
        atoms = slice(batch.start[index], batch.start[index + 1])
        yield (
            float(evaluation.energies[index]),
            evaluation.forces[atoms],
            evaluation.stresses[index],
        )
