"""Relax crystals with an external program: a recipe of stages, a process for each."""

from __future__ import annotations

import errno
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, cast

from nucleate.clock import running_s
from nucleate.energy.results import real_array
from nucleate.errors import ContractError, InputError
from nucleate.faults import blamed
from nucleate.programs.preflight import check_system
from nucleate.programs.process import ExternalProcess, tail
from nucleate.programs.program import Goal, Program, StageResult, UnreadableError
from nucleate.relax.judge import EngineFacts, Point, Step, judge
from nucleate.relax.outcome import Failed, FailReason
from nucleate.relax.preparation import admit
from nucleate.trouble import FULL, machine_trouble
from nucleate.units import GPA_PER_EV_A3

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

    from nucleate.crystal.crystal import Crystal
    from nucleate.energy.level import LevelOfTheory
    from nucleate.programs.process import Ending
    from nucleate.programs.settings import ExternalSettings, Stage
    from nucleate.relax.outcome import Outcome
    from nucleate.relax.settings import TierSettings

POLL_S = 0.5
LEAST_FREE_BYTES = 1 << 20
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
    free: NDArray[np.bool_] | None = None
    stage: int = 0
    runs: int = 0
    steps: int = 0
    folder: Path | None = None
    process: ExternalProcess | None = None

    @property
    def wall_s(self) -> float:
        """Seconds since it was taken in."""
        return running_s() - self.started


