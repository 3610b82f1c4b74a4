"""Puts together what learns in a run: new, continued, or from the evaluations of another run."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nucleate.crystal.elements import symbols_of
from nucleate.errors import InputError
from nucleate.run.folder import CHANGEABLE_OF_ENGINES, stored_input
from nucleate.run.learning.executor import LearningExecutor
from nucleate.run.learning.lessons import BEFORE, Lessons
from nucleate.run.learning.screening import Screening
from nucleate.run.learning.settings import FIRST_SHARE
from nucleate.run.learning.tables import LearningTables, Review, holds_learning, tables_of
from nucleate.run.learning.walks import Walks
from nucleate.run.store import Store
from nucleate.surrogate.packing import elements_in

if TYPE_CHECKING:
    from nucleate.run.executor import Executor
    from nucleate.run.settings import RunSettings
    from nucleate.search.search import Search


def learning(
    executor: Executor, store: Store, settings: RunSettings, search: Search
) -> LearningExecutor:
    """Return an executor with a surrogate before the first tier of a run.

    Parameters
    ----------
    executor : Executor
        Relaxes on the tiers of :func:`~nucleate.run.learning.settings.tiers_with_surrogate`.
    store : Store
        Of the run, open for writing.
    settings : RunSettings
        The input.
    search : Search
        The search of the run itself; one that walks judges its steps in two stages from now on.

    Raises
    ------
    InputError
        If the run to learn from cannot be used.
    """
    chosen = settings.surrogate
    tables = LearningTables(store, create=True)
    reviews = tables.reviews()
    own = {int(z) for z in settings.problem.composition().numbers(1)}
    if chosen.learn_from is not None and not reviews:
        reviews = [_learned_elsewhere(tables, chosen.learn_from, settings, own)]
        store.commit()
    given = list(tables.frames(BEFORE, -1).values())
    elements = set(own)
    with suppress(InputError):  # of another version: the fits say so, and the run continues
        elements |= _elements(given)
    drops = settings.stop.missed_below is None
    screening = Screening(chosen, settings.seed, reviews, n_given=len(given), drops_repeats=drops)
    lessons = Lessons(tables, screening, elements, settings.tier[0].name)
    walks = Walks(search, screening, chosen.random_share)
    return LearningExecutor(executor, len(settings.tier), screening, lessons, tables, walks)


def check_source(settings: RunSettings) -> None:
    """Check the run that a new run is to learn from; raises InputError with the remedy."""
    if settings.surrogate.on and settings.surrogate.learn_from is not None:
        own = {int(z) for z in settings.problem.composition().numbers(1)}
        _frames_of(settings.surrogate.learn_from, settings, own)


def _learned_elsewhere(
    tables: LearningTables, folder: str, settings: RunSettings, own: set[int]
) -> Review:
    """Copy the evaluations of another run, with numbers below 0, and review them at once."""
    groups = _frames_of(folder, settings, own)
    for place, parts in enumerate(groups):
        for data in parts:
            tables.add_frames(place - len(groups), data)
    share = settings.surrogate.share or FIRST_SHARE
    review = Review(0, candidate=0, told=-1, share=share, learned=len(groups))
    tables.add_review(review)
    return review


def _frames_of(folder: str, settings: RunSettings, own: set[int]) -> list[list[bytes]]:
    """Return the evaluations of another run, or of all that a folder holds.

    Raises
    ------
    InputError
        If they are of no use here.
    """
    key = f"surrogate.learn_from = {folder!r}"
    groups: list[list[bytes]] = []
    try:
        runs = _runs_in(Path(folder))
        for run in runs:
            groups += _frames_of_run(run, settings, is_only=len(runs) == 1)
        known = _elements(groups)
    except InputError as error:
        raise InputError(f"{key}: {error}") from error
    if not groups:
        raise InputError(f"{key}: the run has no evaluations yet. Let it run longer.")
    missing = sorted(own - known)
    if missing:
        raise InputError(
            f"{key}: its structures hold no {', '.join(symbols_of(missing))}. Give a run with "
            "these elements and any others besides."
        )
    return groups


def _runs_in(folder: Path) -> list[Path]:
    """Return a run folder itself, or the runs of a table of searches that it holds."""
    if Store.exists(folder):
        return [folder]
    return sorted(store.parent for store in folder.glob("*/run.db")) or [folder]


def _frames_of_run(run: Path, settings: RunSettings, *, is_only: bool) -> list[list[bytes]]:
    """Return the evaluations of a run; one of several that has learned nothing has none."""
    with Store.read(run) as store:
        if not is_only and not holds_learning(store):
            return []
        theirs = stored_input(store.meta)
        groups = list(tables_of(store, str(run)).frames(BEFORE, -BEFORE).values())
    ours = settings.tier[0].engine.model_dump(mode="json")
    other = (theirs.get("tier") or [{}])[0].get("engine") or {}
    if groups and _essence(ours) != _essence(other):
        raise InputError(
            f"the evaluations of {run} are of {_words(other)}, and this run relaxes with "
            f"{_words(ours)}. Give a run of the same model."
        )
    return groups


def _elements(groups: list[list[bytes]]) -> set[int]:
    return set().union(*(elements_in(data) for parts in groups for data in parts))


def _essence(engine: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in engine.items() if key not in CHANGEABLE_OF_ENGINES}


def _words(engine: dict[str, Any]) -> str:
    return " ".join(str(value) for value in _essence(engine).values() if value is not None)
