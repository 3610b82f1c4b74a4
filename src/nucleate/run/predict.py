"""Put a run together from its input, and run it."""

from __future__ import annotations

import logging
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from nucleate.errors import InputError
from nucleate.faults import blaming
from nucleate.relax.settings import check_elements, under_pressure
from nucleate.run.campaign import Campaign
from nucleate.run.events import LOADING, READING, Several, Silent, Summary
from nucleate.run.folder import check_same_run, open_store
from nucleate.run.journal import StoreJournal
from nucleate.run.known_compounds import known_line
from nucleate.run.learning.begin import check_source, learning
from nucleate.run.learning.settings import tiers_with_surrogate
from nucleate.run.lock import locked
from nucleate.run.log import logged
from nucleate.run.notes import keep_notes, notes_of_search
from nucleate.run.policy import costs_of, keep_policy, policy_start
from nucleate.run.pressure import compression_line, compression_of_run, keep_compression
from nucleate.run.proving import proven_of
from nucleate.run.reference import aimed
from nucleate.run.scoring import first_single_points
from nucleate.run.starting import start_executor
from nucleate.run.stopwatch import Stopwatch
from nucleate.run.store import Store
from nucleate.search.context import SearchContext
from nucleate.search.given import GivenCandidates
from nucleate.search.stop import Stop
from nucleate.signals import stopping_on_signals

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from nucleate.crystal.candidate import Candidate
    from nucleate.crystal.space import SearchSpace
    from nucleate.generate.mix import GeneratorMix
    from nucleate.generate.pool import RankedPool
    from nucleate.policy.saved import SavedPolicy
    from nucleate.relax.ladder import Ladder
    from nucleate.relax.settings import TierSettings
    from nucleate.run.events import Callback
    from nucleate.run.executor import Executor
    from nucleate.run.settings import RunSettings
    from nucleate.search.search import Search
    from nucleate.search.target import Target

    Report = Callable[[str, int, int], None]


def predict(
    settings: RunSettings,
    folder: str | Path,
    *,
    callback: Callback | None = None,
    executor: Callable[[Sequence[TierSettings]], Executor] | None = None,
    candidates: Sequence[Candidate] | None = None,
) -> Summary:
    """Search for the crystal structures of a composition; continue the run of a folder.

    Ctrl-C and SIGTERM end the run after what is being written; nothing is lost but the
    relaxations in flight, which the next start takes up again.

    Parameters
    ----------
    settings
        The input.
    folder
        The run folder; created if necessary.
    callback
        Who is shown the run.
    executor
        Returns who relaxes, one relaxer for each of the tiers that it is given; default: worker
        processes.
    candidates
        Relax these instead of drawing any, and add them to the run.

    Raises
    ------
    InputError
        If the input cannot be used, or the folder holds a run of another input.
    WorkerStartError
        If the engines cannot be loaded.
    """
    opening = opened(settings, folder, callback=callback, executor=executor, candidates=candidates)
    with opening as campaign, stopping_on_signals(campaign.request_stop):
        return campaign.run()