class ExternalRelaxer:
    """A :class:`~nucleate.relax.relaxer.Relaxer` on top of an external program.

    Parameters
    ----------
    program
        Writes inputs and reads outputs.
    tier
        Tolerances, limits and guards; its engine has the recipe and how processes are run.
    pressure_gpa
        External pressure.
    """

    def __init__(
        self,
        program: Program,
        tier: TierSettings,
        pressure_gpa: float = 0.0,
    ) -> None:
        engine = cast("ExternalSettings", tier.engine)
        check_system(engine.kind)
        self._program = program
        self._tier = tier
        self._engine = engine
        self._pressure_gpa = pressure_gpa
        self._stages: list[Any] = list(engine.stage if tier.relax else engine.stage[-1:])
        self._facts = facts_of(program, pressure_gpa)
        self._flights: list[_Flight] = []
        self._ended: list[tuple[int, Outcome]] = []

    @property
    def level(self) -> LevelOfTheory:
        """Level of theory of every energy: that of the last stage."""
        return self._program.level

    def free_slots(self) -> int:
        """Return how many more processes may run at once; one if the tier does not say."""
        return max((self._tier.slots or 1) - len(self._flights), 0)

    def add(self, key: int, crystal: Crystal, fixed: ArrayLike | None = None) -> None:
        """Take a crystal; its first stage starts with the next :meth:`step`."""
        admitted = admit(self._tier, crystal, self._facts, fixed)
        holds = not self._tier.relax or getattr(self._program, "holds_atoms", False)
        if not isinstance(admitted, Failed) and admitted.free is not None and not holds:
            message = f"engine {self._engine.kind!r} cannot hold atoms fixed; free them all"
            admitted = Failed(FailReason.INVALID, message, crystal)
        if isinstance(admitted, Failed):
            self._ended.append((key, admitted))
            return
        crystal = admitted.crystal
        folder = self._engine.scratch
        if folder:
            Path(folder).mkdir(parents=True, exist_ok=True)
        scratch = TemporaryDirectory(
            prefix=f"nucleate-{self._engine.kind}-", dir=folder, ignore_cleanup_errors=True
        )
        self._flights.append(
            _Flight(
                key,
                crystal,
                crystal.volume,
                scratch,
                self._engine.restarts,
                running_s(),
                free=admitted.free,
            )
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
            goal = goal_of(stage, self._tier, self._pressure_gpa, steps_taken=flight.steps)
            if flight.free is not None:
                goal = held(goal, flight.free)
            launch = self._program.write(folder, flight.crystal, stage, goal)
        except (InputError, OSError, ValueError) as error:
            if machine_trouble(error):
                raise
            return self._failed(flight, FailReason.INVALID, f"no input can be written: {error}")
        except Exception as error:  # noqa: BLE001 - whatever a program's code raises is data
            return self._failed(flight, FailReason.CALCULATOR, self._blamed(error, "write"))
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

    def _blamed(self, error: Exception, method: str) -> str:
        return blamed("program", self._program, error, method, name=self._engine.kind)

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
            unreadable = self._blamed(error, "read")
        if result is not None:
            flight.steps += result.steps
            outcome = self._judge(flight, result)
            if isinstance(outcome, Failed):
                return outcome
            flight.crystal = result.crystal
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
        return self._judge(flight, result)

    def _judge(self, flight: _Flight, result: StageResult, note: str = "") -> Outcome:
        """Return what the judge makes of a result, as if the recipe ended with it."""
        return judged(
            replace(result, steps=flight.steps),
            self._tier,
            self._facts,
            start_volume=flight.start_volume,
            wall_s=flight.wall_s,
            note=note,
            free=flight.free,
        )

    def _after_kill(
        self, flight: _Flight, ending: Ending, result: StageResult | None
    ) -> Outcome | None:
        """Continue from the last geometry after a kill at the limit, or end."""
        spent = self._tier.wall_s is not None and flight.wall_s >= self._tier.wall_s
        if result is not None and flight.restarts > 0 and not spent:
            flight.restarts -= 1
            return None
        message = f"killed after {ending.wall_s:.0f} s in stage {flight.stage + 1}"
        last = flight.stage + 1 == len(self._stages)
        if result is not None and last and result.scf_converged:
            return self._judge(flight, result, note=message)
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
            self._check_disk(flight.folder, end)
            message += f". Its output ends:\n{end}" if end else ". It wrote nothing."
        return Failed(reason, message, flight.crystal, flight.wall_s)

    def _check_disk(self, folder: Path, end: str) -> None:
        """Raise OSError if the disk is full: then nothing can be said of the structure."""
        if FULL in end or shutil.disk_usage(folder).free < LEAST_FREE_BYTES:
            raise OSError(errno.ENOSPC, FULL, str(folder.parent))


def facts_of(program: Program, pressure_gpa: float) -> EngineFacts:
    """Return what the judge must know of a program."""
    return EngineFacts(
        level=program.level,
        elements=program.elements,
        cutoff=ISOLATED,
        pressure=pressure_gpa / GPA_PER_EV_A3,
        energies_are_absolute=not program.total_energies,
    )


def goal_of(stage: Stage, tier: TierSettings, pressure_gpa: float, *, steps_taken: int = 0) -> Goal:
    """Return what a stage of a tier is to reach, within the steps that the tier has left."""
    relax = stage.relax if tier.relax else "none"
    if relax == "cell" and not tier.relax_cell:
        relax = "positions"
    return Goal(
        relax=relax,
        max_steps=min(stage.max_steps, max(tier.max_steps - steps_taken, 0)),
        fmax=stage.fmax_ev_per_ang or tier.fmax_ev_per_ang,
        max_stress_gpa=tier.max_stress_gpa,
        pressure_gpa=pressure_gpa,
    )


def held(goal: Goal, free: NDArray[np.bool_]) -> Goal:
    """Return a goal with fixed coordinates, around which the cell cannot move."""
    return replace(goal, relax="positions" if goal.relax == "cell" else goal.relax, fixed=~free)


def judged(
    result: StageResult,
    tier: TierSettings,
    facts: EngineFacts,
    *,
    start_volume: float,
    wall_s: float = 0.0,
    note: str = "",
    free: NDArray[np.bool_] | None = None,
) -> Outcome:
    """Return what the judge makes of the result of a last stage.

    Parameters
    ----------
    result
        Of the last stage; its steps are those of all stages.
    tier
        Criteria, limits and guards.
    facts
        What is known of the program.
    start_volume
        Å³, of the geometry that the relaxation began with.
    wall_s
        Seconds charged to the crystal.
    note
        Why it is not converged, if that is known.
    free
        Fractional coordinates that could move, shape (n_atoms, 3); the cell could not then.
    """
    n_atoms = result.crystal.n_atoms
    try:
        forces = real_array("forces", result.forces, (n_atoms, 3))
        stress = real_array("stress", result.stress_gpa, (3, 3)) / GPA_PER_EV_A3
    except ContractError as error:
        return Failed(FailReason.UNREADABLE, str(error), result.crystal, wall_s)
    step = Step(
        Point(result.crystal, result.energy, forces, stress),
        start_volume=start_volume,
        evaluations=result.steps,
        steps=result.steps,
        wall_s=wall_s,
        stopped=note or f"not converged after {result.steps} steps",
        relax_cell=None if free is None else False,
        free=free,
    )
    outcome = judge(tier, step, facts)
    assert outcome is not None
    return outcome


def _in_words(status: int) -> str:
    import signal

    if status < 0:
        try:
            return f"was ended by {signal.Signals(-status).name}"
        except ValueError:
            return f"was ended by signal {-status}"
    return f"exited with status {status}"
