"""GULP with rigid ions: fractional input in; energy, derivatives and geometry of its output out."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from pydantic import Field

from nucleate.crystal.elements import MAX_NUMBER
from nucleate.energy.level import LevelOfTheory
from nucleate.programs.levels import settings_hash
from nucleate.programs.preflight import missing_programs, missing_scratch
from nucleate.programs.program import Goal, Launch, StageResult, UnreadableError
from nucleate.programs.settings import ExternalSettings, Stage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nucleate.crystal.crystal import Crystal

_WHAT = {"none": "conp gradients", "positions": "opti conv", "cell": "opti conp"}
_NUMBER = r"-?\d+\.\d+"
_TOTAL = re.compile(rf"Total lattice (energy|enthalpy)\s+=\s+({_NUMBER})\s+eV")
_WORK = re.compile(rf"Pressure\*volume\s+=\s+({_NUMBER})\s+eV")
_ROW = re.compile(rf"^\s*\d+\s+\S+\s+([cs])\s+({_NUMBER})\s*\*?\s*({_NUMBER})\s*\*?\s*({_NUMBER})")
_STRESS_ROWS = (("xx", "yz"), ("yy", "xz"), ("zz", "xy"))


class GulpStage(Stage):
    """A stage of GULP."""

    keywords: str = Field("", description="Words of the keyword line besides opti, conp, conv.")
    options: tuple[str, ...] = Field((), description="Lines at the end of the input.")


class GulpSettings(ExternalSettings):
    """GULP, with your own force field for rigid ions."""

    works: ClassVar[tuple[str, ...]] = ("gale2003",)

    preset: str = Field("paper", description="Recipe that the other keys change.")
    command: str = Field("gulp", description="As for every program.")
    library: str | None = Field(None, description="Library file with the force field.")
    options: tuple[str, ...] = Field((), description="Lines of every stage.")
    stage: tuple[GulpStage, ...] = Field(min_length=1, description="Stages in order.")

    def program(self, version: str = "") -> Gulp:
        """Return the reader and writer of its files; the program itself may be elsewhere."""
        return Gulp(self, version)

    def problems(self, elements: Sequence[str]) -> list[str]:
        """Return what keeps it from running, each with its remedy."""
        return problems(self, elements)


class Gulp:
    """A :class:`~nucleate.programs.program.Program` that is GULP."""

    elements: frozenset[int] = frozenset(range(1, MAX_NUMBER + 1))
    total_energies: bool = True
    outputs: tuple[str, ...] = ("output",)

    def __init__(self, engine: GulpSettings, version: str = "") -> None:
        from hashlib import sha256

        self._engine = engine
        library = Path(engine.library).expanduser() if engine.library else None
        self._library = library
        name = library.name if library else "options"
        checkpoint = sha256(library.read_bytes()).hexdigest()[:12] if library else ""
        self.level = LevelOfTheory("gulp", version, name, checkpoint, settings_hash(engine))

    def write(self, folder: Path, crystal: Crystal, stage: GulpStage, goal: Goal) -> Launch:
        """Write the input of a stage; GULP reads it from standard input."""
        from ase.data import chemical_symbols

        lines = [f"{_WHAT[goal.relax]} nosymmetry stress_out {stage.keywords}".rstrip(), "vectors"]
        lines += [" ".join(f"{x:.10f}" for x in vector) for vector in crystal.cell]
        lines.append("fractional")
        lines += [
            f"{chemical_symbols[number]} core " + " ".join(f"{x:.10f}" for x in scaled)
            for number, scaled in zip(crystal.numbers, crystal.scaled, strict=True)
        ]
        if goal.pressure_gpa:
            lines.append(f"pressure {goal.pressure_gpa:g} GPa")
        if goal.relax != "none":
            lines.append(f"maxcyc opt {goal.max_steps}")
        if self._library is not None:
            lines.append(f"library {self._library.resolve()} nodump")
        lines += [*self._engine.options, *stage.options]
        (folder / "input").write_text("\n".join(lines) + "\n")
        return Launch(tuple(self._engine.words()), stdin="input")

    def read(self, folder: Path, crystal: Crystal) -> StageResult:
        """Return the final geometry with its energy, forces and stress."""
        text = (folder / "output").read_text(errors="replace")
        totals = _TOTAL.findall(text)
        if not totals:
            raise UnreadableError("no lattice energy was printed")
        kind, value = totals[-1]
        works = _WORK.findall(text) if kind == "enthalpy" else []
        energy = float(value) - (float(works[-1]) if works else 0.0)
        final = final_geometry(text, crystal)
        return StageResult(
            crystal=final,
            energy=energy,
            forces=final_forces(text, final),
            stress_gpa=final_stress_gpa(text),
            scf_converged=True,
            complete="Job Finished at" in text,
            steps=max(1, len(re.findall(r"^\s*Cycle:", text, re.M))),
        )


def final_geometry(text: str, crystal: Crystal) -> Crystal:
    """Return the geometry at the end of an output; the start's after a single point."""
    cell, scaled = crystal.cell, crystal.scaled
    start = text.rfind("Final Cartesian lattice vectors")
    if start >= 0:
        rows = re.findall(rf"^\s*({_NUMBER})\s+({_NUMBER})\s+({_NUMBER})\s*$", text[start:], re.M)
        cell = np.array(rows[:3], dtype=np.float64)
    rows = _table(text, "Final fractional coordinates of atoms", crystal.n_atoms)
    if rows is not None:
        scaled = rows
    if cell.shape != (3, 3):
        raise UnreadableError("the final cell is not whole")
    return crystal.replace(cell=cell, scaled=scaled)