@contextmanager
def opened(
    settings: RunSettings,
    folder: str | Path,
    *,
    callback: Callback | None = None,
    executor: Callable[[Sequence[TierSettings]], Executor] | None = None,
    candidates: Sequence[Candidate] | None = None,
    through: Callable[[Search], Search] | None = None,
    keeps_log: bool = True,
    pools: dict[int, RankedPool] | None = None,
) -> Iterator[Campaign]:
    """Open a run folder, and yield its campaign, which has not begun.

    Parameters and errors are those of :func:`predict`; ``through`` returns the search that the
    campaign asks in place of the one of the input, for example one that has guests. Without
    ``keeps_log`` the folder gets no log of its own. ``pools`` keeps the pools of its generators for
    the next time that the same run is opened.
    """
    path = Path(folder)
    callback = callback or Silent()
    _check_devices(settings)
    _check_elements(settings)
    target = build_target(settings)
    watch = Stopwatch()
    pressed = compression_of_run(settings, path, callback.on_stage)
    space = settings.problem.space(pressed.factor)
    with watch.paused():
        callback.on_stage(READING, 0, 0)
        source = build_source(
            settings, space, folder=path, report=callback.on_stage, target=target, pools=pools
        )
    search = own = build_search(settings, source, target, space, policy_start(settings, path))
    policy_facts = getattr(search, "policy_facts", {})
    is_drawn = candidates is None
    if candidates is not None:
        search = GivenCandidates(search, candidates)
    if through is not None:
        search = through(search)
    ladder = build_ladder(settings)
    with ExitStack() as stack:
        stack.enter_context(locked(path))
        if keeps_log:
            stack.enter_context(logged(path))
        check_same_run(path, settings)
        if not Store.exists(path):
            check_source(settings)
        known = known_line(settings)
        _tell(callback, known)
        _tell(callback, compression_line(settings.problem.pressure_gpa, pressed))
        tiers, proven = under_pressure(settings.tier, pressed.factor), None
        learns = settings.surrogate.on and is_drawn
        relaxed_on = tiers_with_surrogate(tiers) if learns else tiers
        if is_drawn:
            watch.add_elsewhere(source.prepare(callback.on_stage))
            proven = proven_of(settings, space, path, callback.on_stage)
        with watch.paused():
            callback.on_stage(LOADING, 0, 0)
            if executor is None:
                relaxing = start_executor(
                    settings,
                    relaxed_on,
                    path,
                    pressure_gpa=settings.problem.pressure_gpa,
                    warm_up=settings.problem.composition().numbers(1).tolist(),
                    late=programs_after_the_first(tiers),
                    report=callback.on_stage,
                )
            else:
                relaxing = executor(relaxed_on)
        stack.callback(relaxing.close)
        store = stack.enter_context(open_store(path, settings))
        keep_compression(store, pressed)
        keep_policy(store, policy_facts)
        shown = callback
        if learns:
            relaxing = learning(relaxing, store, settings, own)
            shown = Several([relaxing, callback])
        notes = notes_of_search(search, relaxing.capacity())
        keep_notes(store, [known, *notes] if known else notes)
        for line in notes:
            _tell(callback, line)
        if target is not None:
            target = aimed(store, relaxing, target, ladder.names)
        campaign = Campaign(
            StoreJournal(store),
            search,
            ladder,
            relaxing,
            stop=Stop.of(settings.stop, target, proven) if is_drawn else Stop(),
            seed=settings.seed,
            space=space if is_drawn else None,
            watch=watch,
            callback=shown,
            prepare=source.prepare_late if is_drawn else lambda: 0.0,
        )
        yield campaign


def programs_after_the_first(tiers: Sequence[TierSettings]) -> list[int]:
    """Return the tiers that are external programs and not the first."""
    return [place for place, tier in enumerate(tiers) if place and tier.engine.is_program]


def _tell(callback: Callback, line: str) -> None:
    """Show and log a line unless it is empty; callbacks of others may have no such method."""
    if line:
        logging.getLogger(__name__).info(line)
        getattr(callback, "on_note", lambda _: None)(line)


def _check_devices(settings: RunSettings) -> None:
    """Refuse a missing GPU before pools are made for it."""
    from nucleate.networks.device import check_device

    if settings.executor.kind != "local":
        return  # the nodes have the cards
    for tier in settings.tier:
        device = getattr(tier.engine, "device", "cpu")
        if tier.python is None and settings.run.python is None and device.startswith("cuda"):
            check_device(device)


def _check_elements(settings: RunSettings) -> None:
    """Refuse a tier that does not know an element, as far as that is found without its model."""
    if settings.executor.kind != "local" or settings.run.python is not None:
        return  # the files are elsewhere
    symbols = [symbol for symbol, _ in settings.problem.composition().items]
    here = (t for t in settings.tier if t.python is None and not t.engine.is_program)
    check_elements(here, symbols)


