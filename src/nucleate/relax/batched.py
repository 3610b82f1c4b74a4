"""Relax many crystals at once with one model; finished ones leave, new ones take their place."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from nucleate.crystal.crystal import Crystal
from nucleate.energy.model import GPA_PER_EV_A3, Batch, BatchedModel, Evaluation
from nucleate.relax.guards import (
    SETTLED,
    isolated_or_coincident,
    lowest_believed,
    misstep,
    nonsense,
    refusal,
    squeezed,
)
from nucleate.relax.minimiser import State, advance, residuals, start_minimisation
from nucleate.relax.outcome import Failed, FailReason, Outcome, Relaxed
from nucleate.relax.racing import is_hopeless

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nucleate.energy.level import LevelOfTheory
    from nucleate.relax.settings import TierSettings
    from nucleate.relax.symmetry import SymmetryConstraint

_TYPICAL_ATOMS = 20
_IDENTITY = np.eye(3)


class _Point(NamedTuple):
    """One evaluation of a crystal on its way; forces in eV/Å, stress in eV/Å³."""

    crystal: Crystal
    energy: float
    enthalpy: float
    forces: NDArray[np.float64]
    stress: NDArray[np.float64]
    max_force: float
    max_stress_gpa: float


@dataclass(slots=True, eq=False)
class _Flight:
    """One crystal on its way."""

    key: int
    crystal: Crystal
    state: State
    start_volume: float
    lowest: float
    constraint: SymmetryConstraint | None
    evaluations: int = 0
    wall_s: float = 0.0
    best: _Point | None = None


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
        self._pressure = pressure_gpa / GPA_PER_EV_A3
        self._batch_atoms = model.batch_atoms
        self._flights: list[_Flight] = []
        self._ended: list[tuple[int, Outcome]] = []
        self._best_known = np.inf

    @property
    def level(self) -> LevelOfTheory:
        """Level of theory of every energy."""
        return self._model.level

    def free_slots(self) -> int:
        """Return how many more crystals fit beside those in flight."""
        in_flight = len(self._flights)
        if self._tier.slots is not None:
            return max(0, self._tier.slots - in_flight)
        atoms = sum(flight.crystal.n_atoms for flight in self._flights)
        typical = atoms / in_flight if in_flight else _TYPICAL_ATOMS
        return max(1 - in_flight, int((self._batch_atoms - atoms) / typical), 0)

    def observe(self, best_enthalpy_per_atom: float) -> None:
        """Tell the best enthalpy known (eV/atom), which the racing rules compare with."""
        self._best_known = best_enthalpy_per_atom

    def add(self, key: int, crystal: Crystal) -> None:
        """Take a crystal to relax; its outcome comes back from :meth:`step` under ``key``."""
        started = time.perf_counter()
        tier = self._tier
        refused = refusal(
            crystal,
            elements=self._model.elements,
            cutoff=self._model.cutoff,
            max_atoms=tier.guards.max_atoms,
        )
        if refused is not None:
            if tier.relax and tier.pre_relax and refused.reason is FailReason.TOO_CLOSE:
                refused = None
            else:
                self._ended.append((key, refused))
                return
        constraint = None
        if tier.relax and tier.fix_symmetry:
            from nucleate.relax.symmetry import symmetry_constraint

            constraint = symmetry_constraint(crystal)
        if tier.relax and tier.shake and constraint is None:
            from nucleate.crystal.shake import shaken

            crystal = shaken(crystal, tier.shake)
        if tier.relax and tier.pre_relax and constraint is None:
            from nucleate.relax.pre_relaxation import pre_relax

            crystal = pre_relax(crystal)
            refused = isolated_or_coincident(crystal, self._model.cutoff)
            if refused is not None:
                self._ended.append((key, refused))
                return
        lowest = lowest_believed(tier.guards, crystal, self._model.composition_energies)
        state = start_minimisation(crystal)
        flight = _Flight(key, crystal, state, crystal.volume, lowest, constraint)
        flight.wall_s = time.perf_counter() - started
        self._flights.append(flight)

    def step(self) -> list[tuple[int, Outcome]]:
        """Evaluate every crystal in flight once and move it; return those that ended."""
        ended, self._ended = self._ended, []
        if not self._flights:
            return ended
        started = time.perf_counter()
        results = self._evaluate(self._flights)
        staying: list[_Flight] = []
        elapsed = time.perf_counter() - started
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
                evaluation = self._model.evaluate(Batch.of([item.crystal for item in chunk]))
            except MemoryError:
                if len(chunk) == 1:
                    message = f"{chunk[0].crystal.n_atoms} atoms do not fit into memory"
                    results.append(Failed(FailReason.TOO_LARGE, message, chunk[0].crystal))
                    position += 1
                else:
                    atoms = sum(item.crystal.n_atoms for item in chunk)
                    self._batch_atoms = max(1, atoms // 2)
                continue
            except Exception as error:  # noqa: BLE001 - whatever a calculator raises is data
                if len(chunk) > 1:
                    for item in chunk:
                        results.extend(self._evaluate([item]))
                else:
                    message = f"{type(error).__name__}: {error}"
                    results.append(Failed(FailReason.CALCULATOR, message, chunk[0].crystal))
                position += len(chunk)
                continue
            results.extend(_split(evaluation, chunk))
            position += len(chunk)
        return results

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
        failure = nonsense(
            tier.guards, crystal, energy, forces, flight.evaluations, flight.lowest
        )  # fmt: skip
        if failure is not None:
            return _timed(failure, flight)
        volume = crystal.volume
        max_force, max_stress = residuals(forces, stress, self._pressure)
        point = _Point(
            crystal, energy, energy + self._pressure * volume, forces, stress,
            max_force, max_stress * GPA_PER_EV_A3,
        )  # fmt: skip
        if not tier.relax:
            return self._relaxed(flight, point)
        converged, note = self._is_converged(point), self._limit_reached(flight)
        if converged or note or flight.evaluations > SETTLED:
            failure = squeezed(tier.guards, crystal)
            if failure is not None:
                return _timed(failure, flight)
        if converged:
            return self._relaxed(flight, point)
        virial = volume * (stress + self._pressure * _IDENTITY)
        accepted, cell, scaled = advance(
            flight.state, point.enthalpy, forces, virial, tier.relax_cell
        )  # fmt: skip
        if accepted:
            flight.best = point
        if note:
            return replace(self._relaxed(flight, flight.best or point), note=note)
        if tier.racing is not None:
            now = self._relaxed(flight, point)
            if is_hopeless(tier.racing, now, flight.evaluations, self._best_known):
                above = now.enthalpy_per_atom - self._best_known
                message = f"{above:.3f} eV/atom above the best"
                return _timed(Failed(FailReason.RACED, message, crystal), flight)
        if not (np.isfinite(cell).all() and np.isfinite(scaled).all()):
            return _timed(Failed(FailReason.NOT_FINITE, "the step is not finite", crystal), flight)
        flight.crystal = Crystal(crystal.numbers, cell, scaled)
        failure = misstep(tier.guards, flight.crystal, flight.start_volume, self._model.cutoff)
        return None if failure is None else _timed(failure, flight)

    def _limit_reached(self, flight: _Flight) -> str:
        tier = self._tier
        if flight.evaluations >= tier.max_steps:
            return f"not converged after {flight.evaluations} evaluations"
        if tier.wall_s is not None and flight.wall_s > tier.wall_s:
            return f"not converged after {flight.wall_s:.0f} s"
        return ""

    def _is_converged(self, point: _Point) -> bool:
        tier = self._tier
        quiet = point.max_stress_gpa <= tier.max_stress_gpa or not tier.relax_cell
        return point.max_force <= tier.fmax and quiet

    def _relaxed(self, flight: _Flight, point: _Point) -> Relaxed:
        converged = self._is_converged(point)
        return Relaxed(
            crystal=point.crystal,
            energy=point.energy,
            enthalpy=point.enthalpy,
            forces=point.forces,
            stress_gpa=point.stress * GPA_PER_EV_A3,
            max_force=point.max_force,
            max_stress_gpa=point.max_stress_gpa,
            converged=converged,
            steps=int(flight.state.count[3]) if self._tier.relax else 0,
            evaluations=flight.evaluations,
            wall_s=flight.wall_s,
            level=self.level,
            note="" if converged else "single point",
        )


def _split(evaluation: Evaluation, flights: list[_Flight]) -> list[tuple]:
    results, first = [], 0
    for index, flight in enumerate(flights):
        last = first + flight.crystal.n_atoms
        results.append(
            (
                float(evaluation.energies[index]),
                evaluation.forces[first:last],
                evaluation.stresses[index],
            )
        )
        first = last
    return results


def _timed(failure: Failed, flight: _Flight) -> Failed:
    return Failed(failure.reason, failure.message, failure.last, flight.wall_s)
