"""Search for the crystal structures of a composition."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from pydantic import BaseModel

from nucleate.api.generators import as_generators
from nucleate.api.inputs import absolute, settings_of
from nucleate.api.models import as_tiers, has_objects, inline_executor
from nucleate.api.moves import as_choice
from nucleate.api.run import Run
from nucleate.errors import InputError, NucleateError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nucleate.report.displays import Display


_log = logging.getLogger(__name__)


class SearchFailedError(NucleateError):
    """Every structure of a search failed; the message has the first error."""


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
    moves: Any = None,
    policy: str | Mapping[str, Any] | None = None,
    policy_from: str | Path | None = None,
    seed: int | None = None,
    time: str | float | None = None,
    core_time: str | float | None = None,
    structures: int | None = None,
    without_improvement: int | None = None,
    target: str | Path | None = None,
    polish: int | None = None,
    judge: Any = None,
    workers: int | None = None,
    threads: int | None = None,
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
    moves
        Weights of moves by name, or a list of moves (:data:`nucleate.FUSE_MOVES`), names of moves
        and functions ``move(parent, context, *, rng)``. Default: the fourteen moves of FUSE.
    policy
        How sources and moves are chosen: ``fixed`` (default), ``reinforce`` or ``bandit``, or
        settings of one.
    policy_from
        Run folder or file whose policy this one begins with.
    seed
        Seed of all random numbers.
    time, core_time
        Running time and processor time after which to stop: seconds, or text like ``"10m"``.
    structures, without_improvement
        Stop after this many relaxed structures in all, and after this many since the last new
        best one.
    target
        Stop when the structure in this file is found.
    polish
        How many of the best structures are relaxed tightly at the end; 0: none. Default 20.
    judge
        Second model that judges them: a name such as ``"sevennet"`` or ``"off"``, or settings of a
        tier. Default SevenNet where it is installed.
    workers, threads
        Worker processes, by default one per processor core, and threads of each.
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
    from nucleate.api.final import finish, judge_of
    from nucleate.report.live import LivePage
    from nucleate.run.events import Several
    from nucleate.run.leftovers import temporary_folder
    from nucleate.run.predict import predict as run_search
    from nucleate.signals import is_request

    overrides: dict[str, dict[str, Any]] = {
        "": {
            "tier": None if model is None else as_tiers(model),
            "search": None if search is None or isinstance(search, str) else _search(search),
        },
        "problem": {
            "max_atoms": max_atoms,
            "formula_units": None if formula_units is None else list(formula_units),
            "oxidation_states": oxidation_states,
            "pressure_gpa": pressure_gpa,
            "allow_tension": allow_tension or None,
        },
        "search": {
            "kind": search if isinstance(search, str) else None,
            "seed": seed,
            "generators": as_generators(generators),
            "known": known,
            "moves": as_choice(moves),
            "policy": policy,
            "policy_from": absolute(policy_from),
        },
        "stop": {
            "structures": structures,
            "without_improvement": without_improvement,
            "target": absolute(target),
            "time": time,
            "core_time": core_time,
        },
        "final": {"best": polish, "judge": judge},
        "run": {"workers": workers, "threads": threads},
    }
    temporary = temporary_folder() if folder is None else None
    path = Path(temporary.name if temporary is not None else str(folder))
    settings = settings_of(problem, overrides, folder=path, preset=preset, trust=trust)
    judge_of(settings.final)  # an unknown model is refused now
    place = "" if temporary is not None else f" in {path}"
    tiers = " ".join(tier.name for tier in settings.tier)
    _log.info("search of %s by %s in %s", settings.problem.formula, tiers, path)
    with display_of(display) as shown:
        shown.start(f"{settings.problem.formula}{place}", [tier.name for tier in settings.tier])
        executor = None
        if has_objects(settings.tier):
            pressure = settings.problem.pressure_gpa
            executor = partial(inline_executor, pressure_gpa=pressure)
        watching = Several([shown, LivePage(path)]) if display else shown
        summary = run_search(settings, path, callback=watching, executor=executor)
        if not summary.error and not is_request(summary.reason) and summary.best is not None:
            for line in finish(path, settings, on_stage=shown.on_stage).text:
                _log.info("%s", line)
    if summary.error:
        raise SearchFailedError(f"{summary.reason}. The first error was:\n{summary.error}")
    return Run(path, temporary=temporary, trust=True)


def display_of(display: Display | bool) -> Display:
    """Return the display that an argument ``display=`` means."""
    from nucleate.report.displays import NoDisplay, suitable_display

    if isinstance(display, bool):
        return suitable_display() if display else NoDisplay()
    return display


def _search(search: Any) -> dict[str, Any]:
    """Return settings of a search as an input file has them."""
    if isinstance(search, BaseModel):
        return search.model_dump()
    if isinstance(search, Mapping):
        return dict(cast("Mapping[str, Any]", search))
    raise InputError(
        f"search is a {type(search).__name__}. Give a kind such as 'basin-hopping', or settings."
    )
