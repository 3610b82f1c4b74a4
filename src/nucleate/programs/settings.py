"""Settings of the external programs: a recipe of stages on top of a preset."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from nucleate.programs.presets import load_preset, merged

Value = bool | int | float | str | list[bool] | list[int] | list[float] | list[str]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Stage(_Table):
    """One stage of a recipe; it starts from the last geometry of the one before."""

    relax: Literal["none", "positions", "cell"] = Field(
        "cell", description="What moves: nothing, the atoms, or the atoms and the cell."
    )
    max_steps: int = Field(100, ge=0, description="Steps of the program's optimiser.")
    fmax: float | None = Field(
        None, gt=0.0, description="eV/Å, largest force at the end; default: that of the tier."
    )


class _GridStage(Stage):
    kspacing: float = Field(
        0.3, gt=0.0, description="1/Å between k-points, as KSPACING of VASP (with the factor 2π)."
    )


class ExternalSettings(_Table):
    """What every external program has."""

    supports: ClassVar[frozenset[str]] = frozenset()
    """Optional keys of a tier that it honours; VASP and GPAW also judge the size of energies."""
    tier_defaults: ClassVar[dict[str, Any]] = {"wall_s": 86400.0}
    """A day for a crystal where the tier gives no limit."""

    kind: str
    preset: str = Field(
        "standard",
        description="Recipe that the other keys change; `nucleate presets list` shows them.",
    )
    command: str = Field(
        description="Program and arguments; {cores} is replaced by the number of cores and "
        "{python} by the Python that runs nucleate."
    )
    cores: int = Field(1, ge=1, description="Cores of one process, for {cores} in the command.")
    environment: dict[str, str] = Field(
        default_factory=dict, description="Variables on top of those of the shell."
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
        description="How often a crystal goes on from its last geometry after a stage was ended "
        "at its limit.",
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
        return merged(load_preset(cls.model_fields["kind"].default, name), data)

    def words(self) -> list[str]:
        """Return the command as a list of words, paths in it absolute."""
        text = self.command.replace("{cores}", str(self.cores))
        words = shlex.split(text.replace("{python}", shlex.quote(sys.executable)))
        return [
            str(Path(word).absolute()) if "/" in word and Path(word).is_file() else word
            for word in words
        ]


class VaspStage(_GridStage):
    """A stage of VASP."""

    incar: dict[str, Value] = Field(
        default_factory=dict, description="Keys of INCAR on top of those of the engine."
    )


class VaspSettings(ExternalSettings):
    """VASP; bring your own licence, program and potentials."""

    supports: ClassVar[frozenset[str]] = frozenset({"guards.energy_window_ev_per_atom"})

    kind: Literal["vasp"] = "vasp"
    preset: str = Field("paper", description="Recipe that the other keys change.")
    command: str = Field("mpirun -n {cores} vasp_std", description="As of every program.")
    potentials: str | None = Field(
        None,
        description="Folder with a folder for each setup, such as potpaw_PBE; default: potpaw_PBE "
        "in the folder of the variable VASP_PP_PATH.",
    )
    setups: dict[str, str] = Field(
        default_factory=dict,
        description="Setup of an element, by suffix (Ca = '_sv') or name; the key base names "
        "ASE's table for the others: minimal, recommended, materialsproject or gw.",
    )
    encut_factor: float = Field(
        1.3, gt=0.0, description="ENCUT over the largest ENMAX, unless INCAR has ENCUT."
    )
    incar: dict[str, Value] = Field(default_factory=dict, description="INCAR of every stage.")
    stage: tuple[VaspStage, ...] = Field(min_length=1, description="Stages in order.")


class GpawStage(_GridStage):
    """A stage of GPAW."""

    optimizer: Literal["BFGS", "LBFGS", "FIRE", "BFGSLineSearch"] = Field(
        "BFGS", description="Optimiser of ASE."
    )
    pulay: bool | None = Field(
        None,
        description="Whether the stress is corrected for the finite number of plane waves, by two "
        "more energies a stage; default: where the cell moves.",
    )
    options: dict[str, Any] = Field(
        default_factory=dict, description="Keywords of gpaw.GPAW on top of those of the engine."
    )


class GpawSettings(ExternalSettings):
    """GPAW, in a Python of its own."""

    supports: ClassVar[frozenset[str]] = frozenset({"guards.energy_window_ev_per_atom"})

    kind: Literal["gpaw"] = "gpaw"
    command: str = Field(
        "{python}", description="Python that has GPAW: a path, or with mpirun in front."
    )
    options: dict[str, Any] = Field(
        default_factory=dict, description="Keywords of gpaw.GPAW of every stage."
    )
    stage: tuple[GpawStage, ...] = Field(min_length=1, description="Stages in order.")


class EspressoStage(_GridStage):
    """A stage of Quantum ESPRESSO."""

    input: dict[str, Value] = Field(
        default_factory=dict,
        description="Keys of pw.x (Ry and Bohr) on top of those of the engine.",
    )


class EspressoSettings(ExternalSettings):
    """Quantum ESPRESSO's pw.x; bring your own pseudopotentials."""

    kind: Literal["espresso"] = "espresso"
    command: str = Field("mpirun -n {cores} pw.x", description="As of every program.")
    pseudopotentials: str | None = Field(
        None, description="Folder with UPF files; default: that of the variable ESPRESSO_PSEUDO."
    )
    files: dict[str, str] = Field(
        default_factory=dict,
        description="File of an element, where the folder has none or several of its name.",
    )
    input: dict[str, Value] = Field(
        default_factory=dict, description="Keys of pw.x (Ry and Bohr) of every stage."
    )
    stage: tuple[EspressoStage, ...] = Field(min_length=1, description="Stages in order.")


