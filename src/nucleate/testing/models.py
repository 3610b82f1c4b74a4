"""The check of an energy model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from nucleate.energy.engine import Engine, EngineContext
from nucleate.energy.level import LevelOfTheory
from nucleate.energy.model import Batch
from nucleate.energy.results import checked, split
from nucleate.errors import InputError
from nucleate.networks.given import GivenSettings
from nucleate.potentials.source import ClassicalModel
from nucleate.testing.common import component_from, name_of, random_crystals, require, space_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from nucleate.crystal.crystal import Crystal

BATCH_TOLERANCE = 1e-6
"""eV/atom by which the result of a crystal may depend on the others of its batch."""


@dataclass(frozen=True, slots=True, eq=False)
class _Result:
    energy: float
    forces: NDArray[np.float64]
    stress: NDArray[np.float64]


def check_model(
    model: Any,
    formula: str = "NaCl",
    *,
    max_atoms: int = 8,
    crystals: Sequence[Crystal] | None = None,
    step: float = 1e-3,
    tolerance: float = 1e-3,
    seed: int = 0,
) -> None:
    """Check that an energy model keeps its contract.

    Shapes and level of theory; the same result for the same crystal alone and in a batch, after a
    permutation of the atoms (forces permuted identically), and after a shift of all of them; forces
    that are minus the derivative of the energy by the positions, and a stress that is the one by
    the strain over the volume, both by central differences along random directions.

    Parameters
    ----------
    model
        Kind, component or its class, a batched model, or an ASE calculator.
    formula, max_atoms
        Random crystals of this space are evaluated.
    crystals
        Crystals to evaluate in their place, at least two.
    step
        Å, of the differences. Models in single precision need about 0.02.
    tolerance
        Largest deviation of a derivative relative to the largest component, and in eV/Å (forces)
        or eV/Å per area (stress) where that is below 1.
    seed
        Of the random numbers.

    Raises
    ------
    ContractError
        With what is broken.
    InputError
        If it is not a model.
    """
    given = component_from(model, "models")
    name = name_of(given)
    evaluate = _Evaluator(given, name)
    tested = list(crystals or random_crystals(space_of(formula, max_atoms), 3, seed=seed))
    results = evaluate(tested)
    rng = np.random.default_rng(seed)
    for crystal, result in zip(tested, results, strict=True):
        finite = np.isfinite([result.energy, *result.forces.flat, *result.stress.flat]).all()
        require(bool(finite), name, f"gave numbers that are not finite for {crystal.formula}")
        _check_symmetries(evaluate, crystal, result, rng)
        _check_forces(evaluate, crystal, result, step, tolerance, rng)
        _check_stress(evaluate, crystal, result, step, tolerance, rng)
    _check_batch(evaluate, tested, results)


class _Evaluator:
    """Evaluates crystals by any kind of model."""

    def __init__(self, given: Any, name: str) -> None:
        self.name = name
        engine = given if isinstance(given, Engine) else GivenSettings.of(given)
        self._model = engine.build(EngineContext())
        level = getattr(self._model, "level", None)
        require(isinstance(level, LevelOfTheory), name, "has no level of theory")
        if isinstance(self._model, ClassicalModel):
            return
        for attribute in ("evaluate", "elements", "cutoff"):
            require(hasattr(self._model, attribute), name, f"has no {attribute}")
        require(self._model.cutoff > 0, name, "has no positive cutoff")

    def __call__(self, crystals: Sequence[Crystal]) -> list[_Result]:
        if isinstance(self._model, ClassicalModel):
            single = [self._model.source.model(c.numbers).evaluate(c) for c in crystals]
            return [_Result(e.energy, e.forces, e.stress) for e in single]
        unknown = {int(n) for c in crystals for n in c.numbers} - set(self._model.elements)
        if unknown:
            raise InputError(f"{self.name} does not know the elements {sorted(unknown)}.")
        batch = Batch.of(crystals)
        return [
            _Result(*parts) for parts in split(checked(self._model.evaluate(batch), batch), batch)
        ]


def _check_symmetries(
    evaluate: _Evaluator, crystal: Crystal, result: _Result, rng: np.random.Generator
) -> None:
    limit = BATCH_TOLERANCE * crystal.n_atoms
    order = rng.permutation(crystal.n_atoms)
    turned = crystal.replace(numbers=crystal.numbers[order], scaled=crystal.scaled[order])
    shifted = crystal.replace(scaled=crystal.scaled + rng.random(3))
    again, permuted, moved = evaluate([crystal, turned, shifted])
    scale = max(1.0, float(np.abs(result.forces).max()))
    for other, what in ((again, "again"), (permuted, "in another order"), (moved, "shifted")):
        close = abs(other.energy - result.energy) <= 10 * limit
        require(close, evaluate.name, f"gives another energy for {crystal.formula} {what}")
    close = np.allclose(permuted.forces, result.forces[order], atol=1e-4 * scale)
    require(close, evaluate.name, "does not permute the forces with the atoms")


def _check_forces(
    evaluate: _Evaluator,
    crystal: Crystal,
    result: _Result,
    step: float,
    tolerance: float,
    rng: np.random.Generator,
) -> None:
    scale = max(1.0, float(np.abs(result.forces).max()))
    for _ in range(3):
        direction = rng.normal(size=crystal.scaled.shape)
        direction /= np.linalg.norm(direction)
        change = step * direction @ np.linalg.inv(crystal.cell)
        ends = evaluate([crystal.replace(scaled=crystal.scaled + s * change) for s in (1, -1)])
        slope = (ends[0].energy - ends[1].energy) / (2 * step)
        expected = -float((result.forces * direction).sum())
        require(
            abs(slope - expected) <= tolerance * scale,
            evaluate.name,
            f"has forces that are not minus the derivative of the energy of {crystal.formula}: "
            f"{expected:.6f} eV/Å along a direction in which the energy has the slope {slope:.6f}",
        )


def _check_stress(
    evaluate: _Evaluator,
    crystal: Crystal,
    result: _Result,
    step: float,
    tolerance: float,
    rng: np.random.Generator,
) -> None:
    symmetric = np.allclose(result.stress, result.stress.T, atol=1e-4)
    require(symmetric, evaluate.name, "has a stress that is not symmetric")
    length = crystal.volume ** (1 / 3)
    virial = result.stress * crystal.volume / length  # eV/Å
    scale = max(1.0, float(np.abs(virial).max()))
    for _ in range(3):
        strain = rng.normal(size=(3, 3))
        strain = (strain + strain.T) / np.linalg.norm(strain + strain.T)
        ends = evaluate(
            [
                crystal.replace(cell=crystal.cell @ (np.eye(3) + s * step / length * strain))
                for s in (1, -1)
            ]
        )
        slope = (ends[0].energy - ends[1].energy) / (2 * step)
        expected = float((virial * strain).sum())
        require(
            abs(slope - expected) <= tolerance * scale,
            evaluate.name,
            f"has a stress that is not the derivative of the energy of {crystal.formula} by the "
            f"strain over the volume: {expected / length**2:.6f} eV/Å³ along a strain in which "
            f"the energy gives {slope / length**2:.6f} (tension is positive)",
        )


def _check_batch(
    evaluate: _Evaluator, crystals: Sequence[Crystal], results: Sequence[_Result]
) -> None:
    """Compare each crystal of the batch with the same alone."""
    for crystal, together in zip(crystals, results, strict=True):
        (alone,) = evaluate([crystal])
        difference = abs(alone.energy - together.energy) / crystal.n_atoms
        require(
            difference <= BATCH_TOLERANCE,
            evaluate.name,
            f"gives {crystal.formula} another energy in a batch than alone: "
            f"{difference:.2g} eV/atom",
        )
        scale = max(1.0, float(np.abs(alone.forces).max()))
        close = np.allclose(alone.forces, together.forces, atol=1e-4 * scale)
        require(close, evaluate.name, "gives other forces in a batch than alone")
        close = np.allclose(alone.stress, together.stress, atol=1e-4)
        require(close, evaluate.name, "gives another stress in a batch than alone")
