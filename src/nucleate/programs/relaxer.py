"""Relax crystals with an external program: a recipe of stages, a process for each."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from nucleate.energy.model import GPA_PER_EV_A3
from nucleate.errors import InputError
from nucleate.programs.process import ExternalProcess, tail
from nucleate.programs.program import Goal, Program, StageResult, UnreadableError
from nucleate.relax.guards import misstep, nonsense, refusal
from nucleate.relax.outcome import Failed, FailReason, Relaxed

if TYPE_CHECKING:
    from nucleate.crystal.crystal import Crystal
    from nucleate.energy.level import LevelOfTheory
    from nucleate.programs.process import Ending
    from nucleate.programs.settings import ExternalSettings, Stage
    from nucleate.relax.outcome import Outcome
    from nucleate.relax.settings import TierSettings

POLL_S = 0.5
ISOLATED = 8.0
"""Å; an atom without a neighbour within it is refused."""

_QUIET = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "MKL", "OPENBLAS")}


@dataclass(slots=True, eq=False)
class _Flight:
    """One crystal on its way through the stages."""

    key: int
    crystal: Crystal
    start_volume: float
    scratch: TemporaryDirectory[str]
    restarts: int
    started: float
    stage: int = 0
    runs: int = 0
    steps: int = 0
    folder: Path | None = None
    process: ExternalProcess | None = None

    @property
    def wall_s(self) -> float:
        """Seconds since it was taken in."""
        return time.monotonic() - self.started


class ExternalRelaxer:
    """A :class:`~nucleate.relax.relaxer.Relaxer` on top of an external program.

    Parameters
    ----------
    program
        Writes inputs and reads outputs.
    tier
        Tolerances, limits and guards.
    engine
        Recipe and processes.
    pressure_gpa
        External pressure.
    """

    def __init__(
        self,
        program: Program,
        tier: TierSettings,
        engine: ExternalSettings,
        pressure_gpa: float = 0.0,
    ) -> None:
        self._program = program
        self._tier = tier
        self._engine = engine
        self._pressure_gpa = pressure_gpa
        self._stages: list[Any] = list(engine.stage if tier.relax else engine.stage[-1:])
        guards = tier.guards
        if program.total_energies:
            guards = guards.model_copy(update={"energy_window": (-np.inf, np.inf)})
        self._guards = guards
        self._flights: list[_Flight] = []
        self._ended: list[tuple[int, Outcome]] = []

    @property
    def level(self) -> LevelOfTheory:
        """Level of theory of every energy: that of the last stage."""
        return self._program.level

    def free_slots(self) -> int:
        """Return how many more processes may run at once; one if the tier does not say."""
        return max((self._tier.slots or 1) - len(self._flights), 0)

    def observe(self, best_enthalpy_per_atom: float) -> None:
        """Do nothing: an external program does not race."""

    def add(self, key: int, crystal: Crystal) -> None:
        """Take a crystal; its first stage starts with the next :meth:`step`."""
        tier = self._tier
        refused = refusal(
            crystal,
            elements=self._program.elements,
            cutoff=ISOLATED,
            max_atoms=tier.guards.max_atoms,
        )
        overlap = refused is not None and refused.reason is FailReason.TOO_CLOSE
        if refused is not None and not (overlap and tier.relax and tier.pre_relax):
            self._ended.append((key, refused))
            return
        if tier.relax and tier.pre_relax:
            from nucleate.relax.pre_relaxation import pre_relax

            crystal = pre_relax(crystal)
        folder = self._engine.scratch
        if folder:
            Path(folder).mkdir(parents=True, exist_ok=True)
        scratch = TemporaryDirectory(
            prefix=f"nucleate-{self._engine.kind}-", dir=folder, ignore_cleanup_errors=True
        )
        self._flights.append(
            _Flight(key, crystal, crystal.volume, scratch, self._engine.restarts, time.monotonic())
        )

    def step(self) -> list[tuple[int, Outcome]]:
        """Start what waits, look at what runs for half a second; return those that ended."""
        ended, self._ended = self._ended, []
        staying: list[_Flight] = []
        patience = 0.0 if ended or not self._flights else POLL_S / len(self._flights)
        for flight in self._flights:
            outcome = self._advance(flight, patience)
            if outcome is None:
                staying.append(flight)
            else:
                flight.scratch.cleanup()
                ended.append((flight.key, outcome))
        self._flights = staying
        return ended

    def _advance(self, flight: _Flight, patience_s: float) -> Outcome | None:
        if flight.process is None:
            failure = self._start(flight)
            if failure is not None:
                return failure
        assert flight.process is not None
        ending = flight.process.ended(patience_s)
        if ending is None:
            return None
        flight.process = None
        return self._after(flight, ending)

    def _start(self, flight: _Flight) -> Failed | None:
        """Write the input of the present stage and start its process."""
        left = None if self._tier.wall_s is None else self._tier.wall_s - flight.wall_s
        if left is not None and left <= 0.0:
            return self._failed(flight, FailReason.TIMEOUT, "no time is left for the next stage")
        limits = [limit for limit in (left, self._engine.wall_s) if limit is not None]
        folder = Path(flight.scratch.name) / f"run-{flight.runs}"
        folder.mkdir()
        flight.folder = folder
        flight.runs += 1
        stage = self._stages[flight.stage]
        try:
            goal = goal_of(stage, self._tier, self._pressure_gpa)
            launch = self._program.write(folder, flight.crystal, stage, goal)
        except (InputError, OSError, ValueError) as error:
            return self._failed(flight, FailReason.INVALID, f"no input can be written: {error}")
        flight.process = ExternalProcess(
            launch.command,
            folder,
            scratch=Path(flight.scratch.name),
            wall_s=min(limits, default=None),
            environment={**_QUIET, **launch.environment, **self._engine.environment},
            output=launch.output,
            stdin=launch.stdin,
        )
        return None

    def _after(self, flight: _Flight, ending: Ending) -> Outcome | None:
        """Judge a process that has ended; None if another one follows."""
        if ending.error:
            message = f"the program cannot be started: {ending.error}"
            return self._failed(flight, FailReason.MISSING_PROGRAM, message)
        assert flight.folder is not None
        unreadable = ""
        result: StageResult | None = None
        try:
            result = self._program.read(flight.folder, flight.crystal)
        except UnreadableError as error:
            unreadable = str(error)
        except Exception as error:  # noqa: BLE001 - whatever a reader raises over garbage is data
            unreadable = f"{type(error).__name__}: {error}"
        if result is not None:
            failure = self._judge(flight, result)
            if failure is not None:
                return failure
            flight.crystal = result.crystal
            flight.steps += result.steps
        if ending.timed_out:
            return self._after_kill(flight, ending, result)
        if result is None or not result.complete:
            why = unreadable or "the output ends too early"
            return self._broken(flight, ending, why)
        if flight.stage + 1 < len(self._stages):
            flight.stage += 1
            return None
        if not result.scf_converged:
            message = "the electrons did not converge"
            return self._failed(flight, FailReason.NOT_CONVERGED, message, with_tail=True)
        return self._relaxed(flight, result)

    def _judge(self, flight: _Flight, result: StageResult) -> Failed | None:
        """Return the failure of a geometry, energy or force that cannot be right."""
        crystal = result.crystal
        failure = misstep(self._guards, crystal, flight.start_volume, ISOLATED) or nonsense(
            self._guards, crystal, result.energy, result.forces, evaluations=result.steps
        )
        if failure is None and not np.isfinite(result.stress_gpa).all():
            failure = Failed(FailReason.NOT_FINITE, "the stress is not finite", crystal)
        return failure and replace(failure, wall_s=flight.wall_s)

    def _after_kill(
        self, flight: _Flight, ending: Ending, result: StageResult | None
    ) -> Outcome | None:
        """Go on from the last geometry after a kill at the limit, or end."""
        spent = self._tier.wall_s is not None and flight.wall_s >= self._tier.wall_s
        if result is not None and flight.restarts > 0 and not spent:
            flight.restarts -= 1
            return None
        message = f"killed after {ending.wall_s:.0f} s in stage {flight.stage + 1}"
        last = flight.stage + 1 == len(self._stages)
        if result is not None and last and result.scf_converged:
            return self._relaxed(flight, result, note=message)
        return self._failed(flight, FailReason.TIMEOUT, message, with_tail=True)

    def _broken(self, flight: _Flight, ending: Ending, why: str) -> Failed:
        if ending.status:
            how = _in_words(ending.status)
            message = f"the program {how} in stage {flight.stage + 1} ({why})"
            return self._failed(flight, FailReason.CRASHED, message, with_tail=True)
        message = f"no result can be read in stage {flight.stage + 1}: {why}"
        return self._failed(flight, FailReason.UNREADABLE, message, with_tail=True)

    def _failed(
        self, flight: _Flight, reason: FailReason, message: str, *, with_tail: bool = False
    ) -> Failed:
        if with_tail and flight.folder is not None:
            end = tail(*(flight.folder / name for name in self._program.outputs))
            message += f". Its output ends:\n{end}" if end else ". It wrote nothing."
        return Failed(reason, message, flight.crystal, flight.wall_s)

    def _relaxed(self, flight: _Flight, result: StageResult, note: str = "") -> Relaxed:
        result = replace(result, steps=flight.steps)
        found = relaxed_of(result, self._tier, self._pressure_gpa, level=self.level, note=note)
        return replace(found, wall_s=flight.wall_s)


def goal_of(stage: Stage, tier: TierSettings, pressure_gpa: float) -> Goal:
    """Return what a stage of a tier is to reach."""
    relax = stage.relax if tier.relax else "none"
    if relax == "cell" and not tier.relax_cell:
        relax = "positions"
    return Goal(
        relax=relax,
        max_steps=stage.max_steps,
        fmax=stage.fmax or tier.fmax,
        max_stress_gpa=tier.max_stress_gpa,
        pressure_gpa=pressure_gpa,
    )


def relaxed_of(
    result: StageResult,
    tier: TierSettings,
    pressure_gpa: float,
    *,
    level: LevelOfTheory,
    note: str = "",
) -> Relaxed:
    """Return the outcome of a last stage, judged by the criteria of its tier.

    Parameters
    ----------
    result
        Whole, with converged electrons.
    tier
        Criteria of force and stress.
    pressure_gpa
        External pressure.
    level
        Of the energy.
    note
        Why it is not converged, if that is known.
    """
    left = result.stress_gpa + pressure_gpa * np.eye(3)
    max_force = float(np.sqrt((result.forces**2).sum(axis=1).max()))
    max_stress = float(np.abs(left).max())
    quiet = max_stress <= tier.max_stress_gpa or not tier.relax_cell
    converged = max_force <= tier.fmax and quiet
    if not converged and not note:
        note = f"not converged after {result.steps} steps" if tier.relax else "single point"
    return Relaxed(
        crystal=result.crystal,
        energy=result.energy,
        enthalpy=result.energy + pressure_gpa / GPA_PER_EV_A3 * result.crystal.volume,
        forces=result.forces,
        stress_gpa=result.stress_gpa,
        max_force=max_force,
        max_stress_gpa=max_stress,
        converged=converged,
        steps=result.steps if tier.relax else 0,
        evaluations=result.steps,
        wall_s=0.0,
        level=level,
        note="" if converged else note,
    )


def _in_words(status: int) -> str:
    import signal

    if status < 0:
        try:
            return f"was ended by {signal.Signals(-status).name}"
        except ValueError:
            return f"was ended by signal {-status}"
    return f"exited with status {status}"