def final_forces(text: str, crystal: Crystal) -> np.ndarray:
    """Return the forces of an output in eV/Å; raises UnreadableError if there are none.

    GULP prints derivatives of the energy, of periodic systems by fractional coordinates in eV.
    """
    by_fraction = _table(text, "Final internal derivatives", crystal.n_atoms)
    if by_fraction is not None:
        return -np.linalg.solve(crystal.cell, by_fraction.T).T
    derivatives = _table(text, "Final Cartesian derivatives", crystal.n_atoms)
    if derivatives is None:
        raise UnreadableError("no derivatives were printed")
    return -derivatives


def final_stress_gpa(text: str) -> np.ndarray:
    """Return the stress of an output in GPa, tension positive as GULP prints it."""
    start = text.rfind("Final stress tensor components")
    values: dict[str, float] = {}
    for diagonal, mixed in _STRESS_ROWS:
        row = re.search(rf"\b{diagonal}\s+({_NUMBER})\s+{mixed}\s+({_NUMBER})", text[start:])
        if start < 0 or row is None:
            raise UnreadableError("no stress was printed")
        values[diagonal], values[mixed] = float(row[1]), float(row[2])
    return np.array(
        [
            [values["xx"], values["xy"], values["xz"]],
            [values["xy"], values["yy"], values["yz"]],
            [values["xz"], values["yz"], values["zz"]],
        ]
    )


def problems(engine: GulpSettings, elements: Sequence[str]) -> list[str]:
    """Return what keeps GULP from running, each with its remedy."""
    del elements
    found = [*missing_programs(engine, "/path/to/gulp"), *missing_scratch(engine)]
    options = (*engine.options, *(line for stage in engine.stage for line in stage.options))
    if engine.library is not None and not Path(engine.library).expanduser().is_file():
        found.append(
            f"library = {engine.library!r} does not exist. Add to the engine: "
            "library = '/path/to/force-field.lib'"
        )
    if engine.library is None and not any(_is_potential(line) for line in options):
        found.append(
            "GULP has no force field. Add to the engine: library = '/path/to/force-field.lib'"
        )
    return found


def _is_potential(line: str) -> bool:
    words = ("buck", "lenn", "morse", "spline", "species", "harm", "library", "reaxff", "tersoff")
    return line.split()[:1] != [] and line.split()[0].lower().startswith(words)


def _table(text: str, title: str, n_atoms: int) -> np.ndarray | None:
    """Return the numbers of the last table with a title for all cores, shape (n_atoms, 3)."""
    start = text.rfind(title)
    if start < 0:
        return None
    rows: list[tuple[str, ...]] = []
    for line in text[start:].splitlines()[1:]:
        match = _ROW.match(line)
        if match:
            rows += [match.groups()[1:]] if match[1] == "c" else []
        elif rows and line.lstrip().startswith("---"):
            break
    if len(rows) != n_atoms:
        raise UnreadableError(f"the table {title!r} is not whole")
    return np.array(rows, dtype=np.float64)
