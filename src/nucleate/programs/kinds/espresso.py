"""Quantum ESPRESSO: pw.x, written and read with ASE."""

from __future__ import annotations

import os
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, cast

import numpy as np
from pydantic import Field

from nucleate.crystal.crystal import Crystal
from nucleate.crystal.elements import MAX_NUMBER
from nucleate.energy.level import LevelOfTheory
from nucleate.errors import InputError
from nucleate.programs.kpoints import kpoint_grid
from nucleate.programs.levels import settings_hash
from nucleate.programs.preflight import missing_programs, missing_scratch
from nucleate.programs.presets import nearest
from nucleate.programs.program import Goal, Launch, StageResult, UnreadableError
from nucleate.programs.settings import ExternalSettings, GridStage, Value
from nucleate.units import ANGSTROM_PER_BOHR, EV_PER_RYDBERG, GPA_PER_EV_A3, KBAR_PER_GPA

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms
    from ase.constraints import FixAtoms
    from numpy.typing import NDArray


EV_A_PER_RY_BOHR = EV_PER_RYDBERG / ANGSTROM_PER_BOHR
"""eV/Å in one Ry/Bohr."""
RY_PER_EV = 1.0 / EV_PER_RYDBERG
_CALCULATION = {"none": "scf", "positions": "relax", "cell": "vc-relax"}


class EspressoStage(GridStage):
    """A stage of Quantum ESPRESSO."""

    input: dict[str, Value] = Field(
        default_factory=dict,
        description="Keys of pw.x (Ry and Bohr) in addition to those of the engine.",
    )


class EspressoSettings(ExternalSettings):
    """Quantum ESPRESSO's pw.x; bring your own pseudopotentials."""

    works: ClassVar[tuple[str, ...]] = ("giannozzi2017",)

    command: str = Field("mpirun -n {cores} pw.x", description="As for every program.")
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

    def program(self, version: str = "") -> Espresso:
        """Return the reader and writer of its files; the program itself may be elsewhere."""
        return Espresso(self, version)

    def problems(self, elements: Sequence[str]) -> list[str]:
        """Return what keeps it from running, each with its remedy."""
        return problems(self, elements)


class Espresso:
    """A :class:`~nucleate.programs.program.Program` that is pw.x."""

    elements: frozenset[int] = frozenset(range(1, MAX_NUMBER + 1))
    total_energies: bool = True
    holds_atoms: bool = True
    outputs: tuple[str, ...] = ("CRASH", "output")

    def __init__(self, engine: EspressoSettings, version: str = "") -> None:
        self._engine = engine
        asked = {**engine.input, **engine.stage[-1].input}
        model = str(asked.get("input_dft", "of the pseudopotentials"))
        self.level = LevelOfTheory("espresso", version, model, settings=settings_hash(engine))

    def write(self, folder: Path, crystal: Crystal, stage: EspressoStage, goal: Goal) -> Launch:
        """Write the input of pw.x; the user's own keys win."""
        from ase.io.espresso import write_espresso_in

        atoms = crystal.to_ase()
        if goal.fixed is not None:
            atoms.set_constraint(_constraint(goal.fixed))
        symbols = dict.fromkeys(atoms.get_chemical_symbols())
        files = {symbol: pseudopotential(self._engine, symbol) for symbol in symbols}
        values = {**keys_of(goal), **self._engine.input, **stage.input}
        values["pseudo_dir"] = str(next(iter(files.values())).parent)
        with (folder / "input").open("w", encoding="utf-8") as file:
            write_espresso_in(
                file,
                atoms,
                input_data=values,
                pseudopotentials={symbol: path.name for symbol, path in files.items()},
                kpts=kpoint_grid(crystal.cell, stage.kspacing),
                crystal_coordinates=True,
            )
        return Launch((*self._engine.words(), "-in", "input"))

    def read(self, folder: Path, crystal: Crystal) -> StageResult:
        """Return the last geometry with energy, forces and stress."""
        from ase.io import read

        path = folder / "output"
        if not path.is_file():
            raise UnreadableError("there is no output")
        text = path.read_text(errors="replace")
        try:
            steps = cast("list[Atoms]", read(StringIO(text), ":", format="espresso-out"))
        except Exception as error:
            raise UnreadableError(f"the output is broken ({type(error).__name__})") from error
        images = [image for image in steps if _is_whole(image)]
        if not images:
            raise UnreadableError("no step with energy, forces and stress was printed")
        image = images[-1]
        if not np.array_equal(image.numbers, crystal.numbers):
            raise UnreadableError(f"the output is of {image.get_chemical_formula()}")
        return StageResult(
            crystal=Crystal.from_positions(crystal.numbers, image.cell.array, image.positions),
            energy=float(image.get_potential_energy()),
            forces=image.get_forces(),
            stress_gpa=image.get_stress(voigt=False) * GPA_PER_EV_A3,
            scf_converged=_scf_converged(text),
            complete="JOB DONE" in text,
            steps=len(images),
        )