def build_search(
    settings: RunSettings,
    source: GeneratorMix | None = None,
    target: Target | None = None,
    space: SearchSpace | None = None,
    start: SavedPolicy | None = None,
) -> Search:
    """Return a new search; raises InputError if a file it needs cannot be used."""
    space = space or settings.problem.space()
    context = SearchContext(
        space=space,
        generator=source or build_source(settings, space),
        tiers=tuple(tier.name for tier in settings.tier),
        target=target,
        seed=settings.seed,
        stop=settings.stop,
        costs=costs_of(settings.tier),
        policy_start=start or policy_start(settings),
    )
    with blaming("search", settings.search, "build"):
        search = settings.search.build(context)
    missing = [name for name in REQUIRED if not hasattr(search, name)]
    if missing:
        raise InputError(
            f"search.kind = {settings.search.kind!r}: what its build returns has no "
            f"{', '.join(missing)}. Give it the methods of nucleate.search.search.Search."
        )
    if settings.stop.missed_below is not None and search.progress.finds is None:
        raise InputError(
            f"stop.missed_below cannot be kept by search.kind = {settings.search.kind!r}, which "
            "does not count how often it finds a minimum. Leave it out."
        )
    return search


REQUIRED = ("ask", "tell", "restore", "stop_reason", "progress")
"""What every search has."""


def build_source(
    settings: RunSettings,
    space: SearchSpace | None = None,
    *,
    folder: Path | None = None,
    report: Report = lambda *_: None,
    target: Target | None = None,
    pools: dict[int, RankedPool] | None = None,
) -> GeneratorMix:
    """Return the generators of the input as one; raises InputError if a file cannot be used.

    Parameters
    ----------
    settings
        The input.
    space
        What is searched, with the compression of the run; default: as the input says.
    folder
        Where a generator keeps its pool.
    report
        Called while a generator makes its pool: with what is being done, how much of it is done,
        and how much there is.
    target
        What is looked for, whose structure type ``known = "no-prototype"`` holds out.
    pools
        Pools of the generators, if the run was opened before, and where they are kept.
    """
    from nucleate.generate.build import build_generators
    from nucleate.generate.context import GeneratorContext

    context = GeneratorContext(
        space=space or settings.problem.space(),
        seed=settings.seed,
        population=getattr(settings.search, "population", 0),
        processes=settings.run.n_workers,
        folder=folder,
        score=first_single_points(settings.tier, pressure_gpa=settings.problem.pressure_gpa),
        report=report,
        known=getattr(settings.search, "known", "all"),
        library=getattr(settings.search, "library", ("shipped",)),
        target=None if target is None else target.crystal,
        pools=pools,
    )
    generators = getattr(settings.search, "generators", ())
    return build_generators(generators, context)


def build_ladder(settings: RunSettings) -> Ladder:
    """Return the rules by which crystals go from tier to tier."""
    from nucleate.relax.ladder import Ladder

    return Ladder(settings.tier)


def build_target(settings: RunSettings) -> Target | None:
    """Return the structure to stop at; raises InputError if its file cannot be used."""
    file = settings.stop.target
    return None if file is None else _target(file, settings.problem.space())


def _target(file: str, space: SearchSpace) -> Target:
    from nucleate.crystal.composition import Composition
    from nucleate.crystal.constraints import FREE_IN_A_SEARCH
    from nucleate.crystal.files import Unreadable, read_structures
    from nucleate.search.target import Target

    items = read_structures(file)
    if len(items) > 1:
        raise InputError(
            f"stop.target = {file!r} holds {len(items)} structures. Give a file with one."
        )
    if isinstance(items[0], Unreadable):
        raise items[0].error
    if items[0].fixed is not None:
        logging.getLogger(__name__).warning("stop.target: %s", FREE_IN_A_SEARCH)
    crystal = items[0].crystal
    if space.composition.formula_units_of(crystal.numbers) is None:
        found = Composition.from_numbers(crystal.numbers).formula
        raise InputError(
            f"stop.target = {file!r} is {found}, not {space.composition.formula}. Give a "
            "structure of the composition that is searched."
        )
    return Target(crystal)
