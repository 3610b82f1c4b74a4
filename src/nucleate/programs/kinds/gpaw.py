"""GPAW, run as a script by the Python that has it."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from nucleate.crystal.elements import MAX_NUMBER
from nucleate.energy.level import LevelOfTheory
from nucleate.programs import gpaw_job
from nucleate.programs.kpoints import kpoint_grid
from nucleate.programs.levels import settings_hash
from nucleate.programs.preflight import missing_programs, missing_scratch
from nucleate.programs.program import Goal, Launch, StageResult, UnreadableError
from nucleate.programs.settings import ExternalSettings, GridStage

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from nucleate.crystal.crystal import Crystal

SCRIPT = Path(gpaw_job.__file__)
INSTALL = "CC=g++ pip install gpaw==26.7.0 gpaw-data==1.2.1"
PROBE_S = 120.0


class GpawStage(GridStage):
    """A stage of GPAW."""

    optimizer: Literal["BFGS", "LBFGS", "FIRE", "BFGSLineSearch"] = Field(
        "BFGS", description="Optimiser of ASE."
    )
    pulay: bool | None = Field(
        None,
        description="Whether the stress is corrected for the finite number of plane waves, by two "
        "additional energies per stage; default: where the cell moves.",
    )
    options: dict[str, Any] = Field(
        default_factory=dict,
        description="Keywords of gpaw.GPAW in addition to those of the engine.",
    )


class GpawSettings(ExternalSettings):
    """GPAW, in a Python of its own."""

    works: ClassVar[tuple[str, ...]] = ("mortensen2024",)
    supports: ClassVar[frozenset[str]] = frozenset({"guards.energy_window_ev_per_atom"})

    command: str = Field(
        "{python}", description="Python that has GPAW: a path, or with mpirun in front."
    )
    options: dict[str, Any] = Field(
        default_factory=dict, description="Keywords of gpaw.GPAW of every stage."
    )
    stage: tuple[GpawStage, ...] = Field(min_length=1, description="Stages in order.")

    def program(self, version: str = "") -> Gpaw:
        """Return the reader and writer of its files; the program itself may be elsewhere."""
        return Gpaw(self, version)

    def problems(self, elements: Sequence[str]) -> list[str]:
        """Return what keeps it from running, each with its remedy."""
        return problems(self, elements)

    def installed_version(self) -> str:
        """Return the version that the program itself tells."""
        return installed_version(self)


class Gpaw:
    """A :class:`~nucleate.programs.program.Program` that is GPAW."""

    elements: frozenset[int] = frozenset(range(1, MAX_NUMBER + 1))
    total_energies: bool = False
    outputs: tuple[str, ...] = ("gpaw.txt", "output")

    def __init__(self, engine: GpawSettings, version: str = "") -> None:
        self._engine = engine
        last = {**engine.options, **engine.stage[-1].options}
        self.level = LevelOfTheory(
            "gpaw", version, str(last.get("xc", "LDA")), settings=settings_hash(engine)
        )

    def write(self, folder: Path, crystal: Crystal, stage: GpawStage, goal: Goal) -> Launch:
        """Write the job as JSON."""
        job = {
            **crystal.to_dict(),
            "kpts": kpoint_grid(crystal.cell, stage.kspacing),
            "options": {**self._engine.options, **stage.options},
            "optimizer": stage.optimizer,
            "pulay": goal.relax == "cell" if stage.pulay is None else stage.pulay,
            "relax": goal.relax,
            "max_steps": goal.max_steps,
            "fmax": goal.fmax,
            "max_stress_gpa": goal.max_stress_gpa,
            "pressure_gpa": goal.pressure_gpa,
        }
        (folder / "job.json").write_text(json.dumps(job), encoding="utf-8")
        return Launch((*self._engine.words(), str(SCRIPT), "job.json"))

    def read(self, folder: Path, crystal: Crystal) -> StageResult:
        """Return the last geometry of ``steps.jsonl``."""
        done = folder / "done.json"
        ending = json.loads(done.read_text())["ending"] if done.is_file() else ""
        steps = folder / "steps.jsonl"
        lines = steps.read_text().splitlines(keepends=True) if steps.is_file() else []
        whole = [line for line in lines if line.endswith("\n")]
        if not whole and ending != "not-converged":
            raise UnreadableError("no geometry was evaluated")
        if ending == "not-converged" and not whole:
            nothing = np.zeros((crystal.n_atoms, 3))
            return StageResult(crystal, 0.0, nothing, np.zeros((3, 3)), False, True, 0)
        last: dict[str, Any] = json.loads(whole[-1])
        return StageResult(
            crystal=crystal.replace(cell=np.array(last["cell"]), scaled=np.array(last["scaled"])),
            energy=last["energy"],
            forces=np.array(last["forces"]),
            stress_gpa=np.array(last["stress_gpa"]),
            scf_converged=ending != "not-converged",
            complete=bool(ending),
            steps=len(whole),
        )


def problems(engine: GpawSettings, elements: Sequence[str]) -> list[str]:
    """Return what keeps GPAW from running for some elements, each with its remedy."""
    found = list(missing_scratch(engine))
    answer = _probe(engine, elements)
    if isinstance(answer, str):
        return [*found, answer]
    found += [
        f"GPAW has no PBE setup for {symbol}. Install its setups (pip install gpaw-data==1.2.1) or "
        "add the folder that has it: environment = { GPAW_SETUP_PATH = '/path/to/setups' }"
        for symbol in answer["missing"]
    ]
    return found


def installed_version(engine: GpawSettings) -> str:
    """Return the version of GPAW, empty if it cannot be imported."""
    answer = _probe(engine, ())
    return "" if isinstance(answer, str) else answer["version"]


def _probe(engine: GpawSettings, elements: Sequence[str]) -> dict[str, Any] | str:
    """Return what the script says of GPAW, or why it cannot."""
    for problem in missing_programs(engine, "/path/to/gpaw-environment/bin/python"):
        return problem
    try:
        done = subprocess.run(
            [engine.words()[-1], str(SCRIPT), "--probe", *elements],
            env={**os.environ, **engine.environment, "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            timeout=PROBE_S,
        )
        return json.loads(done.stdout.strip().splitlines()[-1])
    except (OSError, subprocess.SubprocessError, ValueError, IndexError):
        return (
            f"command = {engine.command!r}: GPAW cannot be imported there. Install it "
            f"({INSTALL}) or add the Python that has it to the engine: "
            "command = '/path/to/gpaw-environment/bin/python'"
        )
