"""The check of an external program: of what it writes and reads, without the program itself."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from nucleate.energy.level import LevelOfTheory
from nucleate.errors import InputError
from nucleate.programs.program import Goal, Launch, StageResult, UnreadableError
from nucleate.programs.settings import ExternalSettings
from nucleate.testing.common import component_from, name_of, require

if TYPE_CHECKING:
    from nucleate.crystal.crystal import Crystal
    from nucleate.programs.program import Program


def check_program(
    program: Any,
    crystal: Crystal,
    *,
    finished: str | Path | None = None,
    pressure_gpa: float = 0.0,
) -> None:
    """Check that a program's writer and reader keep their contract.

    For every stage the input must be a function of crystal, stage and goal alone and must lie in
    the folder that is given; a folder without output, and one with a broken output, must be
    called unreadable and give no result.

    Parameters
    ----------
    program
        Component (or its class or kind, where it needs no settings).
    crystal
        What to write; the atoms must be of elements that the program can treat.
    finished
        Folder of a finished calculation of this crystal, to be read as well.
    pressure_gpa
        External pressure.

    Raises
    ------
    ContractError
        With what is broken.
    InputError
        If it is not a program.
    """
    settings = component_from(program, "programs")
    if not isinstance(settings, ExternalSettings):
        raise InputError(f"{name_of(settings)} is not settings of a program.")
    name, built = settings.kind, settings.program()
    require(isinstance(built.level, LevelOfTheory), name, "has no level of theory")
    require(bool(built.outputs), name, "names no output files")
    unknown = set(crystal.numbers.tolist()) - set(built.elements)
    if built.elements and unknown:
        raise InputError(f"{name} does not treat the elements {sorted(unknown)}.")
    for stage in settings.stage:
        for relax in ("none", "positions", "cell"):
            goal = Goal(relax, 5, 0.05, 0.5, pressure_gpa)
            _check_stage(built, name, crystal, stage, goal)
    if finished is not None:
        _check_result(built.read(Path(finished), crystal), name, crystal)


def _check_stage(program: Program, name: str, crystal: Crystal, stage: Any, goal: Goal) -> None:
    before = crystal.replace()
    with TemporaryDirectory() as one, TemporaryDirectory() as other:
        written: list[dict[str, bytes]] = []
        launches: list[Launch] = []
        for place in (one, other):
            folder = Path(place) / "stage"
            folder.mkdir()
            launches.append(program.write(folder, crystal, stage, goal))
            written.append(_files(Path(place), name))
        require(crystal == before, name, "changes the crystal that it writes")
        require(bool(written[0]), name, "writes no input")
        require(written[0] == written[1], name, "writes other files for the same input")
        _check_launch(launches[0], name)
        folder = Path(one) / "stage"
        (folder / launches[0].output).touch()  # as the shell does
        _must_be_unreadable(program, name, folder, crystal, "without output")
        for output in {*program.outputs, launches[0].output}:
            (folder / output).write_bytes(b"\x00\xff killed \n")
        _must_be_unreadable(program, name, folder, crystal, "with a broken output")


def _files(place: Path, name: str) -> dict[str, bytes]:
    outside = [path.name for path in place.iterdir() if path.name != "stage"]
    require(not outside, name, f"writes outside of its folder: {', '.join(outside)}")
    return {
        str(path.relative_to(place)): path.read_bytes()
        for path in sorted(place.rglob("*"))
        if path.is_file()
    }


def _check_launch(launch: Any, name: str) -> None:
    require(isinstance(launch, Launch), name, f"returns {launch!r:.100} from write, no Launch")
    words = all(isinstance(word, str) for word in launch.command)
    require(bool(launch.command) and words, name, "has a command that is not words")


def _must_be_unreadable(
    program: Program, name: str, folder: Path, crystal: Crystal, what: str
) -> None:
    try:
        result = program.read(folder, crystal)
    except UnreadableError as error:
        require(bool(str(error)), name, "does not say what is missing from an output")
        return
    except Exception as error:  # noqa: BLE001 - whatever a reader may raise
        require(
            False,
            name,
            f"reads a folder {what} and raises {type(error).__name__} ({error}) rather than "
            "UnreadableError",
        )
    else:
        require(False, name, f"reads a folder {what} and returns {result!r:.100}")


def _check_result(result: Any, name: str, crystal: Crystal) -> None:
    require(isinstance(result, StageResult), name, f"returns {result!r:.100} from read")
    same_atoms = np.array_equal(result.crystal.numbers, crystal.numbers)
    require(same_atoms, name, "returns other atoms, or in another order")
    require(result.forces.shape == (crystal.n_atoms, 3), name, "returns forces of another shape")
    require(result.stress_gpa.shape == (3, 3), name, "returns a stress of another shape")
    finite = np.isfinite([result.energy, *result.forces.flat, *result.stress_gpa.flat]).all()
    require(bool(finite), name, "returns numbers that are not finite")
    require(result.steps >= 1, name, "counts no step")
