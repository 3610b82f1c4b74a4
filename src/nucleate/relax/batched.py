"""Relax many crystals at once with one model; finished ones leave, new ones take their place."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from nucleate.clock import running_s
from nucleate.crystal.crystal import Crystal
from nucleate.energy.minimiser import State, advance, start_minimisation
from nucleate.energy.model import BATCH_ATOMS, Batch, BatchedModel
from nucleate.energy.results import checked, split
from nucleate.errors import ContractError
from nucleate.faults import blamed, described
from nucleate.relax.judge import EngineFacts, Point, Step, check_proposal, judge
from nucleate.relax.outcome import Failed, FailReason, Outcome
from nucleate.relax.preparation import admit
from nucleate.relax.traces import Traces
from nucleate.relax.unfinished import Plain, plain, restored
from nucleate.relax.warm_up import STEPS, Springs, loose_crystal
from nucleate.trouble import machine_trouble
from nucleate.units import GPA_PER_EV_A3

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from nucleate.energy.level import LevelOfTheory
    from nucleate.relax.settings import TierSettings
    from nucleate.relax.symmetry import SymmetryConstraint

_TYPICAL_ATOMS = 20

SETTLING_GPA = 1.0
"""Above this pressure the cell of a start stays until its atoms have settled: else it collapses
around atoms that still lie on top of each other."""

SETTLED_FORCE, SETTLING_EVALUATIONS = 0.5, 30
"""eV/Å at which atoms have settled, and evaluations after which the cell moves in any case."""

_IDENTITY = np.eye(3)


@dataclass(slots=True, eq=False)
class _Flight:
    """One crystal on its way."""

    key: int
    crystal: Crystal
    state: State
    start_volume: float
    constraint: SymmetryConstraint | None
    free: NDArray[np.bool_] | None
    move_cell: bool
    settles: bool = False
    steps_settling: int = 0
    evaluations: int = 0
    wall_s: float = 0.0
    best: Point | None = None


class BatchedRelaxer:
    """A :class:`~nucleate.relax.relaxer.Relaxer` on top of a batched model.

    Each call of :meth:`step` is one evaluation of every crystal in flight.

    Parameters
    ----------
    model
        Energies, forces and stresses.
    tier
        Tolerances, limits, guards and rules.
    pressure_gpa
        External pressure.
    """

    def __init__(self, model: BatchedModel, tier: TierSettings, pressure_gpa: float = 0.0) -> None:
        self._model = model
        self._tier = tier
        self._engine = EngineFacts(
            level=model.level,
            elements=model.elements,
            cutoff=model.cutoff,
            pressure=pressure_gpa / GPA_PER_EV_A3,
            composition_energies=getattr(model, "composition_energies", None),
        )
        self._batch_atoms = int(getattr(model, "batch_atoms", BATCH_ATOMS))
        self._flights: list[_Flight] = []
        self.traces = Traces()
        self._ended: list[tuple[int, Outcome]] = []

    @property
    def level(self) -> LevelOfTheory:
        """Level of theory of every energy."""
        return self._model.level

    def warm_up(self, numbers: Sequence[int]) -> None:
        """Let everything be compiled that relaxations of these atoms need; nothing is kept.

        The model itself is evaluated only where its engine says so.

        Parameters
        ----------
        numbers
            Atomic numbers of a crystal.
        """
        model = self._model
        if not getattr(self._tier.engine, "warms_up", False):
            model = Springs(self._model.level)
        tier = self._tier.model_copy(update={"max_steps": STEPS})
        other = BatchedRelaxer(model, tier, self._engine.pressure * GPA_PER_EV_A3)
        other.add(0, loose_crystal(numbers))
        while other._flights:
            other.step()

    def free_slots(self) -> int:
        """Return how many more crystals fit beside those in flight."""
        in_flight = len(self._flights)
        if self._tier.slots is not None:
            return max(0, self._tier.slots - in_flight)
        atoms = sum(flight.crystal.n_atoms for flight in self._flights)
        typical = atoms / in_flight if in_flight else _TYPICAL_ATOMS
        return max(1 - in_flight, int((self._batch_atoms - atoms) / typical), 0)

    def add(self, key: int, crystal: Crystal, fixed: ArrayLike | None = None) -> None:
        """Take a crystal to relax; see :meth:`nucleate.relax.relaxer.Relaxer.add`."""
        started = running_s()
        admitted = admit(self._tier, crystal, self._engine, fixed)
        if isinstance(admitted, Failed):
            self._ended.append((key, admitted))
            return
        crystal, free = admitted.crystal, admitted.free
        self._flights.append(
            _Flight(
                key,
                crystal,
                start_minimisation(crystal, free=free),
                crystal.volume,
                admitted.constraint,
                free,
                self._tier.relax_cell and free is None,
                abs(self._engine.pressure) * GPA_PER_EV_A3 > SETTLING_GPA,
                wall_s=running_s() - started,
            )
        )

    def release(self) -> list[tuple[int, Plain]]:
        """Forget the crystals in flight; return key and state of each, for :meth:`resume`."""
        flights, self._flights = self._flights, []
        return [(flight.key, plain(flight)) for flight in flights]

    def resume(self, key: int, unfinished: Plain) -> None:
        """Continue a relaxation that another relaxer of the same settings has released."""
        self._flights.append(_Flight(**{**restored(unfinished), "key": key}))

    def step(self) -> list[tuple[int, Outcome]]:
        """Evaluate every crystal in flight once and move it; return those that ended."""
        ended, self._ended = self._ended, []
        if not self._flights:
            return ended
        started = running_s()
        results = self._evaluate(self._flights)
        staying: list[_Flight] = []
        elapsed = running_s() - started
        atoms = sum(flight.crystal.n_atoms for flight in self._flights)
        for flight, result in zip(self._flights, results, strict=True):
            flight.wall_s += elapsed * flight.crystal.n_atoms / atoms
            outcome = result if isinstance(result, Failed) else self._take(flight, *result)
            if outcome is None:
                staying.append(flight)
            else:
                ended.append((flight.key, outcome))
        self._flights = staying
        return ended

    def _evaluate(self, flights: list[_Flight]) -> list[Failed | tuple]:
        """Return energy, forces and stress of each flight, in batches that fit into memory."""
        results: list[Failed | tuple] = []
        position = 0
        while position < len(flights):
            chunk = self._chunk(flights, position)
            try:
                batch = Batch.of([item.crystal for item in chunk])
                evaluation = checked(self._model.evaluate(batch), batch)
            except MemoryError:
                if len(chunk) == 1:
                    message = f"{chunk[0].crystal.n_atoms} atoms do not fit into memory"
                    results.append(Failed(FailReason.TOO_LARGE, message, chunk[0].crystal))
                    position += 1
                else:
                    atoms = sum(item.crystal.n_atoms for item in chunk)
                    self._batch_atoms = max(1, atoms // 2)
                continue
            except (Exception, SystemExit, GeneratorExit) as error:
                # whatever a calculator raises is data, unless the machine is to blame
                if machine_trouble(error):
                    raise
                if len(chunk) > 1:
                    for item in chunk:
                        results.extend(self._evaluate([item]))
                else:
                    message = self._blamed(error)
                    results.append(Failed(FailReason.CALCULATOR, message, chunk[0].crystal))
                position += len(chunk)
                continue
            results.extend(split(evaluation, batch))
            position += len(chunk)
        return results

    def _blamed(self, error: BaseException) -> str:
        """Return what an error of the model says, with the name of the model."""
        if isinstance(error, ContractError):
            return f"{self._named}: {error}"
        return blamed("model", self._model, error, "evaluate", name=self._tier.engine.kind)

    @property
    def _named(self) -> str:
        return described("model", self._model, name=self._tier.engine.kind)

    def _chunk(self, flights: list[_Flight], position: int) -> list[_Flight]:
        atoms, end = 0, position
        while end < len(flights):
            atoms += flights[end].crystal.n_atoms
            if atoms > self._batch_atoms and end > position:
                break
            end += 1
        return flights[position:end]

    def _take(
        self,
        flight: _Flight,
        energy: float,
        forces: NDArray[np.float64],
        stress: NDArray[np.float64],
    ) -> Outcome | None:
        """Take in one evaluation; return the outcome if the relaxation ends with it."""
        tier, crystal = self._tier, flight.crystal
        flight.evaluations += 1
        if flight.constraint is not None:
            forces, stress = flight.constraint.symmetrised(flight, forces, stress)
        point = Point(crystal, energy, forces, stress)
        self.traces.note(flight.key, point)
        outcome = judge(tier, self._step_of(flight, point), self._engine)
        if isinstance(outcome, Failed) and outcome.reason is FailReason.NOT_FINITE:
            return replace(outcome, message=f"{self._named}: {outcome.message}")
        if outcome is not None:
            return outcome
        if flight.settles and self._has_settled(flight, forces):
            flight.settles, flight.steps_settling = False, flight.state.steps_accepted
            flight.state = start_minimisation(crystal, free=flight.free)
        pressure, volume = self._engine.pressure, crystal.volume
        virial = volume * (stress + pressure * _IDENTITY)
        accepted, cell, scaled = advance(
            flight.state,
            energy + pressure * volume,
            forces,
            virial,
            flight.move_cell and not flight.settles,
        )
        if accepted and (flight.best is None or self._falls(point, flight.best)):
            flight.best = point
        flight.crystal = Crystal(crystal.numbers, cell, scaled)
        failure = check_proposal(tier, flight.crystal, flight.start_volume, self._engine)
        return None if failure is None else _timed(failure, flight)

    @staticmethod
    def _has_settled(flight: _Flight, forces: NDArray[np.float64]) -> bool:
        is_at_rest = float((forces**2).sum(axis=1).max()) <= SETTLED_FORCE**2
        return is_at_rest or flight.evaluations >= SETTLING_EVALUATIONS

    def _falls(self, point: Point, best: Point) -> bool:
        pressure = self._engine.pressure
        fall = best.energy - point.energy
        return fall + pressure * (best.crystal.volume - point.crystal.volume) >= 0.0

    def _step_of(self, flight: _Flight, point: Point) -> Step:
        return Step(
            point,
            start_volume=flight.start_volume,
            evaluations=flight.evaluations,
            steps=flight.steps_settling + flight.state.steps_accepted,
            wall_s=flight.wall_s,
            best=flight.best,
            relax_cell=flight.move_cell,
            free=flight.free,
        )


def _timed(failure: Failed, flight: _Flight) -> Failed:
    return Failed(failure.reason, failure.message, failure.last, flight.wall_s)
