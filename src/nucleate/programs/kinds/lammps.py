"""LAMMPS in units metal: a data file and a script in; printed numbers and a dump out."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from pydantic import Field

from nucleate.crystal.elements import element
from nucleate.energy.level import LevelOfTheory
from nucleate.programs.levels import settings_hash
from nucleate.programs.preflight import missing_programs, missing_scratch
from nucleate.programs.program import Goal, Launch, StageResult, UnreadableError
from nucleate.programs.settings import ExternalSettings, Stage
from nucleate.units import BAR_PER_GPA

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from nucleate.crystal.crystal import Crystal

_BOX = ("lx", "xy", "ly", "xz", "yz", "lz")
_PRESSURE = ("pxx", "pyy", "pzz", "pyz", "pxz", "pxy")
_COLUMNS = "id xsu ysu zsu fx fy fz"
_VOIGT = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))
_NUMBERS = " ".join(f"$({name}:%.15g)" for name in ("pe", "step", *_BOX, *_PRESSURE))


class LammpsStage(Stage):
    """A stage of LAMMPS."""

    lines: tuple[str, ...] = Field((), description="Commands before the minimisation.")


class LammpsSettings(ExternalSettings):
    """LAMMPS in units metal, with your own force field."""

    works: ClassVar[tuple[str, ...]] = ("thompson2022",)

    command: str = Field("mpirun -n {cores} lmp", description="As for every program.")
    elements: tuple[str, ...] = Field((), description="Elements by atom type, the first is type 1.")
    charges: dict[str, float] = Field(default_factory=dict, description="Charge of an element.")
    potential: tuple[str, ...] = Field(
        (), description="Commands of the force field, such as pair_style and pair_coeff."
    )
    stage: tuple[LammpsStage, ...] = Field(min_length=1, description="Stages in order.")

    def program(self, version: str = "") -> Lammps:
        """Return the reader and writer of its files; the program itself may be elsewhere."""
        return Lammps(self, version)

    def problems(self, elements: Sequence[str]) -> list[str]:
        """Return what keeps it from running, each with its remedy."""
        return problems(self, elements)

    def installed_version(self) -> str:
        """Return the version that the program itself tells."""
        return installed_version(self)


class Lammps:
    """A :class:`~nucleate.programs.program.Program` that is LAMMPS."""

    total_energies: bool = True
    outputs: tuple[str, ...] = ("output",)

    def __init__(self, engine: LammpsSettings, version: str = "") -> None:
        self._engine = engine
        self.elements = frozenset(element(symbol).number for symbol in engine.elements)
        model = engine.potential[0] if engine.potential else "none"
        self.level = LevelOfTheory("lammps", version, model, settings=settings_hash(engine))

    def write(self, folder: Path, crystal: Crystal, stage: LammpsStage, goal: Goal) -> Launch:
        """Write the data file, in LAMMPS' own orientation of the cell, and the script."""
        (folder / "data.lmp").write_text(self._data(crystal))
        (folder / "input").write_text("\n".join(self._script(stage, goal)) + "\n")
        return Launch((*self._engine.words(), "-in", "input", "-log", "none"))

    def read(self, folder: Path, crystal: Crystal) -> StageResult:
        """Return the final geometry, in the orientation in which it was given."""
        text = (folder / "output").read_text(errors="replace")
        found = re.findall(r"^nucleate: (.*)$", text, re.M)
        dump = folder / "final.dump"
        if not found or not dump.is_file():
            raise UnreadableError("no final energy was printed")
        energy, steps, *rest = (float(word) for word in found[-1].split())
        box, pressure = np.array(rest[:6]), np.array(rest[6:])
        lower = np.zeros((3, 3))
        lower[np.tril_indices(3)] = box
        rows = np.loadtxt(dump, skiprows=9, ndmin=2)
        if len(rows) != crystal.n_atoms:
            raise UnreadableError("the dump of the final geometry is not whole")
        _, rotation = lower_triangular(crystal.cell)
        stress = np.zeros((3, 3))
        for (i, j), value in zip(_VOIGT, pressure, strict=True):
            stress[i, j] = stress[j, i] = -value / BAR_PER_GPA
        return StageResult(
            crystal=crystal.replace(cell=lower @ rotation, scaled=rows[:, 1:4]),
            energy=energy,
            forces=rows[:, 4:7] @ rotation,
            stress_gpa=rotation.T @ stress @ rotation,
            scf_converged=True,
            complete="Total wall time" in text,
            steps=max(int(steps), 1),
        )

    def _data(self, crystal: Crystal) -> str:
        from ase.data import atomic_masses

        types = {element(symbol).number: k for k, symbol in enumerate(self._engine.elements, 1)}
        lower, _ = lower_triangular(crystal.cell)
        masses = [f"{k} {atomic_masses[number]:.6f}" for number, k in types.items()]
        charges = {
            element(symbol).number: charge for symbol, charge in self._engine.charges.items()
        }
        atoms = [
            f"{row} {types[number]} {charges.get(number, 0.0):.8g} "
            + " ".join(f"{x:.12f}" for x in position)
            for row, (number, position) in enumerate(
                zip(crystal.numbers.tolist(), crystal.scaled @ lower, strict=True), 1
            )
        ]
        lengths = [f"0.0 {lower[k, k]:.12f} {name}lo {name}hi" for k, name in enumerate("xyz")]
        tilt = f"{lower[1, 0]:.12f} {lower[2, 0]:.12f} {lower[2, 1]:.12f} xy xz yz"
        head = ["nucleate", "", f"{crystal.n_atoms} atoms", f"{len(types)} atom types", ""]
        parts = [*head, *lengths, tilt, "", "Masses", "", *masses, "", "Atoms # charge", "", *atoms]
        return "\n".join(parts) + "\n"

    def _script(self, stage: LammpsStage, goal: Goal) -> list[str]:
        engine = self._engine
        start = ["units metal", "atom_style charge", "atom_modify map array", "boundary p p p"]
        start += ["box tilt large", "read_data data.lmp"]
        start += [
            line.replace("{elements}", " ".join(engine.elements)) for line in engine.potential
        ]
        start += ["thermo 50", "thermo_style custom step pe fmax pxx pyy pzz pyz pxz pxy lx ly lz"]
        moves: list[str] = []
        if goal.relax != "none":
            moves = ["min_modify norm max", *stage.lines]
            minimise = f"minimize 0.0 {goal.fmax:g} {goal.max_steps} {20 * goal.max_steps}"
            if goal.relax == "cell":
                bar = goal.pressure_gpa * BAR_PER_GPA
                moves += [f"fix box all box/relax tri {bar:.8g} vmax 0.005", minimise, "unfix box"]
            else:
                moves.append(minimise)
        end = [
            "run 0",
            f'print "nucleate: {_NUMBERS}"',
            f"write_dump all custom final.dump {_COLUMNS} modify sort id format float %.15g",
        ]
        return [*start, *moves, *end]


