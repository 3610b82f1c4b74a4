"""CP2K: an input of nested sections in; its restart file and printed results out."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from pydantic import Field

from nucleate.crystal.elements import MAX_NUMBER
from nucleate.energy.level import LevelOfTheory
from nucleate.programs.kpoints import kpoint_grid
from nucleate.programs.levels import settings_hash
from nucleate.programs.preflight import missing_programs, missing_scratch
from nucleate.programs.presets import merged
from nucleate.programs.program import Goal, Launch, StageResult, UnreadableError
from nucleate.programs.settings import ExternalSettings, GridStage
from nucleate.units import ANGSTROM_PER_BOHR, BAR_PER_GPA, EV_PER_HARTREE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nucleate.crystal.crystal import Crystal

    Section = dict[str, Any]

BASIS_FILES = ("BASIS_MOLOPT", "BASIS_SET")
POTENTIAL_FILE = "GTH_POTENTIALS"
_RUN_TYPE = {"none": "ENERGY_FORCE", "positions": "GEO_OPT", "cell": "CELL_OPT"}
_NUMBER = r"[-+]?\d+\.?\d*(?:[Ee][-+]?\d+)?"
_ENERGY = re.compile(rf"ENERGY\| Total FORCE_EVAL.*?:?\s+({_NUMBER})\s*$", re.MULTILINE)
_FAILED_SCF = "SCF run NOT converged"


class Cp2kStage(GridStage):
    """A stage of CP2K."""

    input: dict[str, Any] = Field(
        default_factory=dict,
        description="Sections of CP2K's input as tables, in addition to those of the engine.",
    )


class Cp2kSettings(ExternalSettings):
    """CP2K's Quickstep."""

    works: ClassVar[tuple[str, ...]] = ("kuehne2020",)

    command: str = Field("mpirun -n {cores} cp2k.psmp", description="As for every program.")
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

    def program(self, version: str = "") -> Cp2k:
        """Return the reader and writer of its files; the program itself may be elsewhere."""
        return Cp2k(self, version)

    def problems(self, elements: Sequence[str]) -> list[str]:
        """Return what keeps it from running, each with its remedy."""
        return problems(self, elements)

    def installed_version(self) -> str:
        """Return the version that the program itself tells."""
        return installed_version(self)


