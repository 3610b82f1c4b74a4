"""VASP: POSCAR, INCAR and POTCAR in; vasprun.xml and OUTCAR out."""

from __future__ import annotations

import gzip
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from pydantic import Field

from nucleate.crystal.crystal import Crystal
from nucleate.crystal.elements import MAX_NUMBER
from nucleate.crystal.files import write_poscar
from nucleate.crystal.formula import chemical_ranks, counts_of
from nucleate.energy.level import LevelOfTheory
from nucleate.errors import InputError
from nucleate.programs.levels import settings_hash
from nucleate.programs.open_shells import OTHERS, hubbard_u, initial_moments, is_f_element
from nucleate.programs.preflight import missing_programs, missing_scratch
from nucleate.programs.presets import nearest
from nucleate.programs.program import Goal, Launch, StageResult, UnreadableError
from nucleate.programs.settings import ExternalSettings, GridStage, Value
from nucleate.units import GPA_PER_EV_A3, KBAR_PER_GPA

if TYPE_CHECKING:
    from collections.abc import Sequence


_ISIF = {"none": 2, "positions": 2, "cell": 3}
_ENMAX = re.compile(r"ENMAX\s*=\s*([\d.]+)")


class VaspStage(GridStage):
    """A stage of VASP."""

    incar: dict[str, Value] = Field(
        default_factory=dict, description="Keys of INCAR in addition to those of the engine."
    )


class VaspSettings(ExternalSettings):
    """VASP; bring your own licence, program and potentials."""

    works: ClassVar[tuple[str, ...]] = ("kresse1996",)
    supports: ClassVar[frozenset[str]] = frozenset({"guards.energy_window_ev_per_atom"})

    preset: str = Field("paper", description="Recipe that the other keys change.")
    command: str = Field("mpirun -n {cores} vasp_std", description="As for every program.")
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
    spin: Literal["auto", "on", "off"] = Field(
        "off",
        description="Spin polarisation: auto where an element has an open d or f shell, with "
        "high-spin initial moments.",
    )
    hubbard_u: Literal["none", "mp"] | dict[str, float] = Field(
        "none",
        description="U - J in eV by element (Dudarev), or mp: the values of the Materials Project "
        "for oxides and fluorides.",
    )
    input_set: str | None = Field(
        None,
        description="Input set of pymatgen, such as MPRelaxSet, from which INCAR, KPOINTS and "
        "setups come; other keys change it.",
    )
    incar: dict[str, Value] = Field(default_factory=dict, description="INCAR of every stage.")
    stage: tuple[VaspStage, ...] = Field(min_length=1, description="Stages in order.")

    def program(self, version: str = "") -> Vasp:
        """Return the reader and writer of its files; the program itself may be elsewhere."""
        return Vasp(self, version)

    def write_job(
        self, folder: Path, crystal: Crystal, goal: Goal
    ) -> tuple[Launch, tuple[str, ...]]:
        """Write the input of the last stage; POTCAR is made there where it cannot be made here."""
        place = potential_folder(self)
        if place is not None and place.is_dir():
            return super().write_job(folder, crystal, goal)
        return _write_without_potentials(folder, crystal, self, goal)

    def problems(self, elements: Sequence[str]) -> list[str]:
        """Return what keeps it from running, each with its remedy."""
        return problems(self, elements)