def lower_triangular(cell: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return a cell in LAMMPS' orientation and the rotation that takes it back.

    Returns
    -------
    lower, rotation : ndarray of float64, shape (3, 3)
        ``lower @ rotation`` is the cell; the diagonal of ``lower`` is positive. The rotation
        holds a reflection if the cell is left-handed.
    """
    orthogonal, upper = np.linalg.qr(np.asarray(cell).T)
    signs = np.sign(np.diag(upper))
    return (upper * signs[:, None]).T, (orthogonal * signs).T


def problems(engine: LammpsSettings, elements: Sequence[str]) -> list[str]:
    """Return what keeps LAMMPS from running for some elements, each with its remedy."""
    found = [
        *missing_programs(engine, "mpirun -n {cores} /path/to/lmp"),
        *missing_scratch(engine),
    ]
    if not engine.potential:
        found.append(
            "LAMMPS has no force field. Add to the engine: potential = ['pair_style ...', "
            "'pair_coeff ...']"
        )
    unknown = [symbol for symbol in elements if symbol not in engine.elements]
    if unknown or not engine.elements:
        listed = [*engine.elements, *unknown]
        found.append(
            f"elements = {list(engine.elements)} lacks {', '.join(unknown) or 'all elements'}. "
            f"Add to the engine, in the order of the atom types: elements = {listed}"
        )
    return found


def installed_version(engine: LammpsSettings) -> str:
    """Return the version that the program says it is, empty if it says none."""
    try:
        done = subprocess.run(
            [engine.words()[-1], "-help"], capture_output=True, text=True, timeout=60.0
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    match = re.search(r"Simulator - (.+)", done.stdout)
    return match[1].strip() if match else ""