class Cp2k:
    """A :class:`~nucleate.programs.program.Program` that is CP2K."""

    elements: frozenset[int] = frozenset(range(1, MAX_NUMBER + 1))
    total_energies: bool = True
    outputs: tuple[str, ...] = ("output",)

    def __init__(self, engine: Cp2kSettings, version: str = "") -> None:
        self._engine = engine
        self._data = data_folder(engine)
        asked = merged(engine.input, engine.stage[-1].input)
        functional = asked.get("FORCE_EVAL", {}).get("DFT", {}).get("XC", {})
        model = str(functional.get("XC_FUNCTIONAL", {}).get("_", "custom"))
        self.level = LevelOfTheory("cp2k", version, model, settings=settings_hash(engine))

    def write(self, folder: Path, crystal: Crystal, stage: Cp2kStage, goal: Goal) -> Launch:
        """Write the input; what the user gives goes over what nucleate sets."""
        own = merged(self._engine.input, stage.input)
        sections = merged(self._sections(crystal, stage, goal), own)
        (folder / "input").write_text("\n".join(section_lines(sections)) + "\n")
        environment = {"CP2K_DATA_DIR": str(self._data)} if self._data else {}
        return Launch((*self._engine.words(), "-i", "input"), environment=environment)

    def read(self, folder: Path, crystal: Crystal) -> StageResult:
        """Return the last energy, forces and stress, at the geometry of the restart file."""
        text = (folder / "output").read_text(errors="replace")
        energies = _ENERGY.findall(text)
        if not energies:
            raise UnreadableError("no energy was printed")
        forces = last_forces(text, crystal.n_atoms)
        restart = folder / "nucleate-1.restart"
        if restart.is_file():
            crystal = restart_geometry(restart.read_text(), crystal)
        return StageResult(
            crystal=crystal,
            energy=float(energies[-1]) * EV_PER_HARTREE,
            forces=forces,
            stress_gpa=last_stress_gpa(text),
            scf_converged=_FAILED_SCF not in text[text.rfind("SCF WAVEFUNCTION") :],
            complete="PROGRAM ENDED AT" in text,
            steps=len(energies),
        )

    def _sections(self, crystal: Crystal, stage: Cp2kStage, goal: Goal) -> Section:
        grid = kpoint_grid(crystal.cell, stage.kspacing)
        dft: Section = {
            "BASIS_SET_FILE_NAME": list(BASIS_FILES),
            "POTENTIAL_FILE_NAME": POTENTIAL_FILE,
            "KPOINTS": {
                "SCHEME": "MACDONALD {} {} {} {:.12f} {:.12f} {:.12f}".format(
                    *grid, *(0.0 if n % 2 else 0.5 / n for n in grid)
                ),
                "FULL_GRID": "F",
                "SYMMETRY": "F",
                "PARALLEL_GROUP_SIZE": -1,
            },
        }
        sections: Section = {
            "GLOBAL": {
                "PROJECT": "nucleate",
                "RUN_TYPE": _RUN_TYPE[goal.relax],
                "PRINT_LEVEL": "MEDIUM",
            },
            "FORCE_EVAL": {
                "METHOD": "QUICKSTEP",
                "STRESS_TENSOR": "ANALYTICAL",
                "DFT": dft,
                "SUBSYS": self._subsys(crystal),
                "PRINT": {"FORCES": {"_": "ON"}, "STRESS_TENSOR": {"_": "ON"}},
            },
        }
        if goal.relax != "none":
            sections["MOTION"] = _motion(goal)
        return sections

    def _subsys(self, crystal: Crystal) -> Section:
        from ase.data import chemical_symbols

        engine = self._engine
        symbols = [chemical_symbols[number] for number in crystal.numbers]
        cell = {
            name: " ".join(f"{x:.12f}" for x in vector)
            for name, vector in zip("ABC", crystal.cell, strict=True)
        }
        coordinates: Section = {"SCALED": "T"}
        coordinates["*"] = [
            f"{symbol} " + " ".join(f"{x:.12f}" for x in scaled)
            for symbol, scaled in zip(symbols, crystal.scaled, strict=True)
        ]
        kinds = {
            f"KIND {symbol}": {
                "BASIS_SET": engine.basis_of.get(symbol, engine.basis),
                "POTENTIAL": engine.potential_of.get(symbol, engine.potential),
            }
            for symbol in dict.fromkeys(symbols)
        }
        return {"CELL": {**cell, "PERIODIC": "XYZ"}, "COORD": coordinates, **kinds}


def section_lines(sections: Section, depth: int = 0) -> list[str]:
    """Return nested tables as the lines of a CP2K input.

    A table is a section, whose parameter is its key ``_`` or follows its name; a list repeats a
    keyword; the lines of ``*`` have no keyword.
    """
    lines, margin = [], "  " * depth
    for key, value in sections.items():
        if key == "_":
            continue
        if isinstance(value, dict):
            name, _, parameter = key.partition(" ")
            head = f"&{name} {value.get('_', parameter)}".rstrip()
            lines += [margin + head, *section_lines(value, depth + 1), f"{margin}&END {name}"]
        else:
            word = "" if key == "*" else f"{key} "
            items = value if isinstance(value, list) else [value]
            lines += [f"{margin}{word}{_word(item)}" for item in items]
    return lines


def last_forces(text: str, n_atoms: int) -> np.ndarray:
    """Return the last forces that an output prints, in eV/Å; raises UnreadableError."""
    start = text.rfind("ATOMIC FORCES in [a.u.]")
    row = re.compile(rf"^\s*\d+\s+\d+\s+\w+\s+({_NUMBER})\s+({_NUMBER})\s+({_NUMBER})\s*$", re.M)
    rows = row.findall(text, start)[:n_atoms] if start >= 0 else []
    if len(rows) < n_atoms:
        raise UnreadableError("no forces were printed")
    return np.array(rows, dtype=np.float64) * EV_PER_HARTREE / ANGSTROM_PER_BOHR


def last_stress_gpa(text: str) -> np.ndarray:
    """Return the last stress that an output prints in GPa, tension positive.

    CP2K prints the opposite sign: compression is positive.
    """
    start = text.rfind("Analytical stress tensor [GPa]")
    row = re.compile(rf"^\s*STRESS\|\s+[xyz]\s+({_NUMBER})\s+({_NUMBER})\s+({_NUMBER})\s*$", re.M)
    rows = row.findall(text, start)[:3] if start >= 0 else []
    if len(rows) < 3:
        raise UnreadableError("no stress was printed")
    stress = -np.array(rows, dtype=np.float64)
    return (stress + stress.T) / 2.0


