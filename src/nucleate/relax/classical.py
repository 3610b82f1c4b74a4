"""A relaxer on a compiled classical model: each step relaxes the crystals added since."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from nucleate.clock import running_s
from nucleate.errors import InputError
from nucleate.potentials.model import Criteria, EnergyModel
from nucleate.potentials.optimiser import CONVERGED, NO_PROGRESS, RUNNING, descend
from nucleate.relax.judge import EngineFacts, Point, Step, judge
from nucleate.relax.outcome import Failed, FailReason, Outcome
from nucleate.relax.preparation import Admitted, admit
from nucleate.relax.traces import Traces
from nucleate.relax.warm_up import STEPS, loose_crystal
from nucleate.units import GPA_PER_EV_A3

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from nucleate.crystal.crystal import Crystal
    from nucleate.energy.level import LevelOfTheory
    from nucleate.potentials.source import ClassicalModel
    from nucleate.relax.settings import TierSettings

CHUNK = 64
"""Evaluations in compiled code between two looks of the judge."""

_SLOTS = 4
_NO_LIMIT = 1 << 30
_REASONS = {
    "overlap": (FailReason.COLLAPSED, "two atoms came closer than 0.5 Å"),
    "shrunk": (FailReason.COLLAPSED, "the volume fell under a third of the expected volume"),
    "exploded": (
        FailReason.EXPLODED,
        "the volume rose to more than eight times the expected volume",
    ),
    "not-finite": (FailReason.NOT_FINITE, "the energy is not finite"),
}


class ClassicalRelaxer:
    """A :class:`~nucleate.relax.relaxer.Relaxer` on a compiled model.

    A model whose energies have no unit feels no pressure. Its lengths are scaled instead: the
    crystal is relaxed as expanded to 0 GPa, and what comes of it is compressed.

    Parameters
    ----------
    model
        Force field or library, with the level of theory of its energies.
    tier
        Criteria, limits, guards and rules.
    pressure_gpa
        External pressure; not used where the energies have no unit.
    """

    def __init__(
        self,
        model: ClassicalModel,
        tier: TierSettings,
        pressure_gpa: float = 0.0,
    ) -> None:
        self._source = model.source
        self._compression = 1.0
        if model.level.unit != "eV":
            self._compression = tier.guards.compression or 1.0
            at_rest = tier.guards.model_copy(update={"compression": None})
            tier = tier.model_copy(update={"guards": at_rest})
        if model.max_depth is not None:
            bounded = tier.guards.model_copy(update={"max_depth_ev_per_atom": model.max_depth})
            tier = tier.model_copy(update={"guards": bounded})
        self._tier = tier
        self._engine = EngineFacts(
            level=model.level,
            elements=None,  # the model names the pair that it lacks
            cutoff=model.source.reach,
            pressure=pressure_gpa / GPA_PER_EV_A3 if model.level.unit == "eV" else 0.0,
            energies_are_absolute=model.composition_energies is not None,
            composition_energies=model.composition_energies,
        )
        self._waiting: list[tuple[int, Crystal, ArrayLike | None]] = []
        self._models: dict[bytes, EnergyModel] = {}
        self.traces = Traces()
        self._key = 0

    @property
    def level(self) -> LevelOfTheory:
        """Level of theory of every energy."""
        return self._engine.level

    def warm_up(self, numbers: Sequence[int]) -> None:
        """Let everything be compiled that relaxations of these atoms need; nothing is kept.

        Parameters
        ----------
        numbers
            Atomic numbers of a crystal.
        """
        whole, self._tier = self._tier, self._tier.model_copy(update={"max_steps": STEPS})
        try:
            self._outcome(loose_crystal(numbers), None)
        finally:
            self._tier = whole

    def free_slots(self) -> int:
        """Return how many more crystals can be added now."""
        return max(0, (self._tier.slots or _SLOTS) - len(self._waiting))

    def add(self, key: int, crystal: Crystal, fixed: ArrayLike | None = None) -> None:
        """Take a crystal to relax; see :meth:`nucleate.relax.relaxer.Relaxer.add`."""
        self._waiting.append((key, crystal, fixed))

    def step(self) -> list[tuple[int, Outcome]]:
        """Relax every crystal that was added and return the outcomes."""
        waiting, self._waiting = self._waiting, []
        ended: list[tuple[int, Outcome]] = []
        for self._key, crystal, fixed in waiting:
            ended.append((self._key, self._under_pressure(crystal, fixed)))
        return ended

    def _under_pressure(self, crystal: Crystal, fixed: ArrayLike | None) -> Outcome:
        if self._compression == 1.0:
            return self._outcome(crystal, fixed)
        outcome = self._outcome(_expanded(crystal, self._compression), fixed)
        return _scaled(outcome, self._compression)

    def _model_of(self, numbers: NDArray[np.int64]) -> EnergyModel:
        key = np.sort(numbers).tobytes()
        if key not in self._models:
            if len(self._models) > 64:
                self._models.clear()
            self._models[key] = self._source.model(numbers)
        return self._models[key]

    def _outcome(self, crystal: Crystal, fixed: ArrayLike | None) -> Outcome:
        started = running_s()
        admitted = admit(self._tier, crystal, self._engine, fixed)
        if isinstance(admitted, Failed):
            return admitted
        try:
            model = self._model_of(crystal.numbers)
        except InputError as error:
            return Failed(FailReason.INVALID, str(error), crystal)
        if self._tier.relax:
            return self._relaxed(model, admitted, started)
        result = model.evaluate(admitted.crystal)
        point = Point(admitted.crystal, result.energy, result.forces, result.stress)
        self.traces.note(self._key, point)
        wall_s = running_s() - started
        step = Step(point, admitted.crystal.volume, 1, 0, wall_s, stopped="")
        outcome = judge(self._tier, step, self._engine)
        assert outcome is not None
        return outcome

    def _relaxed(self, model: EnergyModel, admitted: Admitted, started: float) -> Outcome:
        """Relax in compiled chunks; the judge looks at the end of each."""
        tier, start = self._tier, admitted.crystal
        criteria = Criteria(
            tier.fmax_ev_per_ang, tier.max_stress_gpa / GPA_PER_EV_A3, max_steps=_NO_LIMIT
        )
        descent, near, order = model.start_descent(start, admitted.free)
        limits = model.limits(start, criteria, tier.guards.compression or 1.0)
        move_cell = tier.relax_cell and admitted.free is None
        chunk = 1
        while True:
            status, near = descend(
                descent, near, model.tables, self._engine.pressure, move_cell, limits, chunk
            )
            longest = 2 * chunk if self.traces.wants(self._key) else CHUNK
            chunk = min(CHUNK, longest, max(tier.max_steps - descent.evaluations, 1))
            end = model.minimum(start, descent, order, status)
            wall_s = running_s() - started
            if end.failure:
                reason, message = _REASONS[end.failure]
                return Failed(reason, f"{message} after {end.steps} steps", end.crystal, wall_s)
            evaluation = end.evaluation
            point = Point(end.crystal, evaluation.energy, evaluation.forces, evaluation.stress)
            self.traces.note(self._key, point)
            step = Step(
                point,
                start_volume=start.volume,
                evaluations=end.evaluations,
                steps=end.steps,
                wall_s=wall_s,
                stopped=_STOPPED[status],
                relax_cell=move_cell,
                free=admitted.free,
            )
            outcome = judge(tier, step, self._engine)
            if outcome is not None:
                return outcome


def _expanded(crystal: Crystal, compression: float) -> Crystal:
    """Return a crystal at the volume for which the proxy potentials are made."""
    if crystal.n_atoms == 0 or not crystal.volume > 0.0:
        return crystal  # the judge says what is wrong with it
    return crystal.with_volume(crystal.volume / compression)


def _scaled(outcome: Outcome, compression: float) -> Outcome:
    """Return an outcome with all lengths scaled; energies stay, forces and stresses grow."""
    stretch = compression ** (1.0 / 3.0)
    if isinstance(outcome, Failed):
        last = outcome.last
        if last is None or not last.volume > 0.0:
            return outcome
        return replace(outcome, last=last.with_volume(last.volume * compression))
    return replace(
        outcome,
        crystal=outcome.crystal.with_volume(outcome.crystal.volume * compression),
        forces=outcome.forces / stretch,
        stress_gpa=outcome.stress_gpa / compression,
        max_force=outcome.max_force / stretch,
        max_stress_gpa=outcome.max_stress_gpa / compression,
    )


_STOPPED = {RUNNING: None, CONVERGED: "", NO_PROGRESS: "no step along the forces lowers the energy"}