class Vasp:
    """A :class:`~nucleate.programs.program.Program` that is VASP."""

    elements: frozenset[int] = frozenset(range(1, MAX_NUMBER + 1))
    total_energies: bool = False
    holds_atoms: bool = True
    outputs: tuple[str, ...] = ("OUTCAR", "output")

    def __init__(self, engine: VaspSettings, version: str = "") -> None:
        self._engine = engine
        incar = {**engine.incar, **engine.stage[-1].incar}
        model = {"PE": "PBE", "PS": "PBEsol"}.get(str(incar.get("GGA")), str(incar.get("GGA")))
        self.level = LevelOfTheory("vasp", version, model, settings=settings_hash(engine))

    def write(self, folder: Path, crystal: Crystal, stage: VaspStage, goal: Goal) -> Launch:
        """Write POSCAR, POTCAR and INCAR (and KPOINTS of an input set)."""
        write_poscar(folder / "POSCAR", crystal, fixed=goal.fixed)
        recipe = recipe_of(self._engine, crystal)
        potcars = [read_potcar(self._engine, name) for name in recipe.setups.values()]
        (folder / "POTCAR").write_text("".join(potcars))
        incar = incar_of(self._engine, stage, goal, largest_enmax(potcars), recipe)
        (folder / "INCAR").write_text(incar_text(incar))
        if recipe.kpoints:
            (folder / "KPOINTS").write_text(recipe.kpoints)
        return Launch(tuple(self._engine.words()))

    def read(self, folder: Path, crystal: Crystal) -> StageResult:
        """Return the last geometry that has forces."""
        from ase.io.vasp import read_vasp_xml

        path = folder / "vasprun.xml"
        if not path.is_file():
            raise UnreadableError("there is no vasprun.xml")
        steps = read_vasp_xml(path, index=slice(None))  # pyright: ignore[reportArgumentType]
        images = [image for image in steps if _is_whole(image)]
        if not images:
            raise UnreadableError("vasprun.xml holds no finished step")
        image = images[-1]
        order = _order(crystal)
        if not np.array_equal(image.numbers, crystal.numbers[order]):
            raise UnreadableError(f"vasprun.xml is of {image.get_chemical_formula()}")
        back = np.argsort(order)
        outcar = folder / "OUTCAR"
        text = outcar.read_text(errors="replace") if outcar.is_file() else ""
        return StageResult(
            crystal=Crystal(
                crystal.numbers, image.cell.array, image.get_scaled_positions(wrap=False)[back]
            ),
            energy=float(image.get_potential_energy()),
            forces=image.get_forces()[back],
            stress_gpa=image.get_stress(voigt=False) * GPA_PER_EV_A3,
            scf_converged=scf_converged(text),
            complete="General timing and accounting" in text,
            steps=len(images),
        )


def incar_of(
    engine: VaspSettings, stage: VaspStage, goal: Goal, enmax: float, recipe: Recipe
) -> dict[str, Value]:
    """Return the keys of INCAR for a stage; the user's own win."""
    moves = goal.relax != "none"
    values: dict[str, Value] = {
        "ENCUT": round(engine.encut_factor * enmax, 3),
        **({} if recipe.kpoints else {"KSPACING": stage.kspacing, "KGAMMA": True}),
        **recipe.incar,
        "ISIF": _ISIF[goal.relax],
        "NSW": goal.max_steps if moves else 0,
        "IBRION": 2 if moves else -1,
    }
    if moves:
        values["EDIFFG"] = -goal.fmax
    else:
        values.pop("EDIFFG", None)
    if goal.pressure_gpa:
        values["PSTRESS"] = KBAR_PER_GPA * goal.pressure_gpa
    own = {key.upper(): value for key, value in {**engine.incar, **stage.incar}.items()}
    if not moves:
        own = {key: value for key, value in own.items() if key not in ("IBRION", "EDIFFG", "NSW")}
    return {**values, **own}


def incar_text(values: dict[str, Value]) -> str:
    """Return the text of an INCAR file."""
    return "".join(f"{key} = {_incar_value(value)}\n" for key, value in values.items())


def largest_enmax(potcars: Sequence[str]) -> float:
    """Return the largest ENMAX of some potentials in eV; raises InputError if one has none."""
    found = [_ENMAX.search(text) for text in potcars]
    if not all(found):
        raise InputError("a POTCAR has no ENMAX: it is not a potential of VASP. Check potentials.")
    return max(float(match[1]) for match in found if match)


