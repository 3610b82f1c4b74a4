"""Put a run together from its input, and run it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from nucleate.errors import InputError
from nucleate.run.campaign import Campaign, Limits, Summary, Watcher
from nucleate.run.folder import check_same_run, locked, open_store
from nucleate.run.pool import Pool, wait_until_ready
from nucleate.run.scoring import single_points
from nucleate.run.settings import spec_of
from nucleate.run.signals import stopping_on_signals

if TYPE_CHECKING:
    from collections.abc import Callable

    from nucleate.crystal.space import SearchSpace
    from nucleate.generate.mix import GeneratorMix
    from nucleate.relax.ladder import Ladder
    from nucleate.run.process import WorkerSpec
    from nucleate.run.settings import RunSettings
    from nucleate.search.basin_hopping import BasinHopping
    from nucleate.search.target import Target

    Report = Callable[[str, int, int], None]


def predict(
    settings: RunSettings,
    folder: str | Path,
    *,
    watcher: Watcher | None = None,
    report: Report = lambda *_: None,
) -> Summary:
    """Search for the crystal structures of a composition; continue a run that is there already.

    Ctrl-C and SIGTERM end the run after what is being written; nothing is lost but the
    relaxations in flight, which the next start takes up again.

    Parameters
    ----------
    settings
        The input.
    folder
        The run folder; made if need be.
    watcher
        Who is shown the run.
    report
        Called while a generator makes its pool: with what is being done, how much of it is done,
        and how much there is.

    Raises
    ------
    InputError
        If the input cannot be used, or the folder holds a run of another input.
    WorkerStartError
        If the engines cannot be loaded.
    """
    path = Path(folder)
    _check_devices(settings)
    source = build_source(settings, folder=path, report=report)
    search = build_search(settings, source)
    ladder = build_ladder(settings)
    with locked(path):
        check_same_run(path, settings)
        started_core_s = time.process_time()
        started_core_s -= source.prepare()
        with Pool(worker_spec(settings), workers=settings.run.n_workers) as pool:
            wait_until_ready(pool)
            with open_store(path, settings) as store:
                campaign = Campaign(
                    store,
                    search,
                    ladder,
                    pool,
                    limits=Limits(settings.run.time, settings.run.core_time),
                    started_core_s=started_core_s,
                    watcher=watcher,
                )
                with stopping_on_signals(campaign.request_stop):
                    return campaign.run()


def _check_devices(settings: RunSettings) -> None:
    """Refuse a GPU that is not there before pools are made for it."""
    from nucleate.networks.device import check_device

    for tier in settings.tier:
        device = getattr(tier.engine, "device", "cpu")
        if tier.python is None and settings.run.python is None and device.startswith("cuda"):
            check_device(device)


def build_search(settings: RunSettings, source: GeneratorMix | None = None) -> BasinHopping:
    """Return a new search; raises InputError if a file it needs cannot be used."""
    from nucleate.search.basin_hopping import BasinHopping

    return BasinHopping(
        settings.problem.space(),
        source or build_source(settings),
        settings.search,
        tiers=[tier.name for tier in settings.tier],
        target=_target(settings.search.target, settings.problem.space()),
    )


def build_source(
    settings: RunSettings, *, folder: Path | None = None, report: Report = lambda *_: None
) -> GeneratorMix:
    """Return the generators of the input as one; raises InputError if a file cannot be used.

    Parameters
    ----------
    settings
        The input.
    folder
        Where a generator keeps its pool.
    report
        As of :func:`predict`.
    """
    from nucleate.generate.settings import GeneratorContext, build_generators

    context = GeneratorContext(
        seed=settings.search.seed,
        population=settings.search.population,
        processes=settings.run.n_workers,
        folder=folder,
        score=single_points(settings.tier[0], pressure_gpa=settings.problem.pressure_gpa),
        report=report,
    )
    return build_generators(settings.search.generators, settings.problem.space(), context)


def build_ladder(settings: RunSettings) -> Ladder:
    """Return the rules by which crystals go from tier to tier."""
    from nucleate.relax.ladder import Ladder

    return Ladder(settings.tier)


def worker_spec(settings: RunSettings) -> WorkerSpec:
    """Return how the workers of a run are started."""
    return spec_of(settings.tier, settings.problem.pressure_gpa, settings.run)


def _target(file: str | None, space: SearchSpace) -> Target | None:
    if file is None:
        return None
    from nucleate.crystal.composition import Composition
    from nucleate.crystal.files import read_crystals
    from nucleate.search.target import Target

    named = read_crystals(file)
    if len(named) > 1:
        raise InputError(
            f"search.target = {file!r} holds {len(named)} structures. Give a file with one."
        )
    crystal = named[0][1]
    if space.composition.formula_units_of(crystal.numbers) is None:
        found = Composition.from_numbers(crystal.numbers).formula
        raise InputError(
            f"search.target = {file!r} is {found}, not {space.composition.formula}. Give a "
            "structure of the composition that is searched."
        )
    return Target(crystal)
