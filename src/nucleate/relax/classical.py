"""A relaxer on a compiled classical model: each step relaxes the crystals added since."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from nucleate.energy.model import GPA_PER_EV_A3
from nucleate.errors import InputError
from nucleate.potentials.model import Criteria, EnergyModel, Evaluation, Minimum
from nucleate.relax.guards import refusal
from nucleate.relax.outcome import Failed, FailReason, Outcome, Relaxed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from nucleate.crystal.crystal import Crystal
    from nucleate.energy.level import LevelOfTheory
    from nucleate.relax.settings import TierSettings

_SLOTS = 4
_REASONS = {
    "overlap": FailReason.COLLAPSED,
    "shrunk": FailReason.COLLAPSED,
    "exploded": FailReason.EXPLODED,
    "not-finite": FailReason.NOT_FINITE,
}
_MESSAGES = {
    "overlap": "two atoms came closer than 0.5 Å",
    "shrunk": "the volume fell under a third of the expected volume",
    "exploded": "the volume rose to more than eight times the expected volume",
    "not-finite": "the energy is not finite",
}


class ModelSource(Protocol):
    """A force field or a library: makes the model of a set of elements."""

    @property
    def reach(self) -> float:
        """Distance in Å beyond which an atom counts as isolated."""
        ...

    def model(self, numbers: Iterable[int]) -> EnergyModel:
        """Return the model; raises `InputError` where the elements are not covered."""
        ...


@dataclass(frozen=True, slots=True)
class ClassicalOptions:
    """What a tier wants of a classical relaxation; see ``TierSettings``."""

    criteria: Criteria
    relax: bool
    relax_cell: bool
    slots: int


class ClassicalRelaxer:
    """A :class:`~nucleate.relax.relaxer.Relaxer` on a compiled model.

    Parameters
    ----------
    source
        Force field or library.
    level
        Level of theory of its energies.
    options
        Criteria and limits.
    pressure_gpa
        External pressure; zero for proxy potentials, whose energies have no unit.
    """

    def __init__(
        self,
        source: ModelSource,
        level: LevelOfTheory,
        options: ClassicalOptions,
        pressure_gpa: float = 0.0,
    ) -> None:
        self._source = source
        self._level = level
        self._options = options
        self._pressure = pressure_gpa / GPA_PER_EV_A3
        self._waiting: list[tuple[int, Crystal]] = []
        self._models: dict[bytes, EnergyModel] = {}

    @property
    def level(self) -> LevelOfTheory:
        """Level of theory of every energy."""
        return self._level

    def free_slots(self) -> int:
        """Return how many more crystals can be added now."""
        return max(0, self._options.slots - len(self._waiting))

    def add(self, key: int, crystal: Crystal) -> None:
        """Take a crystal to relax; its outcome comes back from :meth:`step` under ``key``."""
        self._waiting.append((key, crystal))

    def step(self) -> list[tuple[int, Outcome]]:
        """Relax every crystal that was added and return the outcomes."""
        waiting, self._waiting = self._waiting, []
        return [(key, self._outcome(crystal)) for key, crystal in waiting]

    def observe(self, best_enthalpy_per_atom: float) -> None:
        """Do nothing: these relaxations are too short for racing rules."""

    def _model_of(self, numbers: NDArray[np.int64]) -> EnergyModel:
        key = np.sort(numbers).tobytes()
        if key not in self._models:
            if len(self._models) > 64:
                self._models.clear()
            self._models[key] = self._source.model(numbers)
        return self._models[key]

    def _outcome(self, crystal: Crystal) -> Outcome:
        started = time.perf_counter()
        known = frozenset(crystal.numbers.tolist())  # the model names the pair that it lacks
        refused = refusal(crystal, elements=known, cutoff=self._source.reach, max_atoms=None)
        if refused:
            return refused
        try:
            model = self._model_of(crystal.numbers)
        except InputError as error:
            return Failed(FailReason.INVALID, str(error), crystal)
        if self._options.relax:
            end = model.relax(
                crystal,
                self._options.criteria,
                pressure=self._pressure,
                move_cell=self._options.relax_cell,
            )
        else:
            end = Minimum(crystal, model.evaluate(crystal), True, "", 0, 1)
        wall_s = time.perf_counter() - started
        if end.failure:
            message = f"{_MESSAGES[end.failure]} after {end.steps} steps"
            return Failed(_REASONS[end.failure], message, end.crystal, wall_s)
        return self._relaxed(end, wall_s)

    def _relaxed(self, end: Minimum, wall_s: float) -> Outcome:
        result: Evaluation = end.evaluation
        stress = result.stress * GPA_PER_EV_A3
        left = stress + self._pressure * GPA_PER_EV_A3 * np.eye(3)
        if not np.isfinite(result.energy):
            return Failed(FailReason.NOT_FINITE, _MESSAGES["not-finite"], end.crystal, wall_s)
        return Relaxed(
            crystal=end.crystal,
            energy=float(result.energy),
            enthalpy=float(result.energy + self._pressure * end.crystal.volume),
            forces=result.forces,
            stress_gpa=stress,
            max_force=float(np.linalg.norm(result.forces, axis=1).max()),
            max_stress_gpa=float(np.abs(left).max()),
            converged=end.converged,
            steps=end.steps,
            evaluations=end.evaluations,
            wall_s=wall_s,
            level=self._level,
            note="" if end.converged else "not converged within the limit of steps",
        )


def options_of(tier: TierSettings, *, tight: bool) -> ClassicalOptions:
    """Return the options of a tier.

    Parameters
    ----------
    tier
        Its settings.
    tight
        Relax to 1e-4 eV/Å at least (force fields cost little); otherwise as far as the tier says.
    """
    fmax = min(tier.fmax, 1e-4) if tight else tier.fmax
    stress = 2e-6 if tight else tier.max_stress_gpa / GPA_PER_EV_A3
    criteria = Criteria(
        fmax=fmax,
        max_stress=stress,
        rms_gradient=0.0 if tight else 0.1,
        max_steps=max(tier.max_steps, 2000),
    )
    return ClassicalOptions(criteria, tier.relax, tier.relax_cell, tier.slots or _SLOTS)