def scf_converged(outcar: str) -> bool:
    """Return whether the electrons converged in the last step of an OUTCAR."""
    last = outcar.rfind("aborting loop")
    return last >= 0 and "was not reached" not in outcar[last : last + 80]


def read_potcar(engine: VaspSettings, setup: str) -> str:
    """Return the potential of a setup such as ``Ca_sv``; raises InputError if there is none."""
    symbol = setup.split("_")[0].split(".")[0]
    folder = potential_folder(engine)
    if folder is None:
        raise InputError(
            "the potentials of VASP are not known. Add to the engine: "
            "potentials = '/path/to/potpaw_PBE' (or set VASP_PP_PATH to the folder above it)"
        )
    place = folder / setup
    for path in (place / "POTCAR", place / "POTCAR.gz"):
        if path.is_file():
            data = path.read_bytes()
            return (gzip.decompress(data) if path.suffix == ".gz" else data).decode("latin-1")
    there = sorted(item.name for item in folder.glob(f"{symbol}*")) if folder.is_dir() else []
    own = [name for name in there if re.fullmatch(rf"{symbol}(?![a-z]).*", name)]
    choice = f"one of {', '.join(own)}" if own else "such a folder"
    raise InputError(
        f"{place}: there is no POTCAR. Add {choice} to the engine: "
        f"setups = {{ {symbol} = '{own[0] if own else symbol}' }}"
    )


def potential_folder(engine: VaspSettings) -> Path | None:
    """Return the folder with the setups, None if neither key nor variable names one."""
    if engine.potentials:
        return Path(engine.potentials).expanduser()
    root = engine.environment.get("VASP_PP_PATH") or os.environ.get("VASP_PP_PATH")
    return Path(root) / "potpaw_PBE" if root else None


def setup_name(engine: VaspSettings, symbol: str) -> str:
    """Return the name of an element's setup, such as ``Ca_sv``."""
    from ase.calculators.vasp.setups import setups_defaults

    base = engine.setups.get("base", "minimal")
    if base not in setups_defaults:
        raise InputError(f"setups.base = {base!r} is not known. {nearest(base, setups_defaults)}")
    setup = engine.setups.get(symbol) or str(setups_defaults[base].get(symbol, ""))
    return setup if setup.startswith(symbol) else symbol + setup


def problems(engine: VaspSettings, elements: Sequence[str]) -> list[str]:
    """Return what keeps VASP from running for some elements, each with its remedy."""
    found = [
        *missing_programs(engine, "mpirun -n {cores} /path/to/vasp_std"),
        *missing_scratch(engine),
        *_unknown_keys(engine),
    ]
    folder = potential_folder(engine)
    if folder is None or not folder.is_dir():
        where = "" if folder is None else f" ({folder} does not exist)"
        found.append(
            f"the potentials of VASP are not found{where}. Add to the engine: potentials = "
            "'/path/to/potpaw_PBE' (or set VASP_PP_PATH to the folder above it)"
        )
        return found
    for symbol in elements:
        try:
            largest_enmax([read_potcar(engine, setup_name(engine, symbol))])
        except InputError as error:
            found.append(str(error))
    return found


def _unknown_keys(engine: VaspSettings) -> list[str]:
    from ase.calculators.vasp import create_input as known

    lists = ("float", "exp", "string", "int", "bool", "list_int", "list_bool", "list_float")
    names = {key.upper() for name in lists for key in getattr(known, f"{name}_keys")}
    names |= {key.upper() for key in known.special_keys} | {"KGAMMA", "KSPACING", "MAGMOM"}
    keys = {key: None for table in (engine, *engine.stage) for key in table.incar}
    return [
        f"incar.{key} is not a key of VASP. {nearest(key, sorted(names))}"
        for key in keys
        if key.upper() not in names
    ]


@dataclass(frozen=True, slots=True)
class Recipe:
    """What the composition and the input set decide.

    Attributes
    ----------
    setups : dict
        Setup of each element, in the order of POSCAR.
    incar : dict
        Keys of INCAR.
    kpoints : str
        Text of KPOINTS; empty where KSPACING does its work.
    """

    setups: dict[str, str]
    incar: dict[str, Value]
    kpoints: str = ""


