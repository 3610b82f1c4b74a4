"""More tiers for the best structures of a finished run."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nucleate.api.inputs import given
from nucleate.api.models import as_tiers, has_objects, inline_executor
from nucleate.crystal.symmetry import in_cell
from nucleate.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

    from nucleate.relax.settings import TierSettings
    from nucleate.report.ranking import RankedStructure
    from nucleate.run.refinement import RefinementSummary
    from nucleate.run.settings import RefinementSettings
    from nucleate.search.record import Record


def refine(
    folder: str | Path,
    model: Any = None,
    *,
    input_file: str | Path | None = None,
    best: int | None = None,
    name: str | None = None,
    single_point: bool = False,
    retry: bool = False,
    workers: int | None = None,
    on_start: Callable[[int], None] = lambda _: None,
    on_record: Callable[[Record], None] | None = None,
) -> RefinementSummary:
    """Send the best distinct structures of a run through further tiers, and rank them by those.

    The outcomes are written to the run itself. The same call continues what was interrupted.

    Parameters
    ----------
    folder
        A run folder.
    model
        As in :func:`nucleate.relax`.
    input_file
        TOML file with ``[[tier]]``, and ``best`` and ``[run]`` if wanted.
    best
        How many distinct structures; default 20.
    name
        Name of the tier in tables; default its kind.
    single_point
        Compute the energy of the geometry as given.
    retry
        Repeat calculations that failed on these tiers.
    workers
        Worker processes; default one per processor core.
    on_start, on_record
        Called with the number of structures, and with every record that is finished.

    Raises
    ------
    InputError
        If the folder holds no search, or a tier cannot be added to it.
    """
    from nucleate.report.content import read_run
    from nucleate.report.selection import best_below
    from nucleate.run.refinement import check_new_tiers
    from nucleate.run.refinement import refine as run_tiers
    from nucleate.run.store import Store

    settings = refinement_of(
        model, input_file, best=best, name=name, single_point=single_point, workers=workers
    )
    content = read_run(folder)
    with Store.read(folder) as store:
        check_new_tiers(store, settings.tier)
    chosen = best_below(content, [item.name for item in settings.tier], settings.best)
    numbers = [item.record.number for item in _not_empty(chosen, folder)]
    on_start(len(numbers))
    executor = None
    if has_objects(settings.tier):
        executor = partial(inline_executor, pressure_gpa=content.pressure_gpa)
    return run_tiers(folder, settings, numbers, retry=retry, on_record=on_record, executor=executor)


def refinement_of(
    model: Any = None,
    input_file: str | Path | None = None,
    *,
    best: int | None = None,
    name: str | None = None,
    single_point: bool = False,
    workers: int | None = None,
) -> RefinementSettings:
    """Return the input of :func:`refine`, which has the same parameters; raises InputError."""
    options = given(name=name, relax=False if single_point else None)
    if options and model is None:
        key, own = ("name", "name") if name is not None else ("single_point", "relax = false")
        raise InputError(
            f"{key} has no effect on the tiers of a file. Write {own} there, or name the model "
            "itself (--tier)."
        )
    overrides: dict[str, Any] = given(best=best)
    if model is not None:
        overrides["tier"] = as_tiers(model, options)
    return _settings(input_file, overrides, given(workers=workers))


def export_jobs(
    folder: str | Path,
    program: Any = None,
    *,
    input_file: str | Path | None = None,
    out: str | Path | None = None,
    best: int = 20,
    cell: str = "primitive",
) -> tuple[Path, int]:
    """Write a folder for each of the best structures, ready for a program that you run yourself.

    Parameters
    ----------
    folder
        A run folder.
    program
        ``vasp``, ``vasp=preset``, or settings of a tier.
    input_file
        TOML file with one ``[[tier]]``, in place of ``program``.
    out
        Where to write; default ``for-PROGRAM`` in the run folder.
    best
        How many structures.
    cell
        ``primitive`` or ``conventional``, both symmetrised, or ``given``.

    Returns
    -------
    (Path, int)
        The folder, and how many structures are in it.

    Raises
    ------
    InputError
        If the run has no structure, or the program cannot be used.
    """
    from nucleate.programs.jobs import check_can_be_handed_off
    from nucleate.report.content import read_run
    from nucleate.report.files import row_name
    from nucleate.report.rows import Row
    from nucleate.report.selection import best_below
    from nucleate.run.hand_back import hand_off

    tier = only_tier(program, input_file)
    kind = check_can_be_handed_off(tier).kind
    chosen = _not_empty(best_below(read_run(folder), [tier.name], best), folder)
    target = Path(folder) / f"for-{kind}" if out is None else Path(out)
    items = [
        (row_name(Row.of_ranked(item)), item.record.number, in_cell(item.crystal, cell))
        for item in chosen
    ]
    hand_off(Path(folder), items, tier, target)
    return target, len(items)


def _not_empty(chosen: list[RankedStructure], folder: str | Path) -> list[RankedStructure]:
    if not chosen:
        raise InputError(f"{folder} has no relaxed structure yet. Continue its search first.")
    return chosen


def _settings(
    file: str | Path | None, overrides: dict[str, Any], execution: dict[str, Any]
) -> RefinementSettings:
    from nucleate.run.paths import with_absolute_paths
    from nucleate.run.settings import RefinementSettings, read_toml

    if file is None and not overrides.get("tier"):
        raise InputError(
            "No tier is given. Name a model (--tier on the command line), such as chgnet, or an "
            "input file (--input)."
        )
    data: dict[str, Any] = {}
    if file is not None:
        data = with_absolute_paths(read_toml(Path(file)), Path(file).parent)
    data |= overrides
    if execution:
        data["run"] = {**data.get("run", {}), **execution}
    return RefinementSettings.from_dict(data, source="" if file is None else str(file))


def only_tier(program: Any, file: str | Path | None) -> TierSettings:
    """Return the tier of a program or of an input file; raises InputError unless it is one."""
    if program is not None and file is not None:
        raise InputError(
            "a program and an input file (--for and --input) name the same thing. Give one of them."
        )
    overrides = {} if program is None else {"tier": as_tiers(program)}
    tier, *more = _settings(file, overrides, {}).tier
    if more:
        raise InputError(f"{file}: has {1 + len(more)} tiers. Give one [[tier]].")
    return tier