def _constraint(fixed: NDArray[np.bool_]) -> FixAtoms:
    """Return what ASE writes as ``if_pos`` 0 0 0; raises InputError for parts of an atom."""
    from ase.constraints import FixAtoms

    if (fixed.any(axis=1) != fixed.all(axis=1)).any():
        raise InputError(
            "pw.x holds Cartesian coordinates, not fractional ones. Fix atoms with all three."
        )
    return FixAtoms(mask=fixed.all(axis=1))


def keys_of(goal: Goal) -> dict[str, Value]:
    """Return the keys of pw.x that follow from what a stage is to reach, in Ry, Bohr and kbar."""
    values: dict[str, Value] = {
        "calculation": _CALCULATION[goal.relax],
        "prefix": "nucleate",
        "outdir": "./outdir",
        "tprnfor": True,
        "tstress": True,
        "disk_io": "low",
    }
    if goal.relax != "none":
        values["nstep"] = goal.max_steps
        values["forc_conv_thr"] = goal.fmax / EV_A_PER_RY_BOHR
        values["etot_conv_thr"] = 1e-3 * RY_PER_EV
    if goal.relax == "cell":
        values["press"] = goal.pressure_gpa * KBAR_PER_GPA
        values["press_conv_thr"] = goal.max_stress_gpa * KBAR_PER_GPA
        values["cell_dofree"] = "all"
    return values


def pseudopotential(engine: EspressoSettings, symbol: str) -> Path:
    """Return the file of an element; raises InputError if there is none, or a choice."""
    folder = pseudopotential_folder(engine)
    if folder is None:
        raise InputError(
            "the pseudopotentials of Quantum ESPRESSO are not known. Add to the engine: "
            "pseudopotentials = '/path/to/folder' (or set ESPRESSO_PSEUDO)"
        )
    named = engine.files.get(symbol)
    if named is not None:
        if not (folder / named).is_file():
            raise InputError(
                f"files.{symbol} = {named!r} is not in {folder}. "
                f"{nearest(named, sorted(item.name for item in folder.glob('*')))}"
            )
        return folder / named
    found = sorted(
        path
        for path in (folder.iterdir() if folder.is_dir() else ())
        if path.suffix.lower() == ".upf"
        and path.name.lower().startswith(symbol.lower())
        and not path.name[len(symbol)].isalpha()
    )
    if len(found) == 1:
        return found[0]
    choice = f"several files for {symbol}" if found else f"no UPF file for {symbol}"
    name = found[0].name if found else f"{symbol}.upf"
    raise InputError(f"{folder} has {choice}. Add to the engine: files = {{ {symbol} = '{name}' }}")


def pseudopotential_folder(engine: EspressoSettings) -> Path | None:
    """Return the folder of UPF files, None if neither key nor variable names one."""
    named = (
        engine.pseudopotentials
        or engine.environment.get("ESPRESSO_PSEUDO")
        or os.environ.get("ESPRESSO_PSEUDO")
    )
    return Path(named).expanduser() if named else None


def problems(engine: EspressoSettings, elements: Sequence[str]) -> list[str]:
    """Return what keeps pw.x from running for some elements, each with its remedy."""
    found = [
        *missing_programs(engine, "mpirun -n {cores} /path/to/pw.x"),
        *missing_scratch(engine),
        *_unknown_keys(engine),
    ]
    folder = pseudopotential_folder(engine)
    if folder is None or not folder.is_dir():
        where = "" if folder is None else f" ({folder} does not exist)"
        found.append(
            f"the pseudopotentials of Quantum ESPRESSO are not found{where}. Add to the engine: "
            "pseudopotentials = '/path/to/folder' (or set ESPRESSO_PSEUDO)"
        )
        return found
    for symbol in elements:
        try:
            pseudopotential(engine, symbol)
        except InputError as error:
            found.append(str(error))
    return found


def _unknown_keys(engine: EspressoSettings) -> list[str]:
    from ase.io.espresso_namelist.keys import pw_keys

    known = {key.lower() for keys in pw_keys.values() for key in keys}
    keys = {key: None for table in (engine, *engine.stage) for key in table.input}
    return [
        f"input.{key} is not a key of pw.x. {nearest(key, sorted(known))}"
        for key in keys
        if key.lower().split("(")[0] not in known
    ]


def _scf_converged(text: str) -> bool:
    last = text[text.rfind("Self-consistent Calculation") :]
    return "convergence has been achieved" in last and "convergence NOT achieved" not in last


def _is_whole(image: object) -> bool:
    results = getattr(getattr(image, "calc", None), "results", {})
    return all(results.get(name) is not None for name in ("energy", "forces", "stress"))