def recipe_of(engine: VaspSettings, crystal: Crystal) -> Recipe:
    """Return setups and keys that depend on the crystal; raises InputError for an unknown set."""
    counts = counts_of(crystal.numbers)
    if engine.input_set is not None:
        from nucleate.programs.materials_project import input_set

        setups, incar, kpoints = input_set(engine.input_set, crystal)
        own = {symbol: setup_name(engine, symbol) for symbol in counts if symbol in engine.setups}
        return Recipe({**setups, **own}, incar, kpoints)
    setups = {symbol: setup_name(engine, symbol) for symbol in counts}
    return Recipe(setups, {**_spin(engine, counts), **_hubbard(engine, counts)})


def _spin(engine: VaspSettings, counts: dict[str, int]) -> dict[str, Value]:
    moments = {} if engine.spin == "off" else initial_moments(counts)
    if engine.spin == "on" and not moments:
        moments = dict.fromkeys(counts, OTHERS)
    if not moments:
        return {}
    text = " ".join(f"{count}*{moments[symbol]:g}" for symbol, count in counts.items())
    return {"ISPIN": 2, "MAGMOM": text}


def _hubbard(engine: VaspSettings, counts: dict[str, int]) -> dict[str, Value]:
    values = hubbard_u(counts, engine.hubbard_u)
    if not values:
        return {}
    shells = [(3 if is_f_element(name) else 2) if name in values else -1 for name in counts]
    return {
        "LDAU": True, "LDAUTYPE": 2, "LDAUL": shells,
        "LDAUU": [values.get(name, 0.0) for name in counts], "LDAUJ": [0.0] * len(counts),
        "LMAXMIX": 6 if 3 in shells else 4,
    }  # fmt: skip


def _order(crystal: Crystal) -> np.ndarray:
    return chemical_ranks(crystal.numbers)


def _is_whole(image: object) -> bool:
    results = getattr(getattr(image, "calc", None), "results", {})
    return all(results.get(name) is not None for name in ("energy", "forces", "stress"))


def _incar_value(value: Value) -> str:
    if isinstance(value, bool):
        return ".TRUE." if value else ".FALSE."
    if isinstance(value, list):
        return " ".join(_incar_value(item) for item in value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def _write_without_potentials(
    folder: Path, crystal: Crystal, engine: VaspSettings, goal: Goal
) -> tuple[Launch, tuple[str, ...]]:
    """Write POSCAR and INCAR; return the lines of a script that make POTCAR and ENCUT there."""
    write_poscar(folder / "POSCAR", crystal)
    recipe = recipe_of(engine, crystal)
    values = incar_of(engine, engine.stage[-1], goal, 0.0, recipe)
    own = {key.upper() for key in (*engine.incar, *engine.stage[-1].incar, *recipe.incar)}
    if "ENCUT" not in own:
        del values["ENCUT"]
    (folder / "INCAR").write_text(incar_text(values))
    if recipe.kpoints:
        (folder / "KPOINTS").write_text(recipe.kpoints)
    setups = recipe.setups.values()
    lines = [
        "# POTCAR is made here, from the potentials of this machine:",
        'potentials="${VASP_PP_PATH:?the folder above potpaw_PBE}/potpaw_PBE"',
        "cat "
        + " ".join(f'"$potentials/{name}/POTCAR"' for name in setups)
        + " > POTCAR || exit 1",
    ]
    if "ENCUT" not in own:
        lines += [
            "grep -q ENCUT INCAR || awk '/ENMAX/ { if ($3 + 0 > m) m = $3 + 0 }",
            f'  END {{ printf "ENCUT = %.3f\\n", {engine.encut_factor:g} * m }}\' POTCAR >> INCAR',
        ]
    return Launch(tuple(engine.words())), tuple(lines)