class Cp2kStage(_GridStage):
    """A stage of CP2K."""

    input: dict[str, Any] = Field(
        default_factory=dict,
        description="Sections of CP2K's input as tables, on top of those of the engine.",
    )


class Cp2kSettings(ExternalSettings):
    """CP2K's Quickstep."""

    kind: Literal["cp2k"] = "cp2k"
    command: str = Field("mpirun -n {cores} cp2k.psmp", description="As of every program.")
    data: str | None = Field(
        None,
        description="Folder with basis sets and potentials; default: that of the variable "
        "CP2K_DATA_DIR, or the one that the program was built with.",
    )
    basis: str = Field("DZVP-MOLOPT-SR-GTH", description="Basis set of every element.")
    potential: str = Field("GTH-PBE", description="Potential of every element.")
    basis_of: dict[str, str] = Field(
        default_factory=dict, description="Basis set of an element, where it differs."
    )
    potential_of: dict[str, str] = Field(
        default_factory=dict, description="Potential of an element, where it differs."
    )
    input: dict[str, Any] = Field(
        default_factory=dict, description="Sections of CP2K's input of every stage, as tables."
    )
    stage: tuple[Cp2kStage, ...] = Field(min_length=1, description="Stages in order.")


class GulpStage(Stage):
    """A stage of GULP."""

    keywords: str = Field("", description="Words of the keyword line besides opti, conp, conv.")
    options: tuple[str, ...] = Field((), description="Lines at the end of the input.")


class GulpSettings(ExternalSettings):
    """GULP, with a force field of yours for rigid ions."""

    kind: Literal["gulp"] = "gulp"
    preset: str = Field("paper", description="Recipe that the other keys change.")
    command: str = Field("gulp", description="As of every program.")
    library: str | None = Field(None, description="Library file with the force field.")
    options: tuple[str, ...] = Field((), description="Lines of every stage.")
    stage: tuple[GulpStage, ...] = Field(min_length=1, description="Stages in order.")


class LammpsStage(Stage):
    """A stage of LAMMPS."""

    lines: tuple[str, ...] = Field((), description="Commands before the minimisation.")


class LammpsSettings(ExternalSettings):
    """LAMMPS in units metal, with a force field of yours."""

    kind: Literal["lammps"] = "lammps"
    command: str = Field("mpirun -n {cores} lmp", description="As of every program.")
    elements: tuple[str, ...] = Field((), description="Elements by atom type, the first is type 1.")
    charges: dict[str, float] = Field(default_factory=dict, description="Charge of an element.")
    potential: tuple[str, ...] = Field(
        (), description="Commands of the force field, such as pair_style and pair_coeff."
    )
    stage: tuple[LammpsStage, ...] = Field(min_length=1, description="Stages in order.")