def restart_geometry(text: str, crystal: Crystal) -> Crystal:
    """Return the crystal with the cell and coordinates of a restart file."""
    cell_text = _section(text, "CELL")
    coordinates = _section(text, "COORD")
    vectors = [re.search(rf"^\s*{name}\s+(.*)$", cell_text, re.M) for name in "ABC"]
    rows = re.findall(
        rf"^\s*[A-Z][a-z]?\s+({_NUMBER})\s+({_NUMBER})\s+({_NUMBER})",
        coordinates,
        re.M,
    )
    if not all(vectors) or len(rows) != crystal.n_atoms:
        raise UnreadableError("the restart file has no geometry")
    cell = np.array([match[1].split()[:3] for match in vectors if match], dtype=np.float64)
    values = np.array(rows, dtype=np.float64)
    if re.search(r"^\s*SCALED(\s+(T|\.TRUE\.))?\s*$", coordinates, re.M):
        return crystal.replace(cell=cell, scaled=values)
    return type(crystal).from_positions(crystal.numbers, cell, values)


def data_folder(engine: Cp2kSettings) -> Path | None:
    """Return the folder of basis sets and potentials; None leaves it to the program."""
    named = (
        engine.data or engine.environment.get("CP2K_DATA_DIR") or os.environ.get("CP2K_DATA_DIR")
    )
    return Path(named).expanduser() if named else None


def problems(engine: Cp2kSettings, elements: Sequence[str]) -> list[str]:
    """Return what keeps CP2K from running for some elements, each with its remedy."""
    found = [
        *missing_programs(engine, "mpirun -n {cores} /path/to/cp2k.psmp"),
        *missing_scratch(engine),
    ]
    folder = data_folder(engine)
    if folder is None:
        return found
    if not (folder / POTENTIAL_FILE).is_file():
        found.append(
            f"{folder} has no {POTENTIAL_FILE}. Add to the engine: data = '/path/to/cp2k/data'"
        )
        return found
    basis = "\n".join(
        (folder / name).read_text() for name in BASIS_FILES if (folder / name).is_file()
    )
    potential = (folder / POTENTIAL_FILE).read_text()
    for symbol in elements:
        wanted = (
            ("basis_of", engine.basis_of.get(symbol, engine.basis), basis),
            ("potential_of", engine.potential_of.get(symbol, engine.potential), potential),
        )
        for key, name, text in wanted:
            there = re.findall(rf"^\s*{symbol}\s+(.*)$", text, re.M)
            names = [word for line in there for word in line.split()]
            if name not in names:
                choice = ", ".join(dict.fromkeys(names[:6])) or "none at all"
                found.append(
                    f"{folder} has no {name} for {symbol} (it has {choice}). Add to the engine: "
                    f"{key} = {{ {symbol} = '{names[0] if names else name}' }}"
                )
    return found


def installed_version(engine: Cp2kSettings) -> str:
    """Return the version that the program says it is, empty if it says none."""
    try:
        done = subprocess.run(
            [engine.words()[-1], "--version"], capture_output=True, text=True, timeout=60.0
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    match = re.search(r"CP2K version (\S+)", done.stdout)
    return match[1] if match else ""


def _motion(goal: Goal) -> Section:
    """Return the section of an optimisation, its limits in Hartree, Bohr and bar."""
    limits: Section = {
        "OPTIMIZER": "BFGS",
        "MAX_ITER": goal.max_steps,
        "MAX_FORCE": goal.fmax * ANGSTROM_PER_BOHR / EV_PER_HARTREE,
        "RMS_FORCE": goal.fmax * ANGSTROM_PER_BOHR / EV_PER_HARTREE,
        "MAX_DR": 0.1,
        "RMS_DR": 0.1,
    }
    if goal.relax == "positions":
        return {"GEO_OPT": limits}
    limits["EXTERNAL_PRESSURE"] = f"[bar] {goal.pressure_gpa * BAR_PER_GPA}"
    limits["PRESSURE_TOLERANCE"] = f"[bar] {goal.max_stress_gpa * BAR_PER_GPA / 2.0}"
    return {"CELL_OPT": limits}


def _word(value: object) -> str:
    if isinstance(value, bool):
        return "T" if value else "F"
    return f"{value:.10g}" if isinstance(value, float) else str(value)


def _section(text: str, name: str) -> str:
    """Return the text of a section; ``CELL`` is not ``CELL_OPT``."""
    match = re.search(rf"^\s*&{name}\s*$(.*?)^\s*&END {name}\s*$", text, re.M | re.S)
    return match[1] if match else ""
