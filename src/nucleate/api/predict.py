"""Search for the crystal structures of a composition."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from nucleate.api.run import Run
from nucleate.api.searching import search_in
from nucleate.run.leftovers import temporary_folder

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nucleate.report.displays import Display


def predict(
    problem: Any,
    *,
    folder: str | Path | None = None,
    preset: str | None = None,
    max_atoms: int | None = None,
    formula_units: Sequence[int] | None = None,
    oxidation_states: Mapping[str, int | Sequence[int]] | None = None,
    pressure_gpa: float | None = None,
    allow_tension: bool = False,
    model: Any = None,
    search: Any = None,
    generators: Any = None,
    known: str | None = None,
    library: str | Path | Sequence[str | Path] | None = None,
    moves: Any = None,
    policy: str | Mapping[str, Any] | None = None,
    policy_from: str | Path | None = None,
    learn: bool = False,
    learn_from: str | Path | None = None,
    seed: int | None = None,
    time: str | float | None = None,
    core_time: str | float | None = None,
    structures: int | None = None,
    without_improvement: int | None = None,
    target: str | Path | None = None,
    proven: bool | str | Path | None = None,
    polish: int | None = None,
    judge: Any = None,
    workers: int | None = None,
    threads: int | None = None,
    executor: Any = None,
    display: Display | bool = True,
    trust: bool = False,
) -> Run:
    """Search for the lowest-energy crystal structures of a composition.

    Ctrl-C ends the search and returns what was found.

    Parameters
    ----------
    problem
        A formula such as ``Ca3Ti2O7``, the path of an input file, or settings.
    folder
        Run folder. An existing run is continued. None uses a temporary folder, which
        lives as long as the run that is returned.
    preset
        Settings by one word: ``"fuse2"`` is the search of the FUSE2 paper. What is given besides,
        here or in an input file, comes before it.
    max_atoms, formula_units
        Maximum number of atoms in a cell, and allowed numbers of formula units.
    oxidation_states
        Charge of each element; guessed where left out.
    pressure_gpa
        External pressure in GPa.
    allow_tension
        Allow a pressure below 0.
    model
        As in :func:`nucleate.relax`; of several each structure goes from one to the next.
    search
        How candidates are chosen: a kind (``"lowest-minima"``, ``"basin-hopping"``) or settings.
    generators
        As in :func:`nucleate.generate`.
    known
        Which known structures may be used: ``all`` (default), ``no-formula``, ``no-relatives``,
        ``no-prototype`` or ``off``.
    library
        Libraries of known structures: ``"shipped"`` (default) or ``.nlib`` files.
    moves
        Weights of moves by name, or a list of moves (:data:`nucleate.FUSE_MOVES`), names of moves
        and functions ``move(parent, context, *, rng)``. Default: the fourteen moves of FUSE.
    policy
        How sources and moves are chosen: ``fixed`` (default), ``reinforce`` or ``bandit``, or
        settings of one.
    policy_from
        Run folder or file whose policy this one begins with.
    learn
        Fit a surrogate to the evaluations of the first tier, consider candidates with it, and
        finish the promising ones.
    learn_from
        Run folder, or folder of a table of searches, whose evaluations the surrogate learns at the
        start.
    seed
        Seed of all random numbers.
    time, core_time
        Running time and processor time after which to stop: seconds, or text like ``"10m"``. Pools
        and search count, loading models and compilation do not.
    structures, without_improvement
        Stop after this many relaxed structures in all, and after this many since the last new
        best one.
    target
        Stop when the structure in this file is found.
    proven
        Stop when the best structure is as low as everything that proven grids offer. True proves
        grids first; a file names a certificate of :func:`nucleate.api.prove.prove`.
    polish
        How many of the best structures are relaxed tightly at the end; 0: none. Default 20.
    judge
        Second model that judges them: a name such as ``"sevennet"`` or ``"off"``, or settings of a
        tier. Default SevenNet where it is installed.
    workers, threads
        Worker processes, by default one per processor core, and threads of each.
    executor
        Who starts the workers: a file with ``[executor]`` (``nucleate cluster init`` makes one), a
        kind, or settings. Default: ``"local"``, processes on this machine.
    display
        Whether to show the search: a table in a notebook or on a terminal. Or a display.
    trust
        Run programs and modules that the stored input of an existing folder names. An input or a
        model that is given here is trusted in any case.

    Raises
    ------
    InputError
        If the input cannot be used, or the folder holds a run of another input.
    SearchFailedError
        If the first structures all failed.
    """
    options: dict[str, Any] = {
        "max_atoms": max_atoms,
        "formula_units": formula_units,
        "oxidation_states": oxidation_states,
        "pressure_gpa": pressure_gpa,
        "allow_tension": allow_tension,
        "model": model,
        "search": search,
        "generators": generators,
        "known": known,
        "library": library,
        "moves": moves,
        "policy": policy,
        "policy_from": policy_from,
        "learn": learn,
        "learn_from": learn_from,
        "seed": seed,
        "time": time,
        "core_time": core_time,
        "structures": structures,
        "without_improvement": without_improvement,
        "target": target,
        "proven": proven,
        "polish": polish,
        "judge": judge,
        "workers": workers,
        "threads": threads,
        "executor": executor,
    }
    temporary = temporary_folder() if folder is None else None
    path = Path(temporary.name if temporary is not None else str(folder))
    place = "" if temporary is not None else f" in {path}"
    search_in(path, problem, options, display=display, preset=preset, trust=trust, place=place)
    return Run(path, temporary=temporary, trust=True)
