"""Settings of the external programs: a recipe of stages on top of a preset."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from nucleate.energy.engine import Engine, EngineContext
from nucleate.errors import InputError
from nucleate.plugins import kind_of
from nucleate.programs.presets import load_preset, merged
from nucleate.renamed import renamed_keys
from nucleate.tables import Table

if TYPE_CHECKING:
    from nucleate.crystal.crystal import Crystal
    from nucleate.programs.program import Goal, Launch, Program

Value = bool | int | float | str | list[bool] | list[int] | list[float] | list[str]


OLD_KEYS_OF_A_STAGE = {"fmax": "fmax_ev_per_ang"}


class Stage(Table):
    """One stage of a recipe; it starts from the last geometry of the one before."""

    relax: Literal["none", "positions", "cell"] = Field(
        "cell", description="What moves: nothing, the atoms, or the atoms and the cell."
    )
    max_steps: int = Field(100, ge=0, description="Steps of the program's optimiser.")
    fmax_ev_per_ang: float | None = Field(
        None, gt=0.0, description="eV/Å, largest force at the end; default: that of the tier."
    )

    _old_names = renamed_keys(OLD_KEYS_OF_A_STAGE)


class GridStage(Stage):
    """A stage of a program with k-points."""

    kspacing: float = Field(
        0.3, gt=0.0, description="1/Å between k-points, as KSPACING of VASP (with the factor 2π)."
    )


class ExternalSettings(Engine):
    """What every external program has."""

    relaxer: ClassVar[str] = "nucleate.programs.relaxer:ExternalRelaxer"
    is_program: ClassVar[bool] = True
    ranks_single_points: ClassVar[bool] = False
    supports: ClassVar[frozenset[str]] = frozenset()
    """Optional keys of a tier that it honours; VASP and GPAW also judge the size of energies."""
    tier_defaults: ClassVar[dict[str, Any]] = {"wall_s": 86400.0}
    """A day for a crystal where the tier gives no limit."""

    preset: str = Field(
        "standard",
        description="Recipe that the other keys change; `nucleate presets list` shows them.",
    )
    command: str = Field(
        description="Program and arguments; {cores} is replaced by the number of cores and "
        "{python} by the Python that runs nucleate.",
    )
    cores: int = Field(1, ge=1, description="Cores of one process, for {cores} in the command.")
    environment: dict[str, str] = Field(
        default_factory=dict, description="Variables in addition to those of the shell."
    )
    scratch: str | None = Field(
        None, description="Folder in which every run gets one of its own; default: the system's."
    )
    wall_s: float | None = Field(
        None, gt=0.0, description="Seconds of one stage; default: what is left of the tier's."
    )
    restarts: int = Field(
        1,
        ge=0,
        description="How often a crystal is continued from its last geometry after a stage was "
        "ended at its limit.",
    )
    stage: tuple[Stage, ...] = Field(min_length=1, description="Stages in order.")

    @model_validator(mode="before")
    @classmethod
    def _on_top_of_preset(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        name = data.get("preset", cls.model_fields["preset"].default)
        if not isinstance(name, str):
            return data
        return merged(load_preset(kind_of(cls), name), data)

    @field_validator("command")
    @classmethod
    def _names_a_program(cls, command: str) -> str:
        if not command.strip():
            raise ValueError("give the program and its arguments")
        return command

    @field_validator("environment")
    @classmethod
    def _are_variables(cls, values: dict[str, str]) -> dict[str, str]:
        for name, value in values.items():
            if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) is None or "\0" in value:
                raise ValueError(
                    f"{name!r} cannot be set as a variable. Use letters, digits and _ in the name "
                    "and no NUL character in the value."
                )
        return values

    def program(self, version: str = "") -> Program:
        """Return the reader and writer of its files; the program itself may be elsewhere."""
        raise NotImplementedError

    def build(self, context: EngineContext) -> Program:
        """Return the reader and writer of the files of a program that can run here.

        Raises
        ------
        InputError
            If the program or something that it needs is missing, or one of its keys is unknown.
        """
        del context
        for problem in self.problems(()):
            raise InputError(problem)
        return self.program(self.installed_version())

    def write_job(
        self, folder: Path, crystal: Crystal, goal: Goal
    ) -> tuple[Launch, tuple[str, ...]]:
        """Write the input of the last stage for a calculation that is submitted by hand.

        Returns how the program is started, and lines of the shell that come before it.

        Raises
        ------
        InputError
            If no input can be written, for example as a pseudopotential is missing.
        """
        return self.program().write(folder, crystal, self.stage[-1], goal), ()

    def installed_version(self) -> str:
        """Return the version that the program itself tells, empty if it cannot be asked."""
        return ""

    def words(self) -> list[str]:
        """Return the command as a list of words, paths in it absolute."""
        text = self.command.replace("{cores}", str(self.cores))
        words = shlex.split(text.replace("{python}", shlex.quote(sys.executable)))
        return [
            str(Path(word).absolute()) if "/" in word and Path(word).is_file() else word
            for word in words
        ]
